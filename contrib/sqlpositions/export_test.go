package sqlpositions

// Committed sets what is called behind every commit.
func (s *Store) Committed(f func() error) { s.committed = f }

package dynamofake

// RefuseSome has BatchWriteItem leave each item unprocessed that refuse is true
// of, until the returned function is called.
func (s *Service) RefuseSome(refuse func(table string, it Item) bool) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = refuse
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.left = nil
	}
}

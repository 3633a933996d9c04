package kinesisfake

// RefuseSome has PutRecord and PutRecords reject each record whose data refuse is
// true of, on its own, until the returned function is called.
func (s *Service) RefuseSome(refuse func(data []byte) bool) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = nil
	}
}

package kinesisfake

import "time"

type retentionInput struct {
	named
	RetentionPeriodHours int
}

func (s *Service) increaseRetention(in retentionInput) (nothing, error) {
	return s.changeRetention(in, func(from, to time.Duration) bool { return to >= from })
}

func (s *Service) decreaseRetention(in retentionInput) (nothing, error) {
	return s.changeRetention(in, func(from, to time.Duration) bool { return to <= from })
}

func (s *Service) changeRetention(in retentionInput, right func(from, to time.Duration) bool) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.changeable(in.named)
	if err != nil {
		return nothing{}, err
	}
	to := time.Duration(in.RetentionPeriodHours) * time.Hour
	if to < minRetention || to > maxRetention {
		return nothing{}, invalid("RetentionPeriodHours must be from %d to %d.", minRetention/time.Hour, maxRetention/time.Hour)
	}
	if !right(t.retention, to) {
		return nothing{}, invalid("Requested retention period (%d hours) for stream %s lies on the wrong side of the existing one (%d hours).", to/time.Hour, t.name, t.retention/time.Hour)
	}
	t.retain(to, s.now())
	return nothing{}, nil
}

// retain changes the retention. What was trimmed under the old one, or is under
// the new one, stays trimmed.
func (t *stream) retain(d time.Duration, now time.Time) {
	t.trimmed = later(t.trimmed, now.Add(-min(t.retention, d)))
	t.retention = d
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

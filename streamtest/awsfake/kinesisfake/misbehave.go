package kinesisfake

import "time"

// CloseShard closes a shard and gives it no children, which the real service
// does not do: its last answer has a null NextShardIterator and no ChildShards,
// and puts that fall into its range fail from then on.
func (s *Service) CloseShard(stream, shardID string) error {
	return s.with(stream, shardID, func(t *streamAt, d *shard) error {
		if !d.closed.IsZero() {
			return invalid("Shard %s in stream %s is closed.", shardID, stream)
		}
		t.close(d, t.moment(t.now))
		return nil
	})
}

// Trim makes the records of a shard up to a sequence number unreadable, that one
// included, as if retention had passed them. A closed shard without readable
// records left vanishes with them.
func (s *Service) Trim(stream, shardID, upToSequence string) error {
	return s.with(stream, shardID, func(t *streamAt, d *shard) error {
		place, err := t.placeOf(d, upToSequence, 1)
		if err != nil {
			return err
		}
		d.trimmed = max(d.trimmed, place)
		d.gone = !d.closed.IsZero() && d.trimmed == len(d.records)
		return nil
	})
}

// TrimBefore makes everything that arrived in a stream before a moment
// unreadable, as if retention had passed it; shards closed before it vanish.
func (s *Service) TrimBefore(stream string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(named{StreamName: stream})
	if err != nil {
		return err
	}
	t.trimmed = later(t.trimmed, at)
	return nil
}

// SetRetention sets a stream's retention to any duration, also one shorter than
// the 24 hours that are the least a real stream has.
func (s *Service) SetRetention(stream string, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(named{StreamName: stream})
	if err != nil {
		return err
	}
	t.retain(d, s.now())
	return nil
}

// EmptyPages has the next n GetRecords of a shard answer no records though there
// are some, with MillisBehindLatest as it is, as the real service may.
func (s *Service) EmptyPages(stream, shardID string, n int) error {
	return s.with(stream, shardID, func(_ *streamAt, d *shard) error {
		d.emptyPages = n
		return nil
	})
}

// RejectPuts has the next n records put into a shard rejected as too fast, each
// on its own: PutRecords then fails in part.
func (s *Service) RejectPuts(stream, shardID string, n int) error {
	return s.with(stream, shardID, func(_ *streamAt, d *shard) error {
		d.rejectedPut = n
		return nil
	})
}

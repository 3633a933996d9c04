package dynamofake

import (
	"fmt"
	"slices"
	"time"
)

// The methods of this file are for tests of streams: they go around the
// protocol.

// StreamShard is a shard of a stream with its place in the lineage.
type StreamShard struct {
	// ID is the shard's id, Parent that of the one it came from, if any.
	ID, Parent string
	// Starting and Ending are sequence numbers; Ending is empty while it is open.
	Starting, Ending string
	// Created and Closed are by the clock of the service; Closed is zero while
	// it is open.
	Created, Closed time.Time
	// Records is how many it still has.
	Records int
}

// Partitions makes streams that are enabled from now on begin with n shards,
// among which the items are dealt by their partition keys. The default is 1.
func (s *Service) Partitions(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partitions = n
}

// StreamTimes sets for how long a shard takes records before it rolls over (0:
// only [Service.Rollover] does it), and for how long records, closed shards and
// disabled streams are kept. The defaults are those of AWS: 4 and 24 hours.
func (s *Service) StreamTimes(rollsAfter, keptFor time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rolls, s.keeps = rollsAfter, keptFor
}

// HideNewShards keeps new shards out of the listings for d: the parents are
// shown as closed before their children are shown at all. The default is 0.
func (s *Service) HideNewShards(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hides = d
}

// IteratorsLast sets for how long an iterator of a stream can be used. The default
// is fifteen minutes, AWS's.
func (s *Service) IteratorsLast(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.iterators = d
}

// OnStream adds an observer, which is told of every record in the order of the
// writes, before the writer gets its answer. It must not write to the Service.
func (s *Service) OnStream(observer func(StreamRecord)) {
	s.watch.Lock()
	defer s.watch.Unlock()
	s.streamObservers = append(s.streamObservers, observer)
}

// StreamARN is the ARN of a table's latest stream; empty if it never had one.
func (s *Service) StreamARN(table string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tables[table]; ok && t.latest != nil {
		return t.latest.arn()
	}
	return ""
}

// StreamShards are the shards of a table's latest stream as they would be
// listed, by id; nil if it has none.
func (s *Service) StreamShards(table string) []StreamShard {
	var all []StreamShard
	_ = s.withStream(table, func(t *stream) error {
		for _, d := range t.listed(s.now()) {
			all = append(all, StreamShard{
				ID: d.id, Parent: d.parent, Starting: d.starting, Ending: d.ending,
				Created: d.created, Closed: d.closed, Records: len(d.records),
			})
		}
		return nil
	})
	return all
}

// ShardFor is the shard that takes the next record of an item, by its key.
func (s *Service) ShardFor(table string, key Item) (shardID string, err error) {
	err = s.withStream(table, func(t *stream) error {
		d := t.taking(key)
		if d == nil {
			return fmt.Errorf("the stream of table %s has no open shard", table)
		}
		shardID = d.id
		return nil
	})
	return shardID, err
}

// Rollover closes every open shard of a table's stream; each gets one child.
func (s *Service) Rollover(table string) error {
	return s.withStream(table, func(t *stream) error {
		now := s.now()
		for _, d := range slices.Clone(t.shards) {
			if d.ending == "" {
				t.roll(d, now)
			}
		}
		return nil
	})
}

// SplitShard closes one open shard; it gets two children, as when a partition of
// the table splits.
func (s *Service) SplitShard(table, shardID string) error {
	return s.withStream(table, func(t *stream) error {
		d, err := t.shard(shardID)
		if err != nil {
			return err
		}
		if d.ending != "" {
			return fmt.Errorf("shard %s is closed", shardID)
		}
		now, middle := s.now(), d.low+(d.high-d.low)/2
		t.close(d, now)
		t.open(d.id, d.low, middle, now)
		t.open(d.id, middle+1, d.high, now)
		return nil
	})
}

// TrimStream takes away the n oldest records of a shard.
func (s *Service) TrimStream(table, shardID string, n int) error {
	return s.withStream(table, func(t *stream) error {
		d, err := t.shard(shardID)
		if err != nil {
			return err
		}
		d.trim(min(n, len(d.records)))
		return nil
	})
}

// DropShard takes a shard away with all that is in it, as retention does.
func (s *Service) DropShard(table, shardID string) error {
	return s.withStream(table, func(t *stream) error {
		if _, err := t.shard(shardID); err != nil {
			return err
		}
		t.shards = slices.DeleteFunc(t.shards, func(d *streamShard) bool { return d.id == shardID })
		return nil
	})
}

// Expire deletes an item as time to live does: the record of it names the
// service as who did it. It is no error if there is none.
func (s *Service) Expire(table string, key Item) error {
	_, err := s.instant(func() (any, error) {
		w, err := s.planDelete(keyRequest{conditional{TableName: table}, key})
		if err == nil {
			w.expired = true
		}
		return nil, s.byHand(w, err)
	})
	if err != nil {
		return fmt.Errorf("expire an item of table %s: %w", table, err)
	}
	return nil
}

// withStream runs f on the latest stream of a table as it is now.
func (s *Service) withStream(table string, f func(*stream) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[table]
	if !ok || t.latest == nil {
		return fmt.Errorf("table %s has no stream", table)
	}
	s.settle(t.latest, s.now())
	return f(t.latest)
}

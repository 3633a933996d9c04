package kinesisfake

import (
	"slices"
	"time"
)

type splitShardInput struct {
	named
	ShardToSplit       string
	NewStartingHashKey string
}

func (s *Service) splitShard(in splitShardInput) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, d, err := s.eligible(in.named, in.ShardToSplit)
	if err != nil {
		return nothing{}, err
	}
	at, ok := parseHashKey(in.NewStartingHashKey)
	if !ok || at.compare(d.low.next()) <= 0 || at.compare(d.high) >= 0 {
		return nothing{}, invalid("NewStartingHashKey %s used in SplitShard on shard %s in stream %s under account %s must lie inside of %s and %s.", in.NewStartingHashKey, d.id, t.name, account, d.low, d.high)
	}
	s.reshard(t, func(now time.Time) { s.split(t, d, at, now) })
	return nothing{}, nil
}

type mergeShardsInput struct {
	named
	ShardToMerge         string
	AdjacentShardToMerge string
}

func (s *Service) mergeShards(in mergeShardsInput) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, a, err := s.eligible(in.named, in.ShardToMerge)
	if err != nil {
		return nothing{}, err
	}
	_, b, err := s.eligible(in.named, in.AdjacentShardToMerge)
	if err != nil {
		return nothing{}, err
	}
	if !adjacent(a, b) {
		return nothing{}, invalid("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging", a.id, b.id, t.name, account)
	}
	s.reshard(t, func(now time.Time) { s.merge(t, a, b, now) })
	return nothing{}, nil
}

type updateShardCountInput struct {
	named
	TargetShardCount int
	ScalingType      string
}

type updateShardCountOutput struct {
	StreamName        string
	StreamARN         string
	CurrentShardCount int
	TargetShardCount  int
}

func (s *Service) updateShardCount(in updateShardCountInput) (out updateShardCountOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.changeable(in.named)
	if err != nil {
		return out, err
	}
	current, target := len(t.open), in.TargetShardCount
	switch {
	case in.ScalingType != "UNIFORM_SCALING":
		return out, refusal("ValidationException", "ScalingType must be UNIFORM_SCALING.")
	case target < 1:
		return out, refusal("ValidationException", "TargetShardCount must be at least 1.")
	case target > 2*current:
		return out, invalid("UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d Target shard count: %d", current, target)
	case 2*target < current:
		return out, invalid("UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d Target shard count: %d", current, target)
	}
	s.reshard(t, func(now time.Time) { s.scale(t, target, now) })
	return updateShardCountOutput{t.name, t.arn(), current, target}, nil
}

// changeable is the stream a request wants to change, if it is not changing.
func (s *Service) changeable(n named) (*stream, error) {
	t, err := s.find(n)
	if err != nil {
		return nil, err
	}
	if t.change != nil {
		return nil, refusal("ResourceInUseException", "Stream %s under account %s not ACTIVE, instead in state %s", t.name, account, t.status())
	}
	return t, nil
}

// eligible is an open shard of a stream that can be changed.
func (s *Service) eligible(n named, id string) (*stream, *shard, error) {
	t, err := s.changeable(n)
	if err != nil {
		return nil, nil, err
	}
	d, err := t.find(id, s.now())
	if err != nil {
		return nil, nil, err
	}
	if !d.closed.IsZero() {
		return nil, nil, invalid("Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.", id, t.name, account)
	}
	return t, d, nil
}

// reshard makes a change, at once or when its time has passed.
func (s *Service) reshard(t *stream, apply func(now time.Time)) {
	now := s.now()
	t.change = &change{ready: now.Add(s.limits.reshard), apply: apply}
	for _, d := range t.open {
		d.wake() // subscriptions are to look again when it is ready
	}
	t.settle(now)
}

// split puts two shards in the place of one; the upper begins at a hash key.
func (s *Service) split(t *stream, d *shard, at hashKey, now time.Time) (lower, upper *shard) {
	stamp, birth := t.moment(now), s.generation(now)
	t.close(d, stamp)
	lower = t.addShard(birth, stamp, d.low, at.before(), d)
	upper = t.addShard(birth, stamp, at, d.high, d)
	return lower, upper
}

// merge puts one shard in the place of two adjacent ones.
func (s *Service) merge(t *stream, a, b *shard, now time.Time) *shard {
	stamp, birth := t.moment(now), s.generation(now)
	t.close(a, stamp)
	t.close(b, stamp)
	low, high := a.low, b.high
	if b.low.compare(a.low) < 0 {
		low, high = b.low, a.high
	}
	return t.addShard(birth, stamp, low, high, a, b)
}

// scale makes the open shards n of equal size, in the way of the service: by
// splitting where a new shard begins, and by merging what lies in one. Shards
// that live only on the way stay in the lineage, closed and empty.
func (s *Service) scale(t *stream, n int, now time.Time) {
	starts := uniform(n)
	for _, at := range starts {
		if d := t.owner(at); d != nil && d.low != at {
			s.split(t, d, at, now)
		}
	}
	for i := 0; i+1 < len(t.open); {
		a, b := t.open[i], t.open[i+1]
		if _, begins := slices.BinarySearchFunc(starts, b.low, hashKey.compare); begins || !adjacent(a, b) {
			i++
			continue
		}
		s.merge(t, a, b, now)
	}
}

// adjacent reports whether two shards make one range without a gap.
func adjacent(a, b *shard) bool {
	return a != b && (a.high != lastHashKey && a.high.next() == b.low || b.high != lastHashKey && b.high.next() == a.low)
}

// moment is when the next shards end and begin: now, but later than the last
// time, so that even in a clock that stands still parents end after they began.
func (t *stream) moment(now time.Time) time.Time {
	at := now.Truncate(time.Millisecond)
	if next := t.stamp.Add(time.Millisecond); at.Before(next) {
		at = next
	}
	t.stamp = at
	return at
}

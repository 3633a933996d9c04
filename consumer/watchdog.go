package consumer

import (
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// vitals are the signs of life of one handler of one shard.
type vitals struct {
	mark    shard.Position
	handled int64
	readAt  time.Time
	// still is for how long none of them has moved although there is something
	// to do, by this worker's clock and without the time it stood still itself.
	still time.Duration
	told  bool // of that
	risk  bool // the retention comes near
}

// watchdog looks after what this worker's shards are doing. That a lease is kept
// alive says nothing about its shard: one that gets nowhere would keep it for
// ever. It belongs to the goroutine of the fleet.
type watchdog struct {
	shards map[*shardStatus]*vitals
	lookAt time.Duration
}

// The retention is near from four fifths of it on, and far again below seven
// tenths, so that a shard on the edge is told of once.
const (
	retentionNear = 0.8
	retentionFar  = 0.7
)

// watch looks at every shard. A process that was stopped for a while counts
// only what it has seen: no more than two beats a look.
func (f *fleet) watch() {
	now := f.clock.Elapsed()
	passed := min(now-f.dog.lookAt, 2*f.timing.beat)
	f.dog.lookAt = now
	f.mu.Lock()
	tenures := make([]*tenure, 0, len(f.tenures))
	for _, t := range f.tenures {
		tenures = append(tenures, t)
	}
	f.mu.Unlock()
	known := make(map[*shardStatus]*vitals, len(tenures))
	for _, t := range tenures {
		for i, status := range t.statuses {
			v := f.dog.shards[status]
			if v == nil {
				v = &vitals{}
			}
			known[status] = v
			s := status.snapshot()
			stands := v.look(s, f.heldUp(t, s.Shard, i), passed)
			status.publishStill(v.still)
			if stands && v.still >= f.cfg.StallTimeout && !v.told {
				v.told = true
				f.stalled(t, s, v.still, status.begun.Load())
			}
			f.retention(v, s, status.age(f.serviceNow()), t.branch.stream.Retention)
		}
	}
	f.dog.shards = known
}

// heldUp reports whether somebody wants a handler of a shard to rest, or the
// shard is being left.
func (f *fleet) heldUp(t *tenure, shardID string, handler int) bool {
	return f.pace.closed(shardID) || f.parts[handler].breaker.state() != batching.BreakerClosed || t.isLeaving() || t.ended()
}

// look takes note of what has moved, and reports whether nothing has.
func (v *vitals) look(s ShardStatus, heldUp bool, passed time.Duration) bool {
	moved := s.Handled != v.handled || s.Mark != v.mark || s.Pending == 0 && s.ReadAt != v.readAt
	v.handled, v.mark, v.readAt = s.Handled, s.Mark, s.ReadAt
	if moved || heldUp {
		v.still, v.told = 0, false
		return false
	}
	v.still += passed
	return true
}

// stalled tells of a shard that gets nowhere. Where no lane is at work and
// nothing waits on purpose it is the library's own fault, or the road to the
// service: the shard is let go and begun anew, by another worker if there is
// one.
func (f *fleet) stalled(t *tenure, s ShardStatus, still time.Duration, begun bool) {
	again := begun && s.Busy == 0 && s.KeysHeld == 0 && s.Deferred == 0
	f.log.Error("shard makes no progress", append(ofHandler(s.Handler), "shard", s.Shard, "for", still, "mark", s.Mark,
		"pending", s.Pending, "busy", s.Busy, "error", s.Error, "begun_anew", again)...)
	fire(f.cfg.Hooks.ShardStalled, ShardStalledEvent{
		Worker: f.session.id, Shard: s.Shard, Handler: s.Handler, For: still, Mark: s.Mark, Pending: s.Pending, Busy: s.Busy, BegunAnew: again, Err: s.Error,
	})
	if again {
		t.leave(ErrStalled, "")
	}
}

// retention tells of a shard whose records come near to being trimmed unread.
func (f *fleet) retention(v *vitals, s ShardStatus, age, keeps time.Duration) {
	switch {
	case keeps <= 0 || age < time.Duration(retentionFar*float64(keeps)):
		v.risk = false
	case !v.risk && age >= time.Duration(retentionNear*float64(keeps)):
		v.risk = true
		f.log.Error("records will be trimmed unread if the shard does not catch up", append(ofHandler(s.Handler), "shard", s.Shard,
			"age", age, "retention", keeps)...)
		fire(f.cfg.Hooks.RetentionRisk, RetentionRiskEvent{Worker: f.session.id, Shard: s.Shard, Handler: s.Handler, Age: age, Retention: keeps})
	}
}

// isLeaving reports whether the tenure was told to let go.
func (t *tenure) isLeaving() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.leaving.IsZero()
}

package consumer

import (
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// ownBatch says more about a batch of one key that was held: its first record
// has failed so many calls, and is called alone.
type ownBatch struct {
	key      string
	attempts int
	parked   *parkedKey // nil unless the key is parked
	waited   bool       // it is parked, and this comes from memory
}

// begin has the first record called alone.
func (o *ownBatch) begin(work *batching.Work) {
	first, _ := work.Next()
	next := []batching.Segment{{To: 1, Attempts: o.attempts}}
	if first.To > 1 {
		next = append(next, batching.Segment{From: 1, To: first.To})
	}
	work.Settle(batching.Verdict{Next: next})
}

// asideBatch is what a lane gives back to its shard: a record that failed, and
// what follows it in the batch.
type asideBatch struct {
	lane     int
	rest     batching.Gathered
	attempts int
	wait     time.Duration
	asked    bool // the handler said for how long
	err      error
}

// giveBack returns what remains of the batch, whose first record is to wait
// without the lane.
func (l *lane) giveBack(v batching.Verdict) {
	first := v.Next[0]
	rest := batching.Gathered{Records: l.batch.Records[first.From:], Tickets: l.batch.Tickets[first.From:], Behind: l.batch.Behind}
	l.settled <- settlement{aside: &asideBatch{
		lane: l.number, rest: rest, attempts: first.Attempts, wait: v.Delay.Max, asked: v.Attempts == 0, err: l.err,
	}}
}

// keyOf is what a record's order belongs to.
func (l *shardLoop) keyOf(r *shard.Record) string {
	if l.cfg.Unordered {
		return batching.OwnKey(r)
	}
	return l.split.KeyOf(r)
}

// passes reports whether a record goes on to its lane; if not, the gate has it.
func (l *shardLoop) passes(r *shard.Record, ticket int64, behind time.Duration, now time.Time) bool {
	key := l.keyOf(r)
	if l.parking.knows(key, r) {
		l.tracker.Done(ticket)
		l.memory.finish([]int64{ticket}, int64(r.Size()))
		return false
	}
	if l.gate.Pass(key, batching.Waiting{Record: *r, Ticket: ticket, Behind: behind, Added: now}) {
		return true
	}
	l.parking.overflows(key, now)
	return false
}

// openGate lets go on what nothing holds any more, and calls the keys whose time
// has come. A lane that is free calls them before what it has gathered, but not
// twice in a row: keys that fail again and again take half of it at most.
func (l *shardLoop) openGate(now time.Time) {
	if l.gate.Idle() {
		return
	}
	l.gate.Advance(now, func(_ string, w batching.Waiting) {
		l.lanes[l.split.Of(&w.Record)].gather.Add(w.Record, w.Ticket, w.Behind, now)
	})
	l.parking.calls(now)
	bounds := batching.Gathering{Records: l.cfg.BatchSize, Bytes: l.cfg.MaximumBatchBytes}
	l.gate.Due(func(key string, first *shard.Record) {
		if l.isolate && l.busy > 0 {
			return
		}
		i, free := l.freeFor(first, now)
		if !free {
			return
		}
		batch, attempts := l.gate.Take(key, bounds, now)
		l.start(i, batch, &ownBatch{key: key, attempts: attempts})
	})
}

// freeFor is the lane that may call a held key's records now.
func (l *shardLoop) freeFor(first *shard.Record, now time.Time) (lane int, free bool) {
	may := func(i int) bool {
		return !l.lanes[i].busy && !(l.lanes[i].turn && l.lanes[i].gather.Due(now))
	}
	if !l.cfg.Unordered {
		i := l.split.Of(first)
		return i, may(i)
	}
	for i := range l.lanes {
		if may(i) {
			return i, true
		}
	}
	return 0, false
}

// setAside puts the key of a record that failed into the gate, with all that is
// in hand of it, and gives the lane back the rest.
func (l *shardLoop) setAside(s *asideBatch, now time.Time) {
	own := l.lanes[s.lane].own
	l.lanes[s.lane].own = nil
	if own != nil && own.parked != nil {
		l.parking.fails(own, s, now)
		return
	}
	first := &s.rest.Records[0]
	key := l.keyOf(first)
	mine := batching.Gathered{Behind: s.rest.Behind}
	others := batching.Gathered{Behind: s.rest.Behind}
	for i := range s.rest.Records {
		to := &others
		if l.keyOf(&s.rest.Records[i]) == key {
			to = &mine
		}
		to.Records, to.Tickets = append(to.Records, s.rest.Records[i]), append(to.Tickets, s.rest.Tickets[i])
	}
	gather := l.lanes[s.lane].gather
	if !l.cfg.Unordered {
		behind := gather.Extract(func(r *shard.Record) bool { return l.keyOf(r) == key })
		mine.Records, mine.Tickets = append(mine.Records, behind.Records...), append(mine.Tickets, behind.Tickets...)
	}
	gather.Return(others)
	l.gate.Return(key, mine, now)
	wait := l.untilTooOld(first, s.wait)
	switch {
	case l.gate.Parked(key):
		if !s.asked {
			s.wait = l.cfg.Park.RetryEvery
		}
		l.parking.failsBefore(key, s, now)
		return
	case !s.asked && l.cfg.SetAside.Spent(s.attempts) &&
		l.parking.park(key, first, s.attempts, l.untilTooOld(first, l.cfg.Park.RetryEvery), now):
		return
	}
	l.gate.SetAside(key, s.attempts, now.Add(wait), now)
	fire(l.cfg.Hooks.KeySetAside, KeySetAsideEvent{
		Worker: l.worker.session.id, Shard: l.shard, Key: batching.HashKey(key),
		Attempts: s.attempts, Wait: wait, Records: l.gate.Len(key), Err: s.err,
	})
}

// untilTooOld is wait, or less if the record is to be given up for its age
// before.
func (l *shardLoop) untilTooOld(r *shard.Record, wait time.Duration) time.Duration {
	if l.cfg.MaximumRecordAge <= 0 || r.ArrivedAt.IsZero() {
		return wait
	}
	left := l.cfg.MaximumRecordAge - l.worker.serviceNow().Sub(r.ArrivedAt)
	return min(wait, max(0, left)+time.Millisecond)
}

// ownOver takes note of the end of a held key's batch. If nothing of it failed,
// the key goes on. One that was told to stop leaves its key held: what follows
// must not pass it.
func (l *shardLoop) ownOver(s settlement) {
	own := l.lanes[s.lane].own
	l.lanes[s.lane].own = nil
	switch {
	case own == nil:
	case own.parked != nil && (s.broken || own.waited):
		own.parked.calling = false
	case own.parked == nil && !s.broken:
		l.gate.Settled(own.key, time.Now())
	}
}

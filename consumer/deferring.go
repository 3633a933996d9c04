package consumer

import (
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
)

// deferral is a call that has returned, whose records are finished later.
type deferral struct {
	lane     int
	batch    batching.Gathered
	attempts int // calls with these records, that one included
	since    time.Time
	over     bool
}

// acks takes acknowledgements from whoever makes them, and keeps them for the
// loop of the shard: so that none waits for another. Behind the end of a tenure
// they are dropped.
type acks struct {
	ready chan struct{} // capacity 1: there is something to take

	mu     sync.Mutex // guards what is below; never held while waiting
	closed bool
	came   []acked
	open   []*callHold // calls that run
}

// acked is an acknowledgement, with the calls during which it came.
type acked struct {
	*deferral
	err    error
	within []*callHold
}

// callHold is a call of the handler. What was acknowledged while it ran is not
// finished before what it emitted is accepted: it may have been made of just
// those records.
type callHold struct{ over bool }

func newAcks() *acks { return &acks{ready: make(chan struct{}, 1)} }

// put takes an acknowledgement.
func (a *acks) put(d *deferral, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.came = append(a.came, acked{deferral: d, err: err, within: slices.Clone(a.open)})
		a.signal()
	}
}

func (a *acks) signal() {
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

// take is what has come and waits for no call any more.
func (a *acks) take() (came []acked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.came = slices.DeleteFunc(a.came, func(one acked) bool {
		if slices.ContainsFunc(one.within, func(h *callHold) bool { return !h.over }) {
			return false
		}
		came = append(came, one)
		return true
	})
	return came
}

// begin notes that a call of the handler begins, returned that it has returned,
// and settled that what it emitted is accepted, or dropped.
func (a *acks) begin(h *callHold) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = append(a.open, h)
}

func (a *acks) returned(h *callHold) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = slices.DeleteFunc(a.open, func(o *callHold) bool { return o == h })
}

func (a *acks) settled(h *callHold) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.over = true; len(a.came) > 0 {
		a.signal()
	}
}

// close drops what has come and what will.
func (a *acks) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed, a.came, a.open = true, nil, nil
}

// deferrals are the calls of a shard whose records are finished later, oldest
// first.
type deferrals struct {
	queue   []*deferral
	calls   int // of those in the queue that are not over
	records int // and their records
}

func (d *deferrals) add(one *deferral) {
	if len(d.queue) > 2*d.calls+64 { // most of it is over, behind one that is not
		d.queue = slices.DeleteFunc(d.queue, func(o *deferral) bool { return o.over })
	}
	d.queue = append(d.queue, one)
	d.calls++
	d.records += len(one.batch.Records)
}

func (d *deferrals) remove(one *deferral) {
	one.over = true
	d.calls--
	d.records -= len(one.batch.Records)
	for len(d.queue) > 0 && d.queue[0].over {
		d.queue[0] = nil
		d.queue = d.queue[1:]
	}
}

// oldest is since when the oldest waits, and false if there is none.
func (d *deferrals) oldest() (time.Time, bool) {
	if len(d.queue) == 0 {
		return time.Time{}, false
	}
	return d.queue[0].since, true
}

// putOff leaves what a call handled of a segment to the handler, until it
// acknowledges it.
func (l *lane) putOff(s batching.Segment, v batching.Verdict, ack *batching.Ack) {
	rejected := map[int]bool{}
	for _, r := range v.Rejected {
		rejected[r.Index] = true
	}
	d := &deferral{lane: l.number, attempts: s.Attempts + 1, since: time.Now(), batch: batching.Gathered{Behind: l.batch.Behind}}
	for i := range v.Handled {
		if !rejected[i] {
			d.batch.Records = append(d.batch.Records, l.batch.Records[s.From+i])
			d.batch.Tickets = append(d.batch.Tickets, l.batch.Tickets[s.From+i])
		}
	}
	if len(d.batch.Records) == 0 {
		return
	}
	l.settled <- settlement{deferred: d}
	acks := l.acks // and not the shard: an Ack may be kept for long
	ack.OnSettle(func(err error) { acks.put(d, err) })
}

// takeAcks finishes what was acknowledged. What is to be sent before that goes
// to the lane that the call was of.
func (l *shardLoop) takeAcks() {
	for _, a := range l.acks.take() {
		l.deferred.remove(a.deferral)
		if a.err != nil || l.cfg.OnSuccess != nil {
			lane := &l.lanes[a.lane]
			lane.late = append(lane.late, a)
			continue
		}
		l.settle(settlement{tickets: a.batch.Tickets, bytes: sizeOf(a.batch.Records)})
	}
}

// startLate sets a lane to work on what was acknowledged late, if it may.
func (l *shardLoop) startLate(i int) bool {
	one := &l.lanes[i]
	if one.busy || len(one.late) == 0 || !l.right.valid() || l.work.Err() != nil {
		return false
	}
	a := one.late[0]
	if again := l.again(a); again && l.reading.Err() != nil {
		return false // they are the next owner's
	} else if again {
		l.wakes.begins()
	}
	one.late = one.late[1:]
	l.launch(&lane{shardLoop: l, ctx: l.work, batch: a.batch, number: i, settled: l.settled, late: &a})
	return true
}

// again reports whether records that were given up are handled again, because
// there is nowhere for them to go.
func (l *shardLoop) again(a acked) bool { return a.err != nil && l.cfg.OnFailure == nil }

// finishLate sends what was acknowledged to where it goes and finishes it. Again
// says that there is nowhere, and that the records are to be handled again.
func (l *lane) finishLate() (again bool, err error) {
	a, n := l.late, len(l.batch.Records)
	switch {
	case a.err == nil:
		err = l.succeed(l.batch.Records, a.attempts)
	case l.again(*a):
		l.worker.note(l.shard, l.handler, a.err)
		if clock.Sleep(l.patience(), backoff(l.worker.dice, a.attempts, l.policy.MinBackoff, l.policy.MaxBackoff, "deferred", l.shard, l.head())) != nil {
			return false, errLaneOver
		}
		return true, nil
	default:
		err = l.giveUp(l.batch.Records, destination.Failure{
			Condition: destination.Rejected, Attempts: a.attempts, Err: a.err, Partial: true,
		})
	}
	if err == nil {
		l.finish(0, n)
	}
	return false, err
}

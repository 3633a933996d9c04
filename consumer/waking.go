package consumer

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// wakes is what a shard's loop knows of its handler's calls without records.
// Each is one try; what fails is tried again when notBefore has come, for
// whatever reason there is then.
type wakes struct {
	waker Waker // nil if the handler is none
	// calls is held by every call of the handler, and as a whole by one without
	// records: so that it is alone. Whoever asks first is served first, so that
	// it does not wait for ever. What a call emits is accepted before it lets go,
	// as otherwise records of one key could overtake each other.
	calls     *semaphore.Weighted
	running   bool
	fails     int       // in a row
	notBefore time.Time // of what failed
	spaced    time.Time // before it there is no WakeDue
	again     time.Time // and before it no WakePressure for a shard that stalls
	pressed   bool      // memory is short
	hold      *callHold // of the call that is under way, or failed
	// What was told since the last batch was begun.
	leaving, ended bool
}

// everyCall is what a call without records holds.
const everyCall = 1 << 40

// wakeSpacing is the least time between the end of a call without records and
// the next that is due, so that a handler which always wants to be woken at once
// does not keep a processor busy.
const wakeSpacing = 100 * time.Millisecond

// stallSpacing is how long a handler is left alone that was told to finish what
// it deferred.
const stallSpacing = time.Second

// woke is what a call without records came to.
type woke struct {
	reason batching.WakeReason
	err    error
	after  time.Duration // before the next try, if the handler said so
}

func newWakes(h Handler) wakes {
	w := wakes{calls: semaphore.NewWeighted(everyCall)}
	w.waker, _ = h.(Waker)
	return w
}

// wake calls the handler without records, if there is a reason to.
func (l *shardLoop) wake(now time.Time) {
	w := &l.wakes
	if w.waker == nil || w.running || now.Before(w.notBefore) || !l.right.valid() || l.work.Err() != nil {
		return
	}
	if l.worker.pace.closed(l.shard) || l.reading.Err() != nil && l.heldBack() {
		return
	}
	reason, ok := l.wakeReason(now)
	if !ok {
		if w.fails = 0; w.hold != nil { // what failed is not wanted any more
			l.acks.settled(w.hold)
			w.hold = nil
		}
		return
	}
	at, _ := l.tracker.Mark()
	call := &batching.Wake{
		Stream: l.branch.stream.ARN, Shard: l.shard, Handler: l.handler, Why: reason, Now: l.worker.serviceNow(), Behind: l.behind, ReadUpTo: l.readUpTo,
		Token: l.fence, Held: l.valid, Call: &batching.Call{},
	}
	if w.hold == nil {
		w.hold = &callHold{}
	}
	work := &lane{shardLoop: l, ctx: l.work, settled: l.settled, left: call.Call, patient: l.reading, hold: w.hold}
	if l.reading.Err() != nil {
		work.patient = l.work
	}
	w.running, w.pressed = true, false
	l.busy++
	go func() { // ends with the call or with the work context; awaited by run
		answer := work.wakeOnce(call, at)
		l.settled <- settlement{over: true, lane: wakeLane, woke: &answer}
	}()
}

// wakeLane stands for the lane of a call without records.
const wakeLane = -1

// wakeReason says what the handler is to be called for now, if anything.
func (l *shardLoop) wakeReason(now time.Time) (batching.WakeReason, bool) {
	w := &l.wakes
	idle := l.busy == 0
	switch {
	case l.ended && !w.ended && l.handled():
		return batching.WakeEnded, true
	case l.reading.Err() != nil:
		return batching.WakeLeaving, idle && !w.leaving && !w.ended
	case w.pressed || l.stalled(now) && !now.Before(w.again):
		return batching.WakePressure, true
	}
	at, ok := w.waker.WakeAt(l.shard)
	return batching.WakeDue, ok && !at.After(l.worker.serviceNow()) && !now.Before(w.spaced)
}

// handled reports whether the handler has had every record that was read.
func (l *shardLoop) handled() bool {
	return l.busy == 0 && l.tracker.Pending()+l.parking.deferred() == l.waiting()
}

// nextWakeAt is when a call without records can be due, by this host's clock.
func (l *shardLoop) nextWakeAt(now time.Time) (time.Time, bool) {
	w := &l.wakes
	if w.waker == nil || w.running || l.worker.pace.closed(l.shard) {
		return time.Time{}, false
	}
	if w.fails > 0 {
		return w.notBefore, true
	}
	at, ok := w.waker.WakeAt(l.shard)
	if at = at.Add(-time.Until(l.worker.serviceNow())); at.Before(w.spaced) {
		at = w.spaced
	}
	if l.stalled(now) && (!ok || w.again.Before(at)) {
		return w.again, true
	}
	return at, ok
}

// afterWake takes what a call without records came to.
func (l *shardLoop) afterWake(a woke) {
	w := &l.wakes
	now := time.Now()
	w.running = false
	if a.err != nil {
		if w.fails++; a.after <= 0 {
			a.after = backoff(l.worker.dice, w.fails, l.policy.MinBackoff, l.policy.MaxBackoff, "wake", l.shard)
		}
		w.notBefore = now.Add(a.after)
		w.pressed = w.pressed || a.reason == batching.WakePressure
		return
	}
	w.fails, w.notBefore, w.spaced, w.again = 0, time.Time{}, now.Add(wakeSpacing), now.Add(stallSpacing)
	l.acks.settled(w.hold)
	w.hold = nil
	switch a.reason {
	case batching.WakeLeaving:
		w.leaving = true
	case batching.WakeEnded:
		w.ended = true
	}
}

// begins notes that the handler is about to be called with records: what it was
// told at the end before is to be told again.
func (w *wakes) begins() { w.leaving, w.ended = false, false }

// leaves has the handler told at once that the shard is to be left.
func (w *wakes) leaves() { w.fails, w.notBefore = 0, time.Time{} }

// done reports whether nothing more is to be told at the end.
func (w *wakes) done() bool { return w.waker == nil || w.ended }

// toldLeaving reports whether a shard that is being left may go: the handler
// knows, or may not be called.
func (l *shardLoop) toldLeaving() bool {
	w := &l.wakes
	return w.waker == nil || w.leaving || w.ended || !l.right.valid() || l.heldBack()
}

// mayGo reports whether a shard that is being left need not wait for records
// that are finished later: there are none, or what would finish them may not be
// called.
func (l *shardLoop) mayGo() bool {
	return l.waiting() == 0 || l.wakes.waker != nil && !l.wakes.leaving && !l.wakes.ended && l.heldBack()
}

// retryWake fires when a call without records that failed may be made again. Where
// the session has run out it may not, and the work ends with that: by whoever waits
// for the heartbeat's answer, who may be seconds behind.
func (l *shardLoop) retryWake() <-chan time.Time {
	w := &l.wakes
	if w.waker == nil || w.running || w.fails == 0 || !l.right.valid() {
		return nil
	}
	return time.After(max(time.Until(w.notBefore), time.Millisecond)) // what holds it back may be something else
}

// waiting is how many records are finished later than their calls.
func (l *shardLoop) waiting() int { return l.deferred.records }

// stalled reports whether nothing can happen before records that were deferred
// are finished: no more is read, and no lane has anything to do.
func (l *shardLoop) stalled(now time.Time) bool {
	if l.waiting() == 0 || l.busy > 0 {
		return false
	}
	if l.full || l.cfg.Until.caughtUp && l.tipReached() {
		return l.handled()
	}
	for i := range l.lanes {
		if l.lanes[i].gather.Due(now) || len(l.lanes[i].late) > 0 {
			return false
		}
	}
	return l.tracker.Pending() >= l.cfg.MaximumInFlight
}

// enter waits until no call without records runs. Its caller may then call the
// handler with records, until exit.
func (l *lane) enter() error {
	if l.wakes.calls.Acquire(l.patience(), 1) != nil {
		return errLaneOver
	}
	l.inside = true
	return nil
}

func (l *lane) exit() {
	if l.inside {
		l.inside = false
		l.wakes.calls.Release(1)
	}
}

// wakeOnce makes one call without records, alone, and has accepted what it
// emits.
func (l *lane) wakeOnce(w *batching.Wake, at shard.Position) woke {
	answer := woke{reason: w.Why, err: errLaneOver}
	if l.wakes.calls.Acquire(l.patience(), everyCall) != nil {
		return answer
	}
	pass, err := l.admit(0)
	if err != nil {
		l.wakes.calls.Release(everyCall)
		return answer
	}
	started := time.Now()
	err, stuck := l.invoke(func(ctx context.Context) error { return l.wakes.waker.Wake(ctx, w) }, at)
	l.judgeWake(pass, err, stuck)
	if stuck {
		return answer // nothing more is to be called
	}
	defer l.wakes.calls.Release(everyCall)
	wrong := l.checkEmitted()
	believes := err == nil
	if wrong != nil {
		err = errors.Join(wrong, err)
	}
	fire(l.cfg.Hooks.Woken, WakeEvent{Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Reason: w.Why, Took: time.Since(started), Err: err})
	switch {
	case l.ctx.Err() != nil && context.Cause(l.ctx) == ErrLeaseLost:
		return answer // too late to be believed
	case wrong != nil && believes && l.keeping.handler != nil:
		answer.err = l.goAstray(wrong) // it believes that it has not failed
		return answer
	case err != nil:
		l.worker.note(l.shard, l.handler, err)
		answer.err = err
		if o := batching.Read(nil, err); o.Delayed {
			answer.after = o.After
		}
		return answer
	}
	emitted := w.Call.Emitted()
	batching.InOrder(emitted)
	if answer.err = l.publish(emitted); answer.err != nil {
		l.keeping.torn.Store(true)
	}
	return answer
}

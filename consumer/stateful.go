package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// Stateful is a Handler that keeps something in memory for each shard, such as
// sums and windows, and has it written in one transaction with the position: so
// that after a crash, a hand-over or a reshard it goes on with exactly what it
// had when the position was written, and what it counts is counted once.
//
// It needs Leases that keep states (checkpoint.States), such as
// dynamocheckpoint.Table, a ParallelizationFactor of 1, and no Unordered. A
// position is written only with its state, in a transaction that costs twice the
// capacity of a plain write; CheckpointInterval says how often.
//
// What a failed call has changed of the state must not stay, as its records come
// again: a handler takes it back, or changes its state only when it can fail no
// more. With FailFrom and Reject, what the records before have changed stays.
type Stateful interface {
	// Restore gives the state that a shard goes on with, before its first batch
	// and behind ShardStarted. It replaces whatever the handler still has for
	// the shard: it is called again when a shard is begun anew, because it was
	// lost and won back, or because somebody moved its position. The latter
	// comes without a state. An error keeps the shard from starting; it is tried
	// again.
	Restore(ctx context.Context, r batching.Restored) error
	// State is what is to be kept of a shard: all that was done for the records
	// that are finished, and nothing else. It is asked for while no call for the
	// shard runs, must be quick, and must not be changed afterwards. An error
	// leaves the position where it is; it is asked for again.
	State(shard string) ([]byte, error)
}

// states is the table of the handlers' states; nil if none keeps any.
func (w *worker) states() checkpoint.States {
	for _, p := range w.parts {
		if _, ok := p.cfg.Handler.(Stateful); ok {
			states, _ := w.cfg.Leases.(checkpoint.States)
			return states
		}
	}
	return nil
}

// dropStates deletes what was kept beside rows that are deleted. What fails is
// tried again by the next maintenance run of this worker.
func (f *fleet) dropStates(ctx context.Context) {
	states := f.states()
	if states == nil {
		f.audit.dropped = nil
		return
	}
	var left []string
	for _, key := range f.audit.dropped {
		f.turned()
		err := tableDo(ctx, f.worker, func(ctx context.Context) error { return states.DropStates(ctx, key) })
		if err != nil {
			f.log.Debug("drop the states of a deleted row", "key", key, "error", err)
			left = append(left, key)
		}
	}
	f.audit.dropped = left
}

// keeping is what a shard's loop knows of the state that its handler keeps. But
// for wanted, its fields belong to the loop.
type keeping struct {
	handler Stateful    // nil if it keeps none
	wanted  atomic.Bool // the lane is to ask for the state between two calls
	// torn: the handler has done something that is not finished, and will not be
	// here: what it emitted was not accepted, or a record that it rejected. Its
	// state belongs to no position any more.
	torn atomic.Bool
	// as is how far the handler was when its state was last taken: nothing
	// further may be written until it is taken again.
	as      checkpoint.Progress
	changed bool  // since then, by something else than a record
	upTo    int64 // the ticket of the furthest record that was finished
	takenAt time.Time
	fails   int // of State, in a row
	retryAt time.Time
}

// stateTaken is a handler's answer to State.
type stateTaken struct {
	state []byte
	err   error
}

// begin notes that the handler has been given the state of where it begins. That
// of its parents is written as its own, before they are forgotten.
func (k *keeping) begin(h Stateful, s start) {
	k.handler, k.as, k.changed, k.takenAt, k.upTo = h, s.from, s.inherited, time.Now(), -1
}

// writable is what may be written of a handler that is as far as p: with a
// state, no more than was true when it was taken.
func (k *keeping) writable(p checkpoint.Progress) checkpoint.Progress {
	if k.handler == nil {
		return p
	}
	if p.Position.Compare(k.as.Position) == 0 {
		k.as = p
	}
	return k.as
}

// finished notes records that are.
func (k *keeping) finished(tickets []int64) {
	for _, t := range tickets {
		k.upTo = max(k.upTo, t)
	}
}

// stateLags reports whether a state is to be taken before what has been done can
// be written.
func (l *shardLoop) stateLags() bool {
	if l.keeping.handler == nil {
		return false
	}
	at, _ := l.tracker.Mark()
	return l.keeping.changed || at.Compare(l.keeping.as.Position) != 0
}

// stateDue is when the state is to be taken next, if there is a reason to: as
// often as positions are written, and at once where nothing more will come.
func (l *shardLoop) stateDue() (time.Time, bool) {
	if !l.stateLags() || l.keeping.torn.Load() {
		return time.Time{}, false
	}
	at := l.keeping.takenAt.Add(l.cfg.CheckpointInterval)
	if l.ended && l.idle() && l.wakes.done() {
		at = time.Time{}
	}
	if at.Before(l.keeping.retryAt) {
		at = l.keeping.retryAt
	}
	return at, true
}

// wantState has the state taken if it is due: by the lane, when it is between
// two calls, or here, where there is no call.
func (l *shardLoop) wantState(now time.Time) {
	if at, due := l.stateDue(); due && !now.Before(at) {
		l.takeState()
	}
}

func (l *shardLoop) takeState() {
	if l.busy > 0 {
		l.keeping.wanted.Store(true)
		return
	}
	l.lanes[0].busy = true // it is the only one, and begins no batch meanwhile
	l.busy++
	work := &lane{shardLoop: l, ctx: l.work, settled: l.settled, patient: l.work}
	go func() { // ends with the answer, or soon after the work context; awaited by run
		work.tellState()
		l.settled <- settlement{over: true}
	}()
}

// lastState takes the state of a shard that is being left, and reports whether
// it does: once nothing runs any more, and not again if that fails.
func (l *shardLoop) lastState() bool {
	if !l.stateLags() || l.keeping.torn.Load() || l.keeping.fails > 0 || !l.tracker.FinishedBefore(l.keeping.upTo+1) || l.work.Err() != nil || !l.right.valid() {
		return false
	}
	l.takeState()
	return true
}

// tookState takes the answer, with the position that it belongs to.
func (l *shardLoop) tookState(t stateTaken) {
	k := &l.keeping
	k.wanted.Store(false)
	if k.torn.Load() {
		return
	}
	if t.err != nil {
		k.fails++
		k.retryAt = time.Now().Add(backoff(l.worker.dice, k.fails, l.policy.MinBackoff, l.policy.MaxBackoff, "state", l.shard))
		l.worker.note(l.shard, l.handler, fmt.Errorf("state of %s: %w", l.shard, t.err))
		return
	}
	if l.waiting() > 0 || !l.tracker.FinishedBefore(k.upTo+1) {
		// Something was done for a record behind one that is not finished, whose
		// key is paused or which is deferred: no position has this state.
		k.retryAt = time.Now().Add(l.cfg.CheckpointInterval)
		return
	}
	p := l.progress()
	l.kept(p)
	p.States = map[string][]byte{l.seat.handler: t.state}
	l.seat.say(p, l.tracker.Pending())
}

// kept notes that the state was taken at p.
func (l *shardLoop) kept(p checkpoint.Progress) {
	k := &l.keeping
	k.as, k.changed, k.takenAt, k.fails = p, false, time.Now(), 0
}

// tellState asks the handler for its state and tells the shard, if a state is
// wanted. It fails only if the lane is over.
func (l *lane) tellState() error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.exit()
	t, stuck := l.askState()
	if stuck {
		return errLaneOver
	}
	l.settled <- settlement{state: &t}
	return nil
}

// between is what a lane does before it makes a call: no call runs, and the
// shard knows of every record that is finished.
func (l *lane) between() error {
	if !l.keeping.wanted.Load() {
		return nil
	}
	return l.tellState()
}

// askState asks the handler for its state, in a goroutine of its own as every
// call is. One that does not return is left behind, and counts as running.
func (l *lane) askState() (t stateTaken, stuck bool) {
	l.running.Add(1)
	answer := make(chan stateTaken, 1)
	go func() { // ends when State returns; awaited below
		t := stateTaken{err: &batching.PanicError{Value: "runtime.Goexit was called"}}
		defer func() {
			if v := recover(); v != nil {
				t = stateTaken{err: &batching.PanicError{Value: v, Stack: debug.Stack()}}
			}
			l.running.Add(-1)
			answer <- t
		}()
		state, err := l.keeping.handler.State(l.shard)
		t = stateTaken{state: state, err: err}
	}()
	select {
	case t := <-answer:
		return t, false
	case <-l.ctx.Done():
	}
	started, warn := time.Now(), time.NewTimer(handlerGrace)
	defer warn.Stop()
	select {
	case t := <-answer:
		return t, false
	case <-warn.C:
	}
	fire(l.cfg.Hooks.HandlerStuck, HandlerStuckEvent{Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, For: time.Since(started)})
	l.worker.log.Error("handler does not tell its state after its context ended", "shard", l.shard, "cause", context.Cause(l.ctx))
	return stateTaken{}, true
}

// restore gives a handler the state that its shard goes on with, and tries again
// until it has taken it. Inherited reports whether it is that of the parents.
func (t *tenure) restore(name string, h Stateful) (inherited bool, err error) {
	for try := 1; ; try++ {
		r, err := t.restored(name)
		if err == nil {
			err = h.Restore(t.reading, r)
		}
		if err == nil {
			return len(r.Inherited) > 0, t.reading.Err()
		}
		t.worker.note(t.row.Shard, name, fmt.Errorf("restore %s: %w", t.row.Shard, err))
		if err := clock.Sleep(t.reading, backoff(t.worker.dice, try, 100*time.Millisecond, 10*time.Second, "restore", t.row.Key)); err != nil {
			return false, err
		}
	}
}

// restored reads the state that was written with the row's position or, where
// nothing has been done for the shard yet, those with which its parents ended.
func (t *tenure) restored(name string) (batching.Restored, error) {
	w := t.worker
	r := batching.Restored{Stream: t.branch.stream.ARN, Shard: t.row.Shard, Handler: name, Hashes: t.row.Hashes}
	states := w.states()
	stateOf := func(row shard.Lease) ([]byte, error) {
		return tableCall(t.reading, w, func(ctx context.Context) ([]byte, error) { return states.State(ctx, row, name) })
	}
	var err error
	if r.State, err = stateOf(t.row); err != nil || r.State != nil || progressOf(t.row, name).Position.IsRecord() {
		return r, err
	}
	prefix := strings.TrimSuffix(t.row.Key, t.row.Shard)
	for _, parent := range t.row.Parents {
		row, there, err := t.parentRow(prefix + parent)
		if err != nil {
			return r, err
		}
		if !there {
			continue // long done, and deleted with its state
		}
		state, err := stateOf(row)
		if err != nil {
			return r, err
		}
		if state != nil {
			if r.Inherited == nil {
				r.Inherited = map[string][]byte{}
			}
			r.Inherited[parent] = state
		}
	}
	return r, nil
}

// parentRow reads the row of a parent, if it is still there.
func (t *tenure) parentRow(key string) (row shard.Lease, there bool, err error) {
	row, err = tableCall(t.reading, t.worker, func(ctx context.Context) (shard.Lease, error) { return t.worker.cfg.Leases.Get(ctx, key) })
	if errors.Is(err, checkpoint.ErrNoLease) {
		return row, false, nil
	}
	return row, err == nil, err
}

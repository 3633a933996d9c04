package consumer

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// right is whether a tenure may act on its lease: dispatch, send, take effects.
// By towpath's own protocol the worker's session says so for all of its leases.
// Beside KCL the others know of no sessions: they judge by the counter of each
// lease, so that the lease has to have been renewed by itself, too, and is
// believed for as long as a session is from the sending of its last renewal.
type right struct {
	worker  *worker
	session *session     // under which the lease is held: the worker may have another by now
	each    bool         // the lease is renewed by itself
	sent    atomic.Int64 // when its last write that was answered was sent, on the worker's clock
	lapsed  atomic.Bool  // somebody has found that too long ago, and given up what he did
}

// never is when a write was sent that has not been.
const never = time.Duration(math.MinInt64 / 2)

func newRight(w *worker, sentAt time.Duration) *right {
	r := &right{worker: w, session: w.session, each: w.cfg.BesideKCL2}
	r.sent.Store(int64(sentAt))
	return r
}

// valid reports whether the tenure may act now. As with a session, a right that was
// found run out stays so, whatever is answered a moment later, until the shard is
// begun anew.
func (r *right) valid() bool {
	if !r.session.valid() {
		return false
	}
	if !r.each {
		return true
	}
	if r.ranOut() {
		r.lapsed.Store(true)
		return false
	}
	return true
}

// mayAct is what a handler is told when it asks whether the worker may still act on
// the shard. It may ask long after the go at the shard is over, if it ignores the end
// of its context: then the lease is lost, or another go has begun with it, whatever
// is the case with the session.
func (t *tenure) mayAct(work context.Context) func() bool {
	return func() bool {
		if t.life.Err() != nil || !t.right.valid() {
			return false
		}
		cause := context.Cause(work)
		return cause != ErrLeaseLost && cause != ErrMoved
	}
}

// ranOut reports whether the lease is not believed any more.
func (r *right) ranOut() bool { return r.lapsed.Load() || r.left() <= 0 }

// left is how long the lease is believed without another renewal.
func (r *right) left() time.Duration {
	return r.worker.timing.term().Until(time.Duration(r.sent.Load())) - r.worker.clock.Elapsed()
}

// due is how long until the lease is to be renewed.
func (r *right) due() time.Duration {
	return time.Duration(r.sent.Load()) + r.worker.timing.renew - r.worker.clock.Elapsed()
}

// renewed notes a write of the lease that was answered, by when it was sent.
func (r *right) renewed(sentAt time.Duration) {
	for {
		known := r.sent.Load()
		if int64(sentAt) <= known || r.sent.CompareAndSwap(known, int64(sentAt)) {
			return
		}
	}
}

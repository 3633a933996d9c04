// Package clock is the one clock of a worker: how much time has passed, with
// the time that the host was suspended counted in.
//
// Go's monotonic clock stands still while a Linux host sleeps, and a lease does
// not. A worker that wakes up must see that its lease is over before it hands
// out another record, so the difference between the boot-time clock and the
// monotonic clock is added to what time.Since says. Inside a testing/synctest
// bubble that difference does not move, and elapsed time is the bubble's.
//
// Tests that pause, slow or hurry one worker among several put a Clock of their
// own into the context that they run it with. It is not public: a library whose
// users must think about clocks has leaked one.
package clock

import (
	"context"
	"sync/atomic"
	"time"
)

// Clock measures durations on one host. It is never compared with the clock of
// another.
type Clock interface {
	// Elapsed is the time since some fixed moment. It never goes back.
	Elapsed() time.Duration
}

type contextKey struct{}

// With returns a context in which From finds c.
func With(ctx context.Context, c Clock) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From is the clock put into the context by With, or else the host's.
func From(ctx context.Context) Clock {
	if c, ok := ctx.Value(contextKey{}).(Clock); ok {
		return c
	}
	return newHost()
}

// leastSleep is the shortest suspension that is believed. The two host clocks
// are read one after the other, and a thread may be set aside between: what is
// shorter than this is taken for that, and changes no lease's fate.
const leastSleep = 50 * time.Millisecond

type host struct {
	start time.Time
	// atStart is how long the host had slept when the clock was made, and
	// asleep how long since; both in nanoseconds, and asleep only grows.
	atStart, asleep atomic.Int64
}

func newHost() *host {
	h := &host{start: time.Now()}
	h.atStart.Store(int64(suspended()))
	return h
}

// Elapsed is the time since the clock was made, suspension included.
func (h *host) Elapsed() time.Duration {
	slept, known := int64(suspended())-h.atStart.Load(), h.asleep.Load()
	if slept >= known+int64(leastSleep) && h.asleep.CompareAndSwap(known, slept) {
		known = slept
	}
	return time.Since(h.start) + time.Duration(known)
}

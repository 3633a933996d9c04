package consumer

import (
	"context"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
)

// Breaker stops calling the handler while what lies behind it is down. The zero
// value never does.
//
// When Failures batches in a row have failed in this process, no handler is
// started and reading stops. After each Cooldown one call is made; once one gets
// through, all go on. Waiting burns no attempts, leases are kept, and shards can
// be handed over.
type Breaker struct {
	// Failures is how many different batches must fail at their first call,
	// with no call that succeeds between them, for the breaker to open: default
	// 0, which is never. A record that always fails is one batch, however often
	// it is tried; so with 1, it opens the breaker. Too few, and a bad moment
	// stops every shard for a cooldown; too many, and that many batches run into
	// what is down. No more batches than the process has lanes fail at once.
	Failures int
	// Cooldown is how long no call is made, and the time between probes: default
	// 10 s. Too short burdens what is down; too long delays what waits.
	Cooldown time.Duration
	// Surroundings says which errors mean that what lies behind is down, such
	// as a refused connection. Those count, and burn no attempts; others do
	// neither. Nil counts every error and burns attempts as usual, so that a
	// limit on them gives records up while it is down, a probe at a time.
	Surroundings func(error) bool
}

// breaker is a batching.Breaker that all lanes of a process share. Those that
// wait for it are served in order, so that not the same batch is the probe each
// time.
type breaker struct {
	told func(state batching.BreakerState, err error)

	mu      sync.Mutex // guards what is below; never held while waiting
	rule    *batching.Breaker
	waiting []chan batching.BreakerPass
	timer   *time.Timer   // at the end of the cooldown, while somebody waits
	changed chan struct{} // closed when the state has changed
}

func newBreaker(b Breaker, told func(batching.BreakerState, error)) *breaker {
	return &breaker{rule: batching.NewBreaker(b.Failures, b.Cooldown), told: told, changed: make(chan struct{})}
}

// pass waits for leave to make a call.
func (b *breaker) pass(ctx context.Context) (batching.BreakerPass, error) {
	b.mu.Lock()
	if len(b.waiting) == 0 {
		before := b.rule.State()
		pass, ok, _ := b.rule.Try(time.Now())
		if ok {
			b.note(before, nil)
			return pass, nil
		}
	}
	mine := make(chan batching.BreakerPass, 1)
	b.waiting = append(b.waiting, mine)
	b.serve()
	select {
	case pass := <-mine:
		return pass, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	for i, other := range b.waiting {
		if other == mine {
			b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
			b.signal() // somebody else may be the next
			break
		}
	}
	b.mu.Unlock()
	select {
	case pass := <-mine: // granted at the same moment
		b.report(pass, batching.BreakerUnused, nil)
	default:
	}
	return batching.BreakerPass{}, ctx.Err()
}

// report takes the answer of a call. Err is what it failed with.
func (b *breaker) report(pass batching.BreakerPass, answer batching.BreakerAnswer, err error) {
	b.mu.Lock()
	before := b.rule.State()
	b.rule.Report(pass, answer, time.Now())
	b.note(before, err)
	b.mu.Lock()
	b.serve()
}

// current reports whether a pass still holds.
func (b *breaker) current(pass batching.BreakerPass) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rule.Current(pass)
}

func (b *breaker) state() batching.BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rule.State()
}

// ready waits until a call could be made by somebody who does not wait for leave
// yet, without asking for it.
func (b *breaker) ready(ctx context.Context) error {
	for {
		b.mu.Lock()
		ok, wait := b.rule.Ready(time.Now())
		if len(b.waiting) > 0 {
			ok, wait = b.rule.State() == batching.BreakerClosed, 0
		}
		changed := b.changed
		b.mu.Unlock()
		if ok {
			return ctx.Err()
		}
		var over <-chan time.Time
		timer := time.NewTimer(wait)
		if wait > 0 {
			over = timer.C
		}
		select {
		case <-over:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// serve gives leave to those that wait, in order, and comes again when it is
// worth it. The caller holds mu, and serve lets it go.
func (b *breaker) serve() {
	before := b.rule.State()
	for len(b.waiting) > 0 {
		pass, ok, wait := b.rule.Try(time.Now())
		if !ok {
			if wait > 0 {
				b.wake(wait)
			}
			break
		}
		b.waiting[0] <- pass // has room for it
		b.waiting = b.waiting[1:]
	}
	b.note(before, nil)
}

// wake has serve called when the cooldown is over. One timer is enough: what it
// finds, it acts on.
func (b *breaker) wake(wait time.Duration) {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.timer = time.AfterFunc(wait, func() {
		b.mu.Lock()
		b.serve()
	})
}

// stop ends the timer: nobody waits any more.
func (b *breaker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
}

// note lets mu go, and tells of the state if it is not what it was before.
func (b *breaker) note(before batching.BreakerState, err error) {
	now := b.rule.State()
	if now != before {
		b.signal()
	}
	b.mu.Unlock()
	if now != before && b.told != nil {
		b.told(now, err)
	}
}

// signal wakes those that wait for a change. The caller holds mu.
func (b *breaker) signal() {
	close(b.changed)
	b.changed = make(chan struct{})
}

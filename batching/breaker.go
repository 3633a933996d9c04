package batching

import "time"

// Breaker decides whether a handler may be called while what lies behind it is
// down. It is closed at first: calls are made. When so many batches in a row
// have failed that it opens, none is until the cooldown is over, and then one, a
// probe; what that says closes it or opens it anew.
//
//	         Failures batches in a row failed
//	closed ─────────────────────────────────► open ◄──┐
//	   ▲                                        │     │ the probe failed
//	   │               the cooldown is over     ▼     │
//	   └──────────── the probe did not fail ── probing┘
//
// A Breaker is used by one goroutine at a time and has no clock.
type Breaker struct {
	failures int
	cooldown time.Duration

	state BreakerState
	epoch int // grows with every change of state
	count int // batches in a row that have failed
	until time.Time
}

// BreakerState is what a Breaker lets through.
type BreakerState int

const (
	// BreakerClosed: calls are made.
	BreakerClosed BreakerState = iota
	// BreakerOpen: no call is made before the cooldown is over.
	BreakerOpen
	// BreakerProbing: one call is made, and no other before it has answered.
	BreakerProbing
)

// String is a word.
func (s BreakerState) String() string {
	switch s {
	case BreakerClosed:
		return "closed"
	case BreakerOpen:
		return "open"
	case BreakerProbing:
		return "probing"
	}
	return "unknown"
}

// BreakerAnswer is what a call says of what lies behind it.
type BreakerAnswer int

const (
	// BreakerUp: it is up.
	BreakerUp BreakerAnswer = iota
	// BreakerDown: it may be down.
	BreakerDown
	// BreakerUnrelated: the call failed for a reason of its own. That is no sign
	// of anything, but a probe that got so far has got through.
	BreakerUnrelated
	// BreakerUnknown: the call ended without an answer, such as by a stop.
	BreakerUnknown
	// BreakerUnused: the call was not made after all.
	BreakerUnused
)

// BreakerPass is the leave to make one call. What comes of it is told to Report,
// once.
type BreakerPass struct {
	epoch int
	probe bool
}

// NewBreaker is a closed breaker that opens when so many batches in a row have
// failed; with none it never does.
func NewBreaker(failures int, cooldown time.Duration) *Breaker {
	return &Breaker{failures: failures, cooldown: cooldown}
}

// State is what it lets through.
func (b *Breaker) State() BreakerState { return b.state }

// Try asks for leave to make a call. Without it, wait is how long until it is
// worth asking again; 0 is not before something was reported.
func (b *Breaker) Try(now time.Time) (pass BreakerPass, ok bool, wait time.Duration) {
	switch {
	case b.state == BreakerProbing:
		return BreakerPass{}, false, 0
	case b.state == BreakerOpen && now.Before(b.until):
		return BreakerPass{}, false, b.until.Sub(now)
	case b.state == BreakerOpen:
		b.become(BreakerProbing)
		return BreakerPass{epoch: b.epoch, probe: true}, true, 0
	}
	return BreakerPass{epoch: b.epoch}, true, 0
}

// Ready reports whether Try would be given leave, without asking for it.
func (b *Breaker) Ready(now time.Time) (ok bool, wait time.Duration) {
	if b.state != BreakerOpen {
		return b.state == BreakerClosed, 0
	}
	wait = max(0, b.until.Sub(now))
	return wait == 0, wait
}

// Current reports whether a pass still holds: nothing has changed since.
func (b *Breaker) Current(p BreakerPass) bool { return p.epoch == b.epoch }

// Report takes the answer of a call, and reports whether the state has changed.
// Of one batch, the first call that fails is told of and no other, unless it is
// a probe's. What is said of calls that began before the last change does not
// count.
func (b *Breaker) Report(p BreakerPass, a BreakerAnswer, now time.Time) (changed bool) {
	if !b.Current(p) {
		return false
	}
	if p.probe {
		switch a {
		case BreakerUp, BreakerUnrelated:
			b.count = 0
			b.become(BreakerClosed)
		case BreakerDown, BreakerUnknown:
			b.open(now.Add(b.cooldown))
		case BreakerUnused:
			b.open(now)
		}
		return true
	}
	switch a {
	case BreakerUp:
		b.count = 0
	case BreakerDown:
		if b.count++; b.failures > 0 && b.count >= b.failures {
			b.open(now.Add(b.cooldown))
			return true
		}
	}
	return false
}

// Probe reports whether the call that the pass is for is a probe.
func (p BreakerPass) Probe() bool { return p.probe }

func (b *Breaker) open(until time.Time) {
	b.until = until
	b.become(BreakerOpen)
}

func (b *Breaker) become(s BreakerState) {
	b.state = s
	b.epoch++
}

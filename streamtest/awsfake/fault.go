package awsfake

import (
	"context"
	"sync"
	"time"
)

// Fault says what goes wrong with one call. The zero value is nothing.
type Fault struct {
	before, after time.Duration
	code          string
	status        int
	lost          bool
	answerLost    bool
	hang          bool

	late          time.Duration // how much later it is applied; 0 is not
	rewrite       func(answer []byte) []byte
	garbled, torn bool
	part          float64 // where, as a part of the body's length
}

// Fail refuses a call with an error of the service before it is applied, for
// example Fail("ProvisionedThroughputExceededException", 400). Whether the
// client tries again is for its retryer to judge, by code and status.
func Fail(code string, status int) Fault { return Fault{code: code, status: status} }

// Lose loses a call on its way to the service: it is not applied, and the
// caller sees a broken connection.
func Lose() Fault { return Fault{lost: true} }

// LoseAnswer applies a call and loses the answer: the caller sees a broken
// connection and cannot know.
func LoseAnswer() Fault { return Fault{answerLost: true} }

// Delay holds a call for d before it is applied.
func Delay(d time.Duration) Fault { return Fault{before: d} }

// DelayAnswer holds the answer for d after the call was applied. If the
// caller's context ends meanwhile, it never sees it.
func DelayAnswer(d time.Duration) Fault { return Fault{after: d} }

// Hang holds a call until its context ends. It is never applied.
func Hang() Fault { return Fault{hang: true} }

// And combines two faults. Delays add up; of two codes and of two functions the
// first is kept; what prevents the call (Hang, then Lose, then Fail, then
// ApplyLate) wins over what follows it.
func (f Fault) And(g Fault) Fault {
	f.before += g.before
	f.after += g.after
	if f.code == "" {
		f.code, f.status = g.code, g.status
	}
	f.lost = f.lost || g.lost
	f.answerLost = f.answerLost || g.answerLost
	f.hang = f.hang || g.hang
	f.late = max(f.late, g.late)
	f.garbled, f.torn, f.part = f.garbled || g.garbled, f.torn || g.torn, max(f.part, g.part)
	if f.rewrite == nil {
		f.rewrite = g.rewrite
	}
	return f
}

// Intercept has f asked about every call from now on, until remove is called.
// Several may be set: their faults are combined, the first set first. f runs in
// the goroutine of the call and may itself wait, as long as it heeds ctx.
//
// f is asked about each event of an open SubscribeToShard too, as a call of the
// operation SubscribeToShardEvent with the body of the request. Delays hold the
// event and those behind it; Hang makes the connection go silent for good; any
// other fault breaks it, since there is no answer left to put a code in.
func (a *AWS) Intercept(f func(ctx context.Context, c Call) Fault) (remove func()) {
	return a.interceptors.add(f)
}

// choose asks every interceptor about a call.
func (a *AWS) choose(ctx context.Context, c Call) Fault {
	var fault Fault
	for _, f := range a.interceptors.now() {
		fault = fault.And((*f)(ctx, c))
	}
	return fault
}

// Cut breaks every connection of a caller to a service until heal is called:
// calls fail at once and are not applied, open streams of events break at once.
// An empty caller or service means all.
func (a *AWS) Cut(caller, service string) (heal func()) {
	remove := a.Intercept(func(_ context.Context, c Call) Fault {
		if c.is(caller, service) && !c.event() {
			return Lose()
		}
		return Fault{}
	})
	healLines := a.lines.sever(&severance{caller: caller, service: service})
	return func() {
		remove()
		healLines()
	}
}

// Blackhole swallows every call of a caller to a service until heal is called,
// as a network does that drops packets: a call waits for its context, and those
// still waiting when the network heals find their connection broken. None is
// applied. Open streams of events go silent, without an error and without an
// end, until it heals; then they too are broken. An empty caller or service
// means all.
func (a *AWS) Blackhole(caller, service string) (heal func()) {
	healed := make(chan struct{})
	remove := a.Intercept(func(ctx context.Context, c Call) Fault {
		if !c.is(caller, service) || c.event() {
			return Fault{}
		}
		select {
		case <-healed:
		case <-ctx.Done():
		}
		return Lose()
	})
	healLines := a.lines.sever(&severance{caller: caller, service: service, silent: true})
	return sync.OnceFunc(func() {
		remove()
		close(healed)
		healLines()
	})
}

// is reports whether a call is of a caller and to a service, where empty is any.
func (c Call) is(caller, service string) bool {
	return (caller == "" || caller == c.Caller) && (service == "" || service == c.Service)
}

// event reports whether a call is an event of an answer under way.
func (c Call) event() bool { return c.Operation == eventOperation }

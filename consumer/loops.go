package consumer

import (
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/internal/clock"
)

// Loops are when the loops that keep a worker alive last turned, whatever came of
// it. Each turns by itself every few seconds at most, also while no service
// answers, as every call has a time-out: one that stands still for minutes will
// not turn again. By that, and not by what the worker achieves, a supervisor knows
// whether to start the process again.
type Loops struct {
	// Begun is when Run began; zero if the consumer does not run.
	Begun time.Time
	// Every is how often a sign of life is given: a tenth of Config.LeaseDuration.
	// None of the loops waits for much longer than that by itself.
	Every time.Duration
	// Heartbeat is when a sign of life was last tried to be given, and Answered
	// when one last was; zero if never.
	Heartbeat, Answered time.Time
	// Mailbox is when the worker last looked into its own inbox.
	Mailbox time.Time
	// Fleet is when the loop that takes shards and lets them go last turned, or
	// came one step further in its turn. It does not turn while Status.Stopping.
	Fleet time.Time
}

// loops are Loops as the loops write them, on the worker's clock: a wall clock
// may be set. Zero is never, as begun is never zero.
type loops struct {
	begun, heartbeat, answered, mailbox, fleet atomic.Int64
}

func (l *loops) begin(c clock.Clock) {
	turned(&l.begun, c)
	l.alone(c)
}

// alone notes that the one loop is at work that there is before a session: what
// starts, and what registers.
func (l *loops) alone(c clock.Clock) {
	for _, at := range []*atomic.Int64{&l.heartbeat, &l.mailbox, &l.fleet} {
		turned(at, c)
	}
}

// turned notes that a loop is at work.
func turned(at *atomic.Int64, c clock.Clock) { at.Store(max(1, int64(c.Elapsed()))) }

func (l *loops) snapshot(c clock.Clock, every time.Duration) Loops {
	now, elapsed := time.Now(), int64(c.Elapsed())
	when := func(at *atomic.Int64) time.Time {
		if at.Load() == 0 {
			return time.Time{}
		}
		return now.Add(-time.Duration(elapsed - at.Load()))
	}
	return Loops{
		Every: every, Begun: when(&l.begun), Heartbeat: when(&l.heartbeat), Answered: when(&l.answered), Mailbox: when(&l.mailbox), Fleet: when(&l.fleet),
	}
}

// turned notes that the fleet's loop is at work.
func (f *fleet) turned() { turned(&f.loops.fleet, f.clock) }

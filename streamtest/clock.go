package streamtest

import (
	"time"

	"github.com/towpath/towpath/consumer"
)

// Clock is how the clock of a worker's host goes wrong. The zero value is a
// right one. Only what the worker measures goes by it: its timers fire in the
// bubble's time.
type Clock struct {
	// Rate is how fast it goes: 0.9 loses six seconds a minute. 0 is 1.
	Rate float64
	// Ahead is what it stands at when the worker starts. Hosts measure from when
	// they were booted, so no two agree.
	Ahead time.Duration
}

// reads is what the clock shows when so much time has passed.
func (c Clock) reads(passed time.Duration) time.Duration {
	if c.Rate != 0 && c.Rate != 1 {
		passed = time.Duration(float64(passed) * c.Rate)
	}
	return c.Ahead + passed
}

// StartOn is Start for a worker on a host with that clock.
func (r *Rig) StartOn(c Clock, name string, change ...func(*consumer.Config)) *Worker {
	r.t.Helper()
	return r.start(c, name, change)
}

// gatedClock is the bubble's time as a host's clock has it, for a worker that
// can be paused: whoever reads it while it is, waits, and then finds how late it
// is.
type gatedClock struct {
	Clock
	gate  *gate
	start time.Time
}

// Elapsed is what the host's clock shows.
func (c *gatedClock) Elapsed() time.Duration {
	c.gate.pass()
	return c.reads(time.Since(c.start))
}

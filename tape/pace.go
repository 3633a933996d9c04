package tape

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// Pace says when each event is put. The zero value is the pace at which they
// arrived.
type Pace struct {
	// Speed is the multiple of that; 0 is 1.
	Speed float64
	// Unpaced puts each event as soon as the one before it can be left, whatever its
	// arrival.
	Unpaced bool
	// Rate is how many events are put a second at most; 0 is no bound.
	Rate float64
}

func (p Pace) validate() error {
	var problems []error
	if p.Speed < 0 || math.IsNaN(p.Speed) || math.IsInf(p.Speed, 0) {
		problems = append(problems, fmt.Errorf("Speed is %v, want more than 0", p.Speed))
	}
	if p.Rate < 0 || math.IsNaN(p.Rate) || math.IsInf(p.Rate, 0) {
		problems = append(problems, fmt.Errorf("Rate is %v, want 0 or more", p.Rate))
	}
	return errors.Join(problems...)
}

// scaled is how long a time takes at that speed.
func (p Pace) scaled(d time.Duration) time.Duration {
	if p.Speed > 0 {
		return time.Duration(min(float64(d)/p.Speed, math.MaxInt64/2))
	}
	return d
}

// schedule turns arrivals into times at which to put, all measured from the first
// event. It is a value: each event gives the next one.
type schedule struct {
	pace  Pace
	first time.Time // the first arrival that is known
	last  time.Duration
	any   bool
}

// next is when an event is to be put, and the schedule behind it. An event that
// arrived before the one in front of it, or of which that is not known, follows at
// once.
func (s schedule) next(arrived time.Time) (time.Duration, schedule) {
	due := s.last
	if s.any && s.pace.Rate > 0 {
		due += time.Duration(float64(time.Second) / s.pace.Rate)
	}
	if !s.pace.Unpaced && !arrived.IsZero() {
		if s.first.IsZero() {
			s.first = arrived.Add(-time.Duration(float64(due) * cmp.Or(s.pace.Speed, 1)))
		}
		due = max(due, s.pace.scaled(arrived.Sub(s.first)))
	}
	s.last, s.any = due, true
	return due, s
}

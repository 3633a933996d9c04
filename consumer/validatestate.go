package consumer

import (
	"fmt"

	"github.com/towpath/towpath/checkpoint"
)

// validatePositions says what positions of the handler's own cannot have beside
// them: one of them stands behind all records before it.
func (c Config) validatePositions() (problems []error) {
	if c.Positions == nil {
		return nil
	}
	const why = "a position in the handler's own store is behind all records before it"
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.ParallelizationFactor > 1, "ParallelizationFactor is %d and Positions is set: want 1, as %s, and lanes finish in any order", c.ParallelizationFactor, why)
	add(c.Unordered, "Unordered and Positions contradict each other: %s", why)
	add(c.SetAside.On(), "SetAside and Positions contradict each other: %s, those of a key that waits among them", why)
	add(c.KeyLimit.On(), "KeyLimit and Positions contradict each other: %s, those of a key that waits among them", why)
	add(c.Park.on(), "Park and Positions contradict each other: %s, those of a key that is parked among them", why)
	return problems
}

// validateState says what a handler that keeps state cannot have beside it.
func (c Config) validateState() (problems []error) {
	_, ok := c.Handler.(Stateful)
	why := "the Handler is Stateful"
	if c.TumblingWindow != 0 {
		ok, why = true, "TumblingWindow is set"
	}
	if !ok {
		return nil
	}
	add := func(bad bool, problem, because string) {
		if bad {
			problems = append(problems, fmt.Errorf("%s, and %s: %s", problem, why, because))
		}
	}
	_, keeps := c.Leases.(checkpoint.States)
	add(c.Leases != nil && !keeps, "Leases keeps no states (checkpoint.States)", "its state is written in one transaction with the position")
	add(c.ParallelizationFactor > 1, fmt.Sprintf("ParallelizationFactor is %d", c.ParallelizationFactor), "want 1, as a state is that of all records before a position")
	add(c.Unordered, "Unordered is set", "a state is that of all records before a position")
	add(c.SetAside.On(), "SetAside has delays", "a state is that of all records before a position, those of a key that waits among them")
	add(c.KeyLimit.On(), "KeyLimit is set", "a state is that of all records before a position, those of a key that waits among them")
	add(c.Park.on(), "Park is set", "a state is that of all records before a position, those of a key that is parked among them")
	add(c.Positions != nil, "Positions is set", "its state belongs to the position in the lease row, and Positions goes on from another")
	return problems
}

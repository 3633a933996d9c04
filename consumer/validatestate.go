package consumer

import (
	"errors"
	"fmt"

	"github.com/towpath/towpath/checkpoint"
)

// validateState says what a handler that keeps state cannot have beside it.
func (c Config) validateState() (problems []error) {
	if _, ok := c.Handler.(Stateful); !ok {
		return nil
	}
	add := func(bad bool, problem error) {
		if bad {
			problems = append(problems, problem)
		}
	}
	_, keeps := c.Leases.(checkpoint.States)
	add(c.Leases != nil && !keeps, errors.New("Leases keeps no states (checkpoint.States), and the Handler is Stateful: its state is written in one transaction with the position"))
	add(c.ParallelizationFactor > 1, fmt.Errorf("ParallelizationFactor is %d, and the Handler is Stateful: want 1, as a state is that of all records before a position", c.ParallelizationFactor))
	add(c.Unordered, errors.New("Unordered is set, and the Handler is Stateful: a state is that of all records before a position"))
	add(c.SetAside.On(), errors.New("SetAside has delays, and the Handler is Stateful: a state is that of all records before a position, those of a key that waits among them"))
	add(c.KeyLimit.On(), errors.New("KeyLimit is set, and the Handler is Stateful: a state is that of all records before a position, those of a key that waits among them"))
	add(c.Park.on(), errors.New("Park is set, and the Handler is Stateful: a state is that of all records before a position, those of a key that is parked among them"))
	add(c.Positions != nil, errors.New("Positions is set, and the Handler is Stateful: its state belongs to the position in the lease row, and Positions goes on from another"))
	return problems
}

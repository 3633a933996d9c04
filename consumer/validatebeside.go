package consumer

import (
	"fmt"

	"github.com/towpath/towpath/checkpoint"
)

// validateBeside says what cannot be had beside workers of KCL 2.x, which move a
// position and know nothing of what towpath keeps beside it.
func (c Config) validateBeside() (problems []error) {
	if !c.BesideKCL2 {
		return nil
	}
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("BesideKCL2 is set, and "+format, args...))
		}
	}
	const moves = "a worker of KCL moves the position of a shard without it: "
	add(len(c.Handlers) > 0, "so are Handlers: "+moves+"set one Handler, and an application for each other")
	add(c.Park.on(), "so is Park: a worker of KCL would handle a key's records before those that are parked: clear Park")
	add(c.Positions != nil, "so is Positions: "+moves+"clear one of the two")
	add(c.TumblingWindow != 0, "so is TumblingWindow, which keeps a state: "+moves+"clear one of the two")
	_, stateful := c.Handler.(Stateful)
	add(stateful && c.TumblingWindow == 0, "the Handler is Stateful: "+moves+"begin to keep state when the last worker of KCL is gone")
	if c.Leases != nil {
		_, renews := c.Leases.(checkpoint.Renewer)
		add(!renews, "Leases is a %T, which cannot renew a lease by itself: use a checkpoint.Renewer, such as dynamocheckpoint.Open", c.Leases)
	}
	return problems
}

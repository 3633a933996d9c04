package consumer

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
)

// validateKeys reports what is wrong with the settings of keys that wait.
func (c Config) validateKeys() (problems []error) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.SetAside.After < 0 || c.SetAside.After > 10_000, "SetAside.After is %d, want 0 to 10000", c.SetAside.After)
	add(c.SetAside.After != 0 && !c.SetAside.On(), "SetAside.After is %d but SetAside.Delays has none, so that no key is ever set aside: name how long it waits", c.SetAside.After)
	for i, d := range c.SetAside.Delays {
		add(d <= 0 || d > 24*time.Hour, "SetAside.Delays[%d] is %v, want above 0 to 24h", i, d)
	}
	rate := c.KeyLimit.RecordsPerSecond
	add(!(rate >= 0 && rate <= 1e9), "KeyLimit.RecordsPerSecond is %v, want 0 to 1e9", rate)
	add(c.KeyLimit.Burst < 0, "KeyLimit.Burst is %d, want 0 or more", c.KeyLimit.Burst)
	add(c.KeyLimit.Burst > 0 && rate == 0, "KeyLimit.Burst is %d but KeyLimit.RecordsPerSecond is 0, which is no limit", c.KeyLimit.Burst)
	add(c.Unordered && c.KeyLimit.On(), "Unordered and KeyLimit contradict each other: without order there are no keys")
	return append(problems, c.validatePark()...)
}

// validatePark reports what is wrong with the settings of keys that are parked.
func (c Config) validatePark() (problems []error) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	p := c.Park
	add(p.Keys < 0 || p.Keys > 10_000, "Park.Keys is %d, want 0 to 10000", p.Keys)
	if p == (Park{}) {
		return problems
	}
	add(p.Keys == 0, "Park is set but Park.Keys is 0, so that no key is ever parked: say how many may be")
	add(p.Records < 1, "Park.Records is %d, want 1 or more", p.Records)
	add(p.Bytes < 1, "Park.Bytes is %d, want 1 or more", p.Bytes)
	add(p.Backlog < 1 || p.Backlog >= c.MaximumInFlight, "Park.Backlog is %d, want 1 to below MaximumInFlight, %d: reading stops there before anything is parked", p.Backlog, c.MaximumInFlight)
	add(p.RetryEvery < 0 || p.RetryEvery > 30*24*time.Hour, "Park.RetryEvery is %v, want above 0 to 720h", p.RetryEvery)
	add(!c.SetAside.On() && !c.KeyLimit.On(), "Park is set without SetAside and KeyLimit, so that no key is ever parked: set one of them")
	add(c.Unordered, "Unordered and Park contradict each other: without order there are no keys")
	if _, ok := c.Leases.(checkpoint.Parking); !ok && c.Leases != nil {
		problems = append(problems, fmt.Errorf("Park is set but Leases, a %T, is no checkpoint.Parking: it has no place for what is parked", c.Leases))
	}
	return problems
}

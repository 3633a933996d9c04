package consumer

import (
	"fmt"
	"time"
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
	return problems
}

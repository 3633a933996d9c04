package consumer

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// validate reports every problem of a config at once.
func (c Config) validate() error {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.Source == nil, "Source is missing: set it to a stream, such as kinesisshards.Open")
	add(c.Leases == nil, "Leases is missing: set it to a lease table, such as dynamocheckpoint.Open")
	// What the drivers can tell without a call, they tell now.
	checks := func(field string, part any) {
		problems = append(problems, validatePart(field, part)...)
	}
	checks("Source", c.Source)
	if err := validName(c.Name); err != nil {
		problems = append(problems, err)
	}
	if _, err := c.compileFilters(); err != nil {
		problems = append(problems, problemsOf("Filters", err)...)
	}
	problems = append(problems, c.validateHandlers()...)
	between := func(field string, v, low, high int) {
		add(v < low || v > high, "%s is %d, want %d to %d", field, v, low, high)
	}
	between("MaximumConcurrency", c.MaximumConcurrency, 0, 1<<20)
	between("MaximumLeases", c.MaximumLeases, 0, 1<<20)
	lasting := func(field string, v, low, high time.Duration) {
		add(v < low || v > high, "%s is %v, want %v to %v", field, v, low, high)
	}
	lasting("LeaseDuration", c.LeaseDuration, 3*time.Second, time.Hour)
	lasting("CheckpointInterval", c.CheckpointInterval, time.Millisecond, time.Hour)
	lasting("DrainTimeout", c.DrainTimeout, time.Millisecond, time.Hour)
	lasting("StallTimeout", c.StallTimeout, 10*time.Second, 24*time.Hour)
	between("Breaker.Failures", c.Breaker.Failures, 0, 10_000)
	add(c.Breaker.Surroundings != nil && c.Breaker.Failures == 0, "Breaker.Surroundings is set but Breaker.Failures is 0, so that the breaker would never open: set Failures")
	lasting("MinimumBackoff", c.MinimumBackoff, 0, time.Hour)
	lasting("MaximumBackoff", c.MaximumBackoff, 0, time.Hour)
	add(c.MinimumBackoff > c.MaximumBackoff, "MinimumBackoff %v is over MaximumBackoff %v", c.MinimumBackoff, c.MaximumBackoff)
	add(c.MemoryBudget < leastMemoryBudget, "MemoryBudget is %d bytes, want at least %d: one read can bring 10 MiB of payload", c.MemoryBudget, leastMemoryBudget)
	problems = append(problems, c.validateParts()...)
	problems = append(problems, c.validateBeside()...)
	problems = append(problems, c.validateKeys()...)
	add(c.OnLoss != ContinueOnLoss && c.OnLoss != StopOnLoss, "OnLoss is %d, want ContinueOnLoss or StopOnLoss", c.OnLoss)
	if err := c.StartingPosition.Validate(); err != nil {
		problems = append(problems, fmt.Errorf("StartingPosition: %w", err))
	}
	add(c.StartingPosition.IsRecord() || c.StartingPosition.IsEnd(), "StartingPosition is %s: it holds for every shard, so want TrimHorizon, Latest or AtTime", c.StartingPosition)
	if err := validPrefix(c.WorkerPrefix); err != nil {
		problems = append(problems, err)
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("consumer config: %w", errors.Join(problems...))
}

// nameRunes is what the names of applications and handlers are made of.
const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

func validName(name string) error {
	if name == "" {
		return errors.New("Name is empty: name the application, such as clickstream")
	}
	if len(name) > 128 {
		return fmt.Errorf("Name has %d characters, want at most 128", len(name))
	}
	for _, r := range name {
		if !strings.ContainsRune(nameRunes, r) {
			return fmt.Errorf("Name %q holds %q, want letters, digits, '.', '_' and '-'", name, r)
		}
	}
	return nil
}

func validPrefix(prefix string) error {
	switch {
	case prefix == "":
		return nil
	case len(prefix) > 128:
		return fmt.Errorf("WorkerPrefix has %d bytes, want at most 128", len(prefix))
	case !utf8.ValidString(prefix):
		return fmt.Errorf("WorkerPrefix %q is not valid UTF-8", prefix)
	}
	for _, r := range prefix {
		if r <= ' ' || r == '/' || r == 0x7f {
			return fmt.Errorf("WorkerPrefix %q holds %q, want printable characters without spaces and '/'", prefix, r)
		}
	}
	return nil
}

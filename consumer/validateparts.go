package consumer

import (
	"fmt"
	"reflect"
	"time"
)

// absent reports whether a part was forgotten: it is nil, or a pointer or a
// function that is nil within its interface, which would panic when it is first
// used.
func absent(part any) bool {
	if part == nil {
		return true
	}
	v := reflect.ValueOf(part)
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}

// validatePart is what a part can tell without a call is wrong with it. One that
// is not set has nothing wrong with it here.
func validatePart(field string, part any) []error {
	if part == nil {
		return nil
	}
	if absent(part) {
		return []error{fmt.Errorf("%s is a %T that is nil, want one that was made", field, part)}
	}
	if v, ok := part.(interface{ Validate() error }); ok {
		return problemsOf(field, v.Validate())
	}
	return nil
}

// problemsOf puts the field before each of the problems that err joins.
func problemsOf(field string, err error) (problems []error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			problems = append(problems, problemsOf(field, one)...)
		}
		return problems
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("%s: %w", field, err))
	}
	return problems
}

// validateParts says what the parts that are neither stream nor handler nor
// destination tell about themselves, and what is wrong with the bounds of a run.
func (c Config) validateParts() (problems []error) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	problems = append(problems, validatePart("Leases", c.Leases)...)
	problems = append(problems, validatePart("Positions", c.Positions)...)
	// A NaN is neither below nor above anything.
	add(!(c.RecordsPerSecond >= 0 && c.RecordsPerSecond <= 1e9), "RecordsPerSecond is %v, want 0 to 1e9", c.RecordsPerSecond)
	add(c.Breaker.Failures == 0 && c.Breaker.Cooldown != 0, "Breaker.Cooldown is %v but Breaker.Failures is 0, so that the breaker would never open: set Failures", c.Breaker.Cooldown)
	if c.Breaker.Failures != 0 {
		low, high := 10*time.Millisecond, time.Hour
		add(c.Breaker.Cooldown < low || c.Breaker.Cooldown > high, "Breaker.Cooldown is %v, want %v to %v", c.Breaker.Cooldown, low, high)
	}
	add(c.Until.arrival && c.Until.at.IsZero(), "Until is Arrival of the zero time: name a time, or use CaughtUp")
	return problems
}

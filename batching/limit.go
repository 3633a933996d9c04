package batching

import "strconv"

// Limit is an optional bound on a count. Its zero value is "the default of the
// field that holds it", so that a config struct need not be filled in.
type Limit struct {
	kind limitKind
	n    int
}

type limitKind uint8

const (
	limitDefault limitKind = iota
	limitAtMost
	limitNone
)

// Unlimited is no bound.
var Unlimited = Limit{kind: limitNone}

// AtMost bounds a count by n; AtMost(0) is none at all. A negative n is refused
// when the config is validated.
func AtMost(n int) Limit { return Limit{kind: limitAtMost, n: n} }

// IsDefault reports whether the limit was left at its zero value.
func (l Limit) IsDefault() bool { return l.kind == limitDefault }

// Or is l, or other if l was left at its zero value.
func (l Limit) Or(other Limit) Limit {
	if l.IsDefault() {
		return other
	}
	return l
}

// Max is the bound, and false if there is none.
func (l Limit) Max() (int, bool) { return l.n, l.kind == limitAtMost }

// Exceeded reports whether n is over the bound.
func (l Limit) Exceeded(n int) bool { return l.kind == limitAtMost && n > l.n }

// String is the number, or "unlimited", or "default".
func (l Limit) String() string {
	switch l.kind {
	case limitAtMost:
		return strconv.Itoa(l.n)
	case limitNone:
		return "unlimited"
	}
	return "default"
}

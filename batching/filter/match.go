package filter

import (
	"encoding/json"
	"slices"
	"strings"
)

// object is a pattern, or a part of one, for an object of the record.
type object struct {
	fields []field
	// either are the alternatives of $or: one of them must match.
	either []*object
	data   bool // the root of a pattern that looks at the payload
}

// field is what is asked of one field: what lies within, or its value.
type field struct {
	name   string
	within *object
	leaf   []matcher
}

// matcher is asked of the values that a leaf has in the record: one, those of a
// list, or none.
type matcher interface {
	match(values []any) bool
}

// names adds the names that the pattern asks for at the top.
func (o *object) names(to []string) []string {
	for i := range o.fields {
		if !slices.Contains(to, o.fields[i].name) {
			to = append(to, o.fields[i].name)
		}
	}
	for _, alternative := range o.either {
		to = alternative.names(to)
	}
	return to
}

// match reports whether each field does and, where there are alternatives, one
// of those.
func (o *object) match(event map[string]any) bool {
	for i := range o.fields {
		if !o.fields[i].match(event) {
			return false
		}
	}
	if len(o.either) == 0 {
		return true
	}
	for _, alternative := range o.either {
		if alternative.match(event) {
			return true
		}
	}
	return false
}

func (f *field) match(event map[string]any) bool {
	value, there := event[f.name]
	if f.within != nil {
		found, matched := f.within.matchWithin(value)
		// What lies in no object is absent, and the pattern may ask for just that.
		return matched || !found && f.within.match(nil)
	}
	var values []any
	if there {
		values = scalars(nil, value)
	}
	for _, m := range f.leaf {
		if m.match(values) {
			return true
		}
	}
	return false
}

// matchWithin matches the objects that a value is or holds. Found reports
// whether there is one.
func (o *object) matchWithin(value any) (found, matched bool) {
	switch v := value.(type) {
	case map[string]any:
		return true, o.match(v)
	case []any:
		for _, element := range v {
			f, m := o.matchWithin(element)
			found = found || f
			if m {
				return true, true
			}
		}
	}
	return found, false
}

// scalars appends the values that a value is or holds, without objects.
func scalars(to []any, value any) []any {
	switch v := value.(type) {
	case map[string]any:
	case []any:
		for _, element := range v {
			to = scalars(to, element)
		}
	default:
		to = append(to, v)
	}
	return to
}

// equals is a value as it is written: nil, a bool, a string or a json.Number.
type equals struct{ value any }

func (m equals) match(values []any) bool {
	for _, v := range values {
		if v == m.value {
			return true
		}
	}
	return false
}

type anythingBut struct{ values []any }

func (m anythingBut) match(values []any) bool {
	for _, v := range values {
		if !(equals{v}).match(m.values) {
			return true
		}
	}
	return false
}

type exists struct{ want bool }

func (m exists) match(values []any) bool { return len(values) > 0 == m.want }

// text is a test of strings.
type text struct{ test func(string) bool }

func (m text) match(values []any) bool {
	for _, v := range values {
		if s, ok := v.(string); ok && m.test(s) {
			return true
		}
	}
	return false
}

func prefix(p string) matcher {
	return text{func(s string) bool { return strings.HasPrefix(s, p) }}
}

func suffix(p string) matcher {
	return text{func(s string) bool { return strings.HasSuffix(s, p) }}
}

func ignoringCase(p string) matcher {
	return text{func(s string) bool { return strings.EqualFold(s, p) }}
}

// numeric is a range of numbers. Where low or high is not set, it is open.
type numeric struct {
	low, high         float64
	hasLow, hasHigh   bool
	withLow, withHigh bool // the bound itself is in it
}

func (m numeric) match(values []any) bool {
	for _, v := range values {
		if n, ok := v.(json.Number); ok {
			if f, err := n.Float64(); err == nil && m.holds(f) {
				return true
			}
		}
	}
	return false
}

func (m numeric) holds(f float64) bool {
	if m.hasLow && (f < m.low || f == m.low && !m.withLow) {
		return false
	}
	return !m.hasHigh || f < m.high || f == m.high && m.withHigh
}

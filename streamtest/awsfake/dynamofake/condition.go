package dynamofake

import "strings"

// condition is a parsed condition, which an item fulfils or not. A row that
// does not exist is the nil item, which has no attributes.
type condition interface {
	holds(Item) bool
}

// operand is what a condition compares: a path, a literal, or a size.
type operand interface {
	value(Item) (Value, bool)
}

type literal struct{ v Value }

func (l literal) value(Item) (Value, bool) { return l.v, true }

type sizeOf struct{ of path }

func (s sizeOf) value(it Item) (Value, bool) {
	v, ok := s.of.value(it)
	if !ok {
		return Value{}, false
	}
	switch v.kind {
	case KindString:
		return N(int64(len([]rune(v.text)))), true
	case KindBinary:
		return N(int64(len(v.text))), true
	case KindMap:
		return N(int64(len(v.fields))), true
	case KindNumber, KindBool, KindNull:
		return Value{}, false
	}
	return N(int64(len(v.elems))), true
}

type (
	allOf []condition
	anyOf []condition
	not   struct{ c condition }

	// comparison is left op right, op one of = <> < <= > >=.
	comparison struct {
		left, right operand
		op          string
	}
	between struct{ v, low, high operand }
	oneOf   struct {
		v    operand
		list []operand
	}
	presence struct {
		at    path
		wants bool
	}
	typeIs struct {
		at   path
		kind Kind
	}
	beginsWith struct{ v, prefix operand }
	contains   struct{ v, part operand }
)

func (c allOf) holds(it Item) bool {
	for _, part := range c {
		if !part.holds(it) {
			return false
		}
	}
	return true
}

func (c anyOf) holds(it Item) bool {
	for _, part := range c {
		if part.holds(it) {
			return true
		}
	}
	return false
}

func (c not) holds(it Item) bool { return !c.c.holds(it) }

// holds compares. Where an operand is missing only <> holds: what is not there
// differs from everything.
func (c comparison) holds(it Item) bool {
	a, okA := c.left.value(it)
	b, okB := c.right.value(it)
	if !okA || !okB {
		return c.op == "<>"
	}
	switch c.op {
	case "=":
		return a.Equal(b)
	case "<>":
		return !a.Equal(b)
	}
	order, comparable := compare(a, b)
	if !comparable {
		return false
	}
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func (c between) holds(it Item) bool {
	return comparison{c.low, c.v, "<="}.holds(it) && comparison{c.v, c.high, "<="}.holds(it)
}

func (c oneOf) holds(it Item) bool {
	for _, candidate := range c.list {
		if (comparison{c.v, candidate, "="}).holds(it) {
			return true
		}
	}
	return false
}

func (c presence) holds(it Item) bool {
	_, ok := c.at.value(it)
	return ok == c.wants
}

func (c typeIs) holds(it Item) bool {
	v, ok := c.at.value(it)
	return ok && v.kind == c.kind
}

func (c beginsWith) holds(it Item) bool {
	v, okV := c.v.value(it)
	prefix, okP := c.prefix.value(it)
	return okV && okP && v.kind == prefix.kind && (v.kind == KindString || v.kind == KindBinary) &&
		strings.HasPrefix(v.text, prefix.text)
}

func (c contains) holds(it Item) bool {
	v, okV := c.v.value(it)
	part, okP := c.part.value(it)
	if !okV || !okP {
		return false
	}
	if v.kind == KindString || v.kind == KindBinary {
		return v.kind == part.kind && strings.Contains(v.text, part.text)
	}
	return v.has(part)
}

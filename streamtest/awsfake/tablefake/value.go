package tablefake

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a [Value], as the protocol spells it.
type Kind string

// The types of DynamoDB.
const (
	KindString    Kind = "S"
	KindNumber    Kind = "N"
	KindBinary    Kind = "B"
	KindBool      Kind = "BOOL"
	KindNull      Kind = "NULL"
	KindMap       Kind = "M"
	KindList      Kind = "L"
	KindStringSet Kind = "SS"
	KindNumberSet Kind = "NS"
	KindBinarySet Kind = "BS"
)

// Value is one attribute. It does not change; make one with [S], [N] and the
// like.
type Value struct {
	kind   Kind
	text   string  // of a string, a binary, or a number in its canonical form
	flag   bool    // of a bool
	fields Item    // of a map
	elems  []Value // of a list; of a set, in order and without twins
}

// Item is one row, or a map within one, by the names of its attributes.
type Item map[string]Value

// S is a string.
func S(text string) Value { return Value{kind: KindString, text: text} }

// N is a whole number.
func N(n int64) Value { return Value{kind: KindNumber, text: strconv.FormatInt(n, 10)} }

// Decimal is a number from its text; the error is that of the service for a
// number that it cannot hold.
func Decimal(text string) (Value, error) {
	canonical, err := canonicalNumber(text)
	if err != nil {
		return Value{}, err
	}
	return Value{kind: KindNumber, text: canonical}, nil
}

// B is a binary value.
func B(b []byte) Value { return Value{kind: KindBinary, text: string(b)} }

// Bool is a truth value.
func Bool(b bool) Value { return Value{kind: KindBool, flag: b} }

// Null is the null value.
func Null() Value { return Value{kind: KindNull} }

// M is a map of attributes, which must not be changed afterwards.
func M(fields Item) Value { return Value{kind: KindMap, fields: fields} }

// L is a list.
func L(elems ...Value) Value { return Value{kind: KindList, elems: elems} }

// SS is a set of strings.
func SS(words ...string) Value {
	elems := make([]Value, len(words))
	for i, w := range words {
		elems[i] = S(w)
	}
	return setOf(KindStringSet, elems)
}

// setOf makes a set of one of the set kinds: sorted, twins once.
func setOf(kind Kind, elems []Value) Value {
	elems = slices.Clone(elems)
	slices.SortFunc(elems, func(a, b Value) int { order, _ := compare(a, b); return order })
	return Value{kind: kind, elems: slices.CompactFunc(elems, Value.Equal)}
}

// Kind is the type of the value; empty for the zero Value, which is none.
func (v Value) Kind() Kind { return v.kind }

// Equal tells whether two values are the same: sets without regard to order,
// numbers by value.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.text == w.text && v.flag == w.flag &&
		v.fields.Equal(w.fields) && slices.EqualFunc(v.elems, w.elems, Value.Equal)
}

// Equal tells whether two items have the same attributes.
func (it Item) Equal(other Item) bool { return maps.EqualFunc(it, other, Value.Equal) }

// names are the attributes in order.
func (it Item) names() []string { return slices.Sorted(maps.Keys(it)) }

// isScalarKey says whether the value has an order: a string, number or binary.
func (v Value) isScalarKey() bool {
	return v.kind == KindString || v.kind == KindNumber || v.kind == KindBinary
}

// has says whether a list or set has an element.
func (v Value) has(e Value) bool {
	return slices.ContainsFunc(v.elems, e.Equal)
}

// compare orders two values of one type that has an order.
func compare(a, b Value) (order int, comparable bool) {
	switch {
	case a.kind != b.kind || !a.isScalarKey():
		return cmp.Compare(a.kind, b.kind), false
	case a.kind == KindNumber:
		return compareNumbers(a.text, b.text), true
	}
	return strings.Compare(a.text, b.text), true
}

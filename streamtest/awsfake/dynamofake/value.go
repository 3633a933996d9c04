package dynamofake

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a [Value], by DynamoDB's own letters.
type Kind string

// The ten types of DynamoDB.
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

// Value is one attribute value. The zero Value is none at all, as of an
// attribute that an item does not have. Values do not change once made.
type Value struct {
	kind   Kind
	text   string  // S as it is, N in canonical form, B as raw bytes
	flag   bool    // BOOL
	elems  []Value // L in order; sets as scalars, sorted and distinct
	fields Item    // M
}

// Item is a row, or a map inside one: attribute values by name.
type Item map[string]Value

// S is a string value.
func S(s string) Value { return Value{kind: KindString, text: s} }

// N is a number value.
func N(n int64) Value { return Value{kind: KindNumber, text: strconv.FormatInt(n, 10)} }

// Decimal is a number value from its decimal text. It fails if the text is not
// a number, or has more than 38 significant digits, or is out of DynamoDB's
// range (1E-130 to 9.99E+125).
func Decimal(text string) (Value, error) {
	n, err := canonicalNumber(text)
	if err != nil {
		return Value{}, err
	}
	return Value{kind: KindNumber, text: n}, nil
}

// B is a binary value.
func B(b []byte) Value { return Value{kind: KindBinary, text: string(b)} }

// Bool is a boolean value.
func Bool(b bool) Value { return Value{kind: KindBool, flag: b} }

// Null is the value NULL, which is not the same as no attribute.
func Null() Value { return Value{kind: KindNull} }

// M is a map value.
func M(fields Item) Value { return Value{kind: KindMap, fields: maps.Clone(fields)} }

// L is a list value.
func L(elems ...Value) Value { return Value{kind: KindList, elems: slices.Clone(elems)} }

// SS is a set of strings. Without members it is no value at all, because
// DynamoDB has no empty sets.
func SS(members ...string) Value {
	elems := make([]Value, len(members))
	for i, m := range members {
		elems[i] = S(m)
	}
	return setOf(KindStringSet, elems)
}

// setOf makes a set of scalars, or no value if there are none. It keeps elems.
func setOf(kind Kind, elems []Value) Value {
	if len(elems) == 0 {
		return Value{}
	}
	slices.SortFunc(elems, orderScalars)
	return Value{kind: kind, elems: slices.CompactFunc(elems, Value.Equal)}
}

// Kind is the type of the value; empty for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Exists says whether there is a value.
func (v Value) Exists() bool { return v.kind != "" }

// Text is the content of a string, the canonical decimal text of a number, or
// the bytes of a binary; empty for other types.
func (v Value) Text() string { return v.text }

// Int is a number as an int64; 0 if it is none or does not fit.
func (v Value) Int() int64 {
	n, err := strconv.ParseInt(v.text, 10, 64)
	if v.kind != KindNumber || err != nil {
		return 0
	}
	return n
}

// Bool is the content of a boolean; false for other types.
func (v Value) Bool() bool { return v.flag }

// Members are the contents of a set as by [Value.Text], in order, or nil.
func (v Value) Members() []string {
	if !v.isSet() {
		return nil
	}
	members := make([]string, len(v.elems))
	for i, e := range v.elems {
		members[i] = e.text
	}
	return members
}

// List are the elements of a list, or nil.
func (v Value) List() []Value {
	if v.kind != KindList {
		return nil
	}
	return slices.Clone(v.elems)
}

// Map are the fields of a map, or nil.
func (v Value) Map() Item { return maps.Clone(v.fields) }

// Equal says whether two values have one type and one content. Numbers are
// equal if their values are; sets if their members are.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.text == w.text && v.flag == w.flag &&
		slices.EqualFunc(v.elems, w.elems, Value.Equal) && v.fields.Equal(w.fields)
}

// Equal says whether two items have the same attributes with equal values.
func (it Item) Equal(other Item) bool { return maps.EqualFunc(it, other, Value.Equal) }

// String is the value in a short form for messages: "a", 7, {b: true}, <"x">.
func (v Value) String() string {
	switch v.kind {
	case KindString:
		return strconv.Quote(v.text)
	case KindNumber:
		return v.text
	case KindBinary:
		return "b64:" + base64.StdEncoding.EncodeToString([]byte(v.text))
	case KindBool:
		return strconv.FormatBool(v.flag)
	case KindNull:
		return "NULL"
	case KindMap:
		return v.fields.String()
	case KindList:
		return "[" + joined(v.elems) + "]"
	case KindStringSet, KindNumberSet, KindBinarySet:
		return "<" + joined(v.elems) + ">"
	}
	return "(none)"
}

// String is the item in a short form for messages, attributes in order of name.
func (it Item) String() string {
	var b strings.Builder
	for i, name := range it.names() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s: %v", name, it[name])
	}
	return "{" + b.String() + "}"
}

func joined(elems []Value) string {
	texts := make([]string, len(elems))
	for i, e := range elems {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
}

// names are the attribute names of the item in order.
func (it Item) names() []string { return sortedNames(it) }

func (v Value) isSet() bool {
	return v.kind == KindStringSet || v.kind == KindNumberSet || v.kind == KindBinarySet
}

func (v Value) isScalarKey() bool {
	return v.kind == KindString || v.kind == KindNumber || v.kind == KindBinary
}

// has says whether a set holds a scalar, or a list an element.
func (v Value) has(member Value) bool { return slices.ContainsFunc(v.elems, member.Equal) }

// compare orders two strings, two numbers or two binaries; other pairs have no
// order.
func compare(a, b Value) (order int, comparable bool) {
	if a.kind != b.kind || !a.isScalarKey() {
		return 0, false
	}
	return orderScalars(a, b), true
}

// orderScalars orders two values of one scalar type: numbers by value, strings
// and binaries by their bytes.
func orderScalars(a, b Value) int {
	if a.kind == KindNumber && b.kind == KindNumber {
		return compareNumbers(a.text, b.text)
	}
	return cmp.Compare(a.text, b.text)
}

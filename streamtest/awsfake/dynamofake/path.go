package dynamofake

import (
	"slices"
	"strconv"
	"strings"
)

// path is the place of a value in an item: an attribute, then fields of maps
// and elements of lists, as in a.b[0].
type path []step

type step struct {
	field string // of a map, or of the item itself
	index int    // of a list, if field is empty
}

// String is the path as DynamoDB's messages write it: [a, b, [0]].
func (p path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.field
		if s.field == "" {
			parts[i] = "[" + strconv.Itoa(s.index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (p path) attribute() string { return p[0].field }

// value is what stands in the item at the path, if anything does.
func (p path) value(it Item) (Value, bool) {
	v, ok := it[p[0].field]
	for _, s := range p[1:] {
		if !ok {
			return Value{}, false
		}
		v, ok = s.of(v)
	}
	return v, ok
}

// of takes one step down from a value.
func (s step) of(v Value) (Value, bool) {
	if s.field != "" {
		f, ok := v.fields[s.field]
		return f, ok
	}
	if v.kind != KindList || s.index >= len(v.elems) {
		return Value{}, false
	}
	return v.elems[s.index], true
}

// overlaps says whether one path leads through the other, or both part at
// steps of different kinds and so cannot both be right.
func (p path) overlaps(q path) (overlap, conflict bool) {
	for i := range min(len(p), len(q)) {
		if p[i] != q[i] {
			return false, (p[i].field == "") != (q[i].field == "")
		}
	}
	return true, false
}

// distinct refuses paths of which one contains another, as DynamoDB does in
// update and projection expressions.
func distinct(expression string, paths []path) error {
	for i, p := range paths {
		for _, q := range paths[:i] {
			overlap, conflict := q.overlaps(p)
			switch {
			case overlap:
				return invalid("Invalid %s: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %v, path two: %v", expression, q, p)
			case conflict:
				return invalid("Invalid %s: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %v, path two: %v", expression, q, p)
			}
		}
	}
	return nil
}

// project is the part of the item that the paths name. Elements of lists close
// ranks, as DynamoDB returns them. Without paths it is the whole item.
func project(it Item, paths []path) Item {
	if paths == nil || it == nil {
		return it
	}
	return projectFields(it, paths)
}

func projectFields(it Item, paths []path) Item {
	out := Item{}
	for _, name := range fieldsOf(paths) {
		v, ok := it[name]
		if !ok {
			continue
		}
		if v, ok = projectValue(v, below(paths, step{field: name})); ok {
			out[name] = v
		}
	}
	return out
}

// projectValue is the part of a value that the rests of paths name; an empty
// rest names all of it.
func projectValue(v Value, rests []path) (Value, bool) {
	for _, r := range rests {
		if len(r) == 0 {
			return v, true
		}
	}
	switch v.kind {
	case KindMap:
		fields := projectFields(v.fields, rests)
		return Value{kind: KindMap, fields: fields}, len(fields) > 0
	case KindList:
		var elems []Value
		for i, e := range v.elems {
			if deeper := below(rests, step{index: i}); len(deeper) > 0 {
				if e, ok := projectValue(e, deeper); ok {
					elems = append(elems, e)
				}
			}
		}
		return Value{kind: KindList, elems: elems}, len(elems) > 0
	}
	return Value{}, false
}

// fieldsOf are the distinct fields with which paths begin.
func fieldsOf(paths []path) []string {
	var names []string
	for _, p := range paths {
		if len(p) > 0 && p[0].field != "" && !slices.Contains(names, p[0].field) {
			names = append(names, p[0].field)
		}
	}
	return names
}

// below are the rests of the paths that begin with a step.
func below(paths []path, s step) []path {
	var rests []path
	for _, p := range paths {
		if len(p) > 0 && p[0] == s {
			rests = append(rests, p[1:])
		}
	}
	return rests
}

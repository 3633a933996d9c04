package tablefake

import (
	"math"
	"slices"
	"strings"
	"time"
)

// table is a table with its rows and indexes.
type table struct {
	name    string
	created time.Time
	schema  schema
	types   map[string]Kind // of key attributes
	indexes []index
	tags    []tag

	rows  map[string]Item // by id
	order []string        // ids in order; nil when it must be sorted anew

	reads, writes float64
}

// schema is the key of a table or an index.
type schema struct{ hash, sort string }

// index is a global secondary index. Its rows are found by a scan: tables of
// tests are small.
type index struct {
	name    string
	schema  schema
	project string // ALL, KEYS_ONLY or INCLUDE
	include []string
}

type tag struct{ Key, Value string }

// id is a row's key as one string, which sorts as the rows do.
func (s schema) id(it Item) string {
	id := it[s.hash].sortable()
	if s.sort != "" {
		id += "\x00" + it[s.sort].sortable()
	}
	return id
}

// key is the part of an item that is its key.
func (s schema) key(it Item) Item {
	k := Item{s.hash: it[s.hash]}
	if s.sort != "" {
		k[s.sort] = it[s.sort]
	}
	return k
}

func (s schema) names() []string {
	if s.sort == "" {
		return []string{s.hash}
	}
	return []string{s.hash, s.sort}
}

// sortable is a key's value so that strings compare as values do. Numbers of
// keys are rare in tests; they get a form that sorts for whole numbers.
func (v Value) sortable() string {
	if v.kind != KindNumber {
		return string(v.kind) + v.text
	}
	text, sign := v.text, "1"
	if strings.HasPrefix(text, "-") {
		text, sign = text[1:], "0"
	}
	return "N" + sign + strings.Repeat("0", max(0, 40-len(text))) + text
}

// sorted are the rows in the order of their keys.
func (t *table) sorted() []Item {
	if t.order == nil {
		for id := range t.rows {
			t.order = append(t.order, id)
		}
		slices.Sort(t.order)
	}
	rows := make([]Item, len(t.order))
	for i, id := range t.order {
		rows[i] = t.rows[id]
	}
	return rows
}

func (t *table) index(name string) (index, bool) {
	for _, x := range t.indexes {
		if x.name == name {
			return x, true
		}
	}
	return index{}, false
}

// holds reports whether a row is in the index: it has all of its keys.
func (x index) holds(it Item) bool {
	for _, name := range x.schema.names() {
		if _, ok := it[name]; !ok {
			return false
		}
	}
	return true
}

// view is what the index keeps of a row.
func (x index) view(it Item, t *table) Item {
	if x.project == "ALL" {
		return it
	}
	keep := append(append(slices.Clone(x.schema.names()), t.schema.names()...), x.include...)
	out := Item{}
	for _, name := range keep {
		if v, ok := it[name]; ok {
			out[name] = v
		}
	}
	return out
}

// checkKey refuses a key that is not exactly the table's.
func (t *table) checkKey(key Item) error {
	if len(key) != len(t.schema.names()) {
		return invalid("The provided key element does not match the schema")
	}
	return t.checkKeyOf(key, "The provided key element does not match the schema")
}

// checkKeyOf refuses an item whose key attributes are missing, of another type
// or empty.
func (t *table) checkKeyOf(it Item, missing string) error {
	for _, name := range t.schema.names() {
		v, ok := it[name]
		switch {
		case !ok:
			return invalid("%s", missing)
		case v.kind != t.types[name]:
			return invalid("%s: Type mismatch for key %s expected: %s actual: %s", missing, name, t.types[name], v.kind)
		case v.text == "":
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
		}
	}
	return nil
}

// maxItemSize is the largest item, with its names, in bytes.
const maxItemSize = 400 << 10

// size is what an item counts in bytes: names and values.
func (it Item) size() int {
	n := 0
	for name, v := range it {
		n += len(name) + v.size()
	}
	return n
}

func (v Value) size() int {
	n := 0
	switch v.kind {
	case KindBool, KindNull:
		return 1
	case KindNumber:
		return len(v.text)/2 + 2
	case KindMap, KindList:
		n = 3
	}
	n += len(v.text) + v.fields.size()
	for _, e := range v.elems {
		n += e.size()
	}
	return n
}

// writeUnits and readUnits are what a request of so many bytes costs: a
// kilobyte a write unit, four a strongly consistent read unit.
func writeUnits(bytes int) float64 { return max(1, math.Ceil(float64(bytes)/1024)) }

func readUnits(bytes int, consistent bool) float64 {
	units := max(1, math.Ceil(float64(bytes)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// Text is the text of a string, a number or a binary; empty for others.
func (v Value) Text() string { return v.text }

// Truth is the value of a bool.
func (v Value) Truth() bool { return v.flag }

// Words are the texts of a set's or list's elements.
func (v Value) Words() []string {
	var words []string
	for _, e := range v.elems {
		words = append(words, e.text)
	}
	return words
}

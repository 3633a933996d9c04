package dynamofake

import "strings"

// size is the size of the item in bytes, as DynamoDB counts it:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (it Item) size() int {
	n := 0
	for name, v := range it {
		n += len(name) + v.size()
	}
	return n
}

func (v Value) size() int {
	switch v.kind {
	case KindString, KindBinary:
		return len(v.text)
	case KindNumber:
		return numberSize(v.text)
	case KindBool, KindNull:
		return 1
	case KindMap:
		return 3 + len(v.fields) + v.fields.size()
	}
	n := 0
	for _, e := range v.elems {
		n += e.size()
	}
	if v.kind == KindList {
		n += 3 + len(v.elems)
	}
	return n
}

// numberSize is one byte for two significant digits, one for the rest, and one
// for a minus.
func numberSize(canonical string) int {
	digits, negative := strings.CutPrefix(canonical, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.Trim(whole+fraction, "0")
	n := (len(digits)+1)/2 + 1
	if negative {
		n++
	}
	return n
}

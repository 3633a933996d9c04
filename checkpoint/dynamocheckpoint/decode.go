package dynamocheckpoint

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// reading takes the attributes of one row. The first attribute that is not what
// it must be is kept as the row's fault, and the rest are still read.
type reading struct {
	row   item
	fault error
}

func (r *reading) wrong(name, format string, args ...any) {
	if r.fault == nil {
		r.fault = fmt.Errorf("attribute %s %s", name, fmt.Sprintf(format, args...))
	}
}

// text is a string attribute. One that is there and empty is a fault: it is not
// the same to a condition as one that is not there.
func (r *reading) text(name string) string {
	v, there := r.row[name]
	if !there {
		return ""
	}
	s, ok := v.(*types.AttributeValueMemberS)
	switch {
	case !ok:
		r.wrong(name, "is %s, want a string", kind(v))
		return ""
	case s.Value == "":
		r.wrong(name, "is empty")
	}
	return s.Value
}

// count is a whole number of 0 or more; 0 if it is not there.
func (r *reading) count(name string) int64 {
	v, there := r.row[name]
	if !there {
		return 0
	}
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		r.wrong(name, "is %s, want a number", kind(v))
		return 0
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || i < 0 {
		r.wrong(name, "is no whole number of 0 or more in 64 bits")
		return 0
	}
	return i
}

// mustCount is count for an attribute without which a row means nothing.
func (r *reading) mustCount(name string) int64 {
	if _, there := r.row[name]; !there {
		r.wrong(name, "is missing")
	}
	return r.count(name)
}

// fraction is any number; 0 if it is not there.
func (r *reading) fraction(name string) float64 {
	n, ok := r.row[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		return 0
	}
	return f
}

// load is a rate in KiB a second; 0 if it is not there, or nonsense: it is a hint.
func (r *reading) load(name string) float64 {
	if f := r.fraction(name); f > 0 && f <= math.MaxInt32 {
		return f
	}
	return 0
}

// instant is a time in milliseconds since 1970; zero if it is not there, or 0.
func (r *reading) instant(name string) time.Time {
	ms := r.count(name)
	if ms > latestInstant {
		r.wrong(name, "is no time in milliseconds")
	}
	if ms == 0 || ms > latestInstant {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// latestInstant is the end of the year 9999 in milliseconds, behind which times
// have no usual form.
const latestInstant = 253402300799999

// words is a set of strings, in order.
func (r *reading) words(name string) []string {
	v, there := r.row[name]
	if !there {
		return nil
	}
	s, ok := v.(*types.AttributeValueMemberSS)
	if !ok {
		r.wrong(name, "is %s, want a set of strings", kind(v))
		return nil
	}
	words := slices.Sorted(slices.Values(s.Value))
	if len(words) > 0 && words[0] == "" { // the service refuses such a set
		r.wrong(name, "has an empty string")
	}
	return words
}

func (r *reading) truth(name string) bool {
	v, there := r.row[name]
	if !there {
		return false
	}
	b, ok := v.(*types.AttributeValueMemberBOOL)
	if !ok {
		r.wrong(name, "is %s, want true or false", kind(v))
		return false
	}
	return b.Value
}

// kind is the type of an attribute in words.
func kind(v types.AttributeValue) string {
	switch v.(type) {
	case *types.AttributeValueMemberS:
		return "a string"
	case *types.AttributeValueMemberN:
		return "a number"
	case *types.AttributeValueMemberB:
		return "binary"
	case *types.AttributeValueMemberBOOL:
		return "true or false"
	case *types.AttributeValueMemberNULL:
		return "null"
	case *types.AttributeValueMemberSS:
		return "a set of strings"
	case *types.AttributeValueMemberNS:
		return "a set of numbers"
	case *types.AttributeValueMemberBS:
		return "a set of binaries"
	case *types.AttributeValueMemberL:
		return "a list"
	case *types.AttributeValueMemberM:
		return "a map"
	}
	return "of no known type"
}

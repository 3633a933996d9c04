package kinesisfake

import (
	"math"
	"math/big"
	"testing"
)

func TestSequenceNumberHoldsItsParts(t *testing.T) {
	last := new(big.Int)
	// In increasing order: birth before index, index before the rest.
	for _, want := range []sequence{
		{946684800, startIndex, 946684800, 4},
		{946684800, 1, 946684801, 3},
		{946684800, 1 << 52, 946684801, math.MaxUint32},
		{946684800, endIndex, 946684801, 0},
		{946684801, startIndex, 0, 0},
		{1 << 35, 77, 1 << 35, 9999},
	} {
		s := want.String()
		if len(s) != 56 {
			t.Errorf("%+v has %d digits", want, len(s))
		}
		if got, ok := parseSequence(s); !ok || got != want {
			t.Errorf("got %+v, %v, want %+v", got, ok, want)
		}
		i, _ := new(big.Int).SetString(s, 10)
		if i.Cmp(last) <= 0 {
			t.Errorf("%+v is not larger than the one before", want)
		}
		last = i
	}
	for _, s := range []string{"", "0", "TRIM_HORIZON", last.String() + "0", "0" + last.String()[1:], last.String()[:55] + "9"} {
		if n, ok := parseSequence(s); ok {
			t.Errorf("took %q for %+v", s, n)
		}
	}
}

func TestHashKeysDivideTheRing(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 1000} {
		starts := uniform(n)
		if starts[0] != (hashKey{}) {
			t.Errorf("the first of %d shards starts at %s", n, starts[0])
		}
		for i := 1; i < n; i++ {
			if starts[i-1].compare(starts[i]) >= 0 {
				t.Errorf("of %d shards, %d starts before %d", n, i, i-1)
			}
		}
	}
	if got, want := middle(hashKey{}, lastHashKey).String(), "170141183460469231731687303715884105728"; got != want {
		t.Errorf("middle of the ring: got %s, want %s", got, want)
	}
	if got, want := middle(hashKey{0, 5}, hashKey{0, 6}), (hashKey{0, 6}); got != want {
		t.Errorf("middle of two keys: got %s, want %s", got, want)
	}
	for _, s := range []string{"-1", "01", "", "1e3", "340282366920938463463374607431768211456"} {
		if k, ok := parseHashKey(s); ok {
			t.Errorf("took %q for hash key %s", s, k)
		}
	}
	if k, ok := parseHashKey("340282366920938463463374607431768211455"); !ok || k != lastHashKey || k.next() != (hashKey{}) || (hashKey{}).before() != k {
		t.Errorf("the end of the ring: got %s, %v", k, ok)
	}
}

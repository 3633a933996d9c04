package batching

import (
	"testing"

	"github.com/towpath/towpath/shard"
)

func TestLimitZeroIsTheDefault(t *testing.T) {
	var zero Limit
	for _, test := range []struct {
		limit    Limit
		text     string
		exceeded bool // by 1
		bounded  bool
		or       Limit // AtMost(5) if it is the default
	}{
		{zero, "default", false, false, AtMost(5)},
		{Unlimited, "unlimited", false, false, Unlimited},
		{AtMost(0), "0", true, true, AtMost(0)},
		{AtMost(1), "1", false, true, AtMost(1)},
	} {
		if got := test.limit.String(); got != test.text {
			t.Errorf("%s, want %s", got, test.text)
		}
		if got := test.limit.Exceeded(1); got != test.exceeded {
			t.Errorf("%s exceeded by 1: %v", test.limit, got)
		}
		if _, ok := test.limit.Max(); ok != test.bounded {
			t.Errorf("%s bounded: %v", test.limit, ok)
		}
		if got := test.limit.Or(AtMost(5)); got != test.or {
			t.Errorf("%s or 5 is %s, want %s", test.limit, got, test.or)
		}
		if test.limit.IsDefault() != (test.limit == zero) {
			t.Errorf("%s is default: %v", test.limit, test.limit.IsDefault())
		}
	}
}

func TestFenceOrdersTenures(t *testing.T) {
	ordered := []Fence{{}, {0, 9}, {1, 0}, {1, 8}, {1, 10}, {2, 1}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), min(1, max(-1, i-j)); got != want {
				t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestBatchShowsItsEnds(t *testing.T) {
	b := Batch{Records: recordsOf(3), Token: Fence{1, 2}}
	if b.First() != &b.Records[0] || b.Last() != &b.Records[2] || b.Fence() != b.Token {
		t.Error("the first, the last or the fence is another")
	}
	if !b.Valid() {
		t.Error("a batch without an engine is not valid")
	}
	b.Held = func() bool { return false }
	if b.Valid() {
		t.Error("a batch whose lease is lost is valid")
	}
	if (&shard.Record{}).Size() <= 0 {
		t.Error("a record costs nothing")
	}
}

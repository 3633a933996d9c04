package shard_test

import (
	"testing"

	"github.com/towpath/towpath/shard"
)

func TestPointsLieInTheRangeThatTheirShardTakes(t *testing.T) {
	// The MD5 of user-1 is 90 in hexadecimal at its start, so in the upper half.
	lower := shard.HashRange{Start: "0", End: "170141183460469231731687303715884105727"}
	upper := shard.HashRange{Start: "170141183460469231731687303715884105728", End: "340282366920938463463374607431768211455"}
	for key, in := range map[string]shard.HashRange{"a": lower, "c": lower, "b": upper} {
		at := shard.PointOf(key)
		for _, h := range []shard.HashRange{lower, upper} {
			if got, want := h.Holds(at), h == in; got != want {
				t.Errorf("the range from %s holds %s of %q: %v, want %v", h.Start, at, key, got, want)
			}
		}
	}
	if from, to, ok := upper.Points(); !ok || from != "80000000000000000000000000000000" || to != "ffffffffffffffffffffffffffffffff" {
		t.Errorf("the upper half is %s to %s (%v)", from, to, ok)
	}
	for _, none := range []shard.HashRange{{}, {Start: "x", End: "1"}, {Start: "-1", End: "1"}, {Start: "0", End: "340282366920938463463374607431768211456"}} {
		if _, _, ok := none.Points(); ok || none.Holds(shard.PointOf("a")) {
			t.Errorf("%v has points", none)
		}
	}
}

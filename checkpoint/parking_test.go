package checkpoint_test

import (
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

func TestParkedKeyKnowsWhatWasParked(t *testing.T) {
	rec := func(shardID, sequence string, sub int64) *shard.Record {
		return &shard.Record{Shard: shardID, Sequence: sequence, Sub: sub, Data: []byte("x")}
	}
	k := checkpoint.ParkedKey{}.With([]shard.Record{*rec("a", "7", 0), *rec("a", "9", 1)}, 2)
	if k.Records != 2 || k.Bytes != int64(2*rec("a", "7", 0).Size()) {
		t.Errorf("%d records of %d bytes are counted, want two", k.Records, k.Bytes)
	}
	for _, c := range []struct {
		r    *shard.Record
		gen  int64
		want bool
	}{
		{rec("a", "7", 0), 2, true}, {rec("a", "8", 0), 2, true}, {rec("a", "6", 0), 2, false}, {rec("a", "9", 1), 2, true},
		{rec("a", "9", 2), 2, false}, {rec("a", "10", 0), 2, false},
		{rec("child", "8", 0), 2, false}, // of another shard: never read here
		{rec("a", "8", 0), 3, false},     // somebody moved the position back
	} {
		if got := k.Knows(c.r, c.gen); got != c.want {
			t.Errorf("%s/%s.%d in generation %d is known: %v, want %v", c.r.Shard, c.r.Sequence, c.r.Sub, c.gen, got, c.want)
		}
	}
	if k = k.With([]shard.Record{*rec("a", "8", 0)}, 2); k.Last.Compare(shard.After("9", 1)) != 0 {
		t.Errorf("the last is %s, want it never to go back", k.Last)
	}
	// What was with the handler when the key was parked joins it, oldest first.
	k = k.With([]shard.Record{*rec("a", "3", 0), *rec("a", "4", 0)}, 2)
	for sequence, want := range map[string]bool{"3": true, "4": true, "5": false, "6": false, "7": true} {
		if got := k.Knows(rec("a", sequence, 0), 2); got != want {
			t.Errorf("%s is known: %v, want %v", sequence, got, want)
		}
	}
	if k.First.Compare(shard.After("7", 0)) != 0 {
		t.Errorf("the first is %s, want that with which the key was parked", k.First)
	}
	if k = k.With([]shard.Record{*rec("child", "3", 0)}, 0); k.LastShard != "child" || k.Joined.IsRecord() || !k.Knows(rec("child", "3", 0), 0) {
		t.Errorf("the last is %s in %s, want that of the child", k.Last, k.LastShard)
	}
}

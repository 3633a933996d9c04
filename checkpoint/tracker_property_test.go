package checkpoint_test

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// property checks a property in so many cases.
func property(t *testing.T, cases int, prop func(*rapid.T)) {
	t.Helper()
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(cases), "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, prop)
}

// In whatever order records are finished, some of them twice, the mark stands
// before the lowest that is not: as a sorted set of the unfinished would say.
func TestTrackerIsASortedSet(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		tracker := checkpoint.NewTracker(checkpoint.Progress{})
		var unfinished []int64 // sorted
		var begun int64
		for _, op := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 120).Draw(t, "ops") {
			switch {
			case op < 4:
				r := shard.Record{Sequence: strconv.FormatInt(100+begun, 10)}
				if ticket := tracker.Begin(&r); ticket != begun {
					t.Fatalf("ticket %d, want %d", ticket, begun)
				}
				unfinished = append(unfinished, begun)
				begun++
			case op < 8 && len(unfinished) > 0:
				i := rapid.IntRange(0, len(unfinished)-1).Draw(t, "which")
				tracker.Done(unfinished[i])
				unfinished = slices.Delete(unfinished, i, i+1)
			case op == 8 && len(unfinished) > 1: // several at once
				i := rapid.IntRange(0, len(unfinished)-2).Draw(t, "from")
				tracker.Done(unfinished[i : i+2]...)
				unfinished = slices.Delete(unfinished, i, i+2)
			default: // one that is finished already, or that there never was
				if i := rapid.Int64Range(-1, begun+1).Draw(t, "other"); !slices.Contains(unfinished, i) {
					tracker.Done(i)
				}
			}
			first := begun
			if len(unfinished) > 0 {
				first = unfinished[0]
			}
			want := shard.Position{}
			if first > 0 {
				want = shard.After(strconv.FormatInt(99+first, 10), 0)
			}
			if mark, _ := tracker.Mark(); mark.Compare(want) != 0 {
				t.Fatalf("mark is %s, want %s with %v unfinished of %d", mark, want, unfinished, begun)
			}
			oldest, some := tracker.Oldest()
			if some != (len(unfinished) > 0) || some && oldest.Compare(shard.After(strconv.FormatInt(100+first, 10), 0)) != 0 {
				t.Fatalf("oldest is %s (%v), want record %d", oldest, some, first)
			}
			if tracker.Pending() != len(unfinished) || !tracker.FinishedBefore(first) || tracker.FinishedBefore(first+1) && some {
				t.Fatalf("%d pending, want %d; finished before %d: %v", tracker.Pending(), len(unfinished), first, tracker.FinishedBefore(first))
			}
		}
	})
}

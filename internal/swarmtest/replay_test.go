package swarmtest

import (
	"flag"
	"runtime"
	"testing"
	"testing/synctest"
)

var (
	replays = flag.Int("replays", 100, "how many seeds are played twice")
	around  = flag.Int("around", 8, "how many lines are shown before and behind where two traces part")
)

// A run is a function of its seed: the same seed twice, on one processor and on
// two, does the same, to the nanosecond.
func TestSeedsReplayExactly(t *testing.T) {
	of := sizes[*size]
	differ := 0
	for i := range *replays {
		seed := *first + uint64(i)
		one, two := onProcessors(t, 1, seed, of), onProcessors(t, 2, seed, of)
		if one.Trace() == two.Trace() {
			continue
		}
		differ++
		t.Errorf("seed %d: the traces are %x and %x; to play them again:\ngo test ./internal/swarmtest -run 'TestSeedsReplay' -size %s -replays 1 -first %d",
			seed, one.Trace(), two.Trace(), *size, seed)
		tellWhereTheyPart(t, one.trace.sorted(), two.trace.sorted())
	}
	if differ > 0 {
		t.Errorf("%d of %d seeds do not replay", differ, *replays)
	}
}

// onProcessors plays a seed on so many processors, and keeps what happens.
func onProcessors(t *testing.T, n int, seed uint64, size Size) (w *fakes) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	plan := Draw(seed, size)
	synctest.Test(t, func(*testing.T) {
		w = Fakes(&plan).(*fakes)
		w.trace.keep = true
		Play(w, &plan)
	})
	return w
}

// tellWhereTheyPart shows the first lines of two traces that differ, and a few
// around them.
func tellWhereTheyPart(t *testing.T, one, two []string) {
	for i := range min(len(one), len(two)) {
		if one[i] == two[i] {
			continue
		}
		for _, lines := range [][]string{one, two} {
			for _, line := range lines[max(0, i-*around):min(len(lines), i+*around)] {
				t.Log(line)
			}
			t.Log("--")
		}
		return
	}
}

package swarmtest

import (
	"flag"
	"runtime"
	"testing"
	"testing/synctest"
)

var around = flag.Int("context", 6, "lines shown of what was the same")

var replays = flag.Int("replays", 100, "how many seeds are played twice")

// A run is a function of its seed: the same seed twice, on one processor and on
// two, does the same, to the nanosecond.
func TestSeedsReplayExactly(t *testing.T) {
	open, of := worlds[*world], sizes[*size]
	differ := 0
	for i := range *replays {
		seed := *first + uint64(i)
		was := runtime.GOMAXPROCS(1)
		one := one(t, seed, of, open)
		runtime.GOMAXPROCS(2)
		two := one2(t, seed, of, open)
		runtime.GOMAXPROCS(was)
		if one.Trace != two.Trace {
			differ++
			t.Errorf("seed %d: the traces are %x and %x", seed, one.Trace, two.Trace)
		}
	}
	if differ > 0 {
		t.Logf("%d of %d seeds differ", differ, *replays)
	}
}

func one2(t *testing.T, seed uint64, size Size, world func(*testing.T, *Plan) World) Result {
	return one(t, seed, size, world)
}

// Where two runs of a seed part, for whoever looks for the reason.
func TestWhereReplaysPart(t *testing.T) {
	for range 20 {
		var lines [2][]string
		for i, procs := range []int{1, 2} {
			was := runtime.GOMAXPROCS(procs)
			plan := Draw(*first, sizes[*size])
			synctest.Test(t, func(t *testing.T) {
				w := Fakes(&plan).(*fakes)
				w.trace.keep = true
				Play(w, &plan)
				lines[i] = w.trace.sorted()
			})
			runtime.GOMAXPROCS(was)
		}
		for i := range min(len(lines[0]), len(lines[1])) {
			if lines[0][i] != lines[1][i] {
				t.Errorf("%v", Draw(*first, sizes[*size]).Settings)
				for _, of := range lines {
					for _, line := range of[max(0, i-*around):min(len(of), i+4)] {
						t.Log(line)
					}
					t.Log("--")
				}
				return
			}
		}
	}
}

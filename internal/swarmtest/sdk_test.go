package swarmtest

import (
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake"
)

var logs = flag.Bool("logs", false, "tell the workers' logs (of the sdk world), with the virtual time")

// stamped writes lines with the time of the bubble.
type stamped struct{}

func (stamped) Write(line []byte) (int, error) {
	return fmt.Printf("%s %s", time.Now().Format("04:05.000"), line)
}

func init() {
	worlds["sdk"] = func(t *testing.T, p *Plan) World {
		if *logs {
			verbose = slog.New(slog.NewTextHandler(stamped{}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		return SDK(t, p)
	}
}

// A few seeds over the SDK's clients, twice each: no promise is broken, and both
// times the same happens to the nanosecond. Many more: -run TestSwarm$ -world sdk.
func TestFleetsOverTheSDK(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		first, second := one(t, seed, Small, worlds["sdk"]), one(t, seed, Small, worlds["sdk"])
		for _, v := range first.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		if first.Trace != second.Trace || first.Trace == 0 {
			t.Errorf("seed %d: the traces are %x and %x", seed, first.Trace, second.Trace)
		}
	}
}

// Answers that are lost, one in ten of the table's, end no tenure and cost no
// record a repeat, while workers come, go gently and are replaced, and shards are
// split and merged.
func TestLostAnswersFenceNobody(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		plan := Draw(seed, Small)
		plan.Weather, plan.Faults = Weather{}, nil
		plan.Events = slices.DeleteFunc(plan.Events, func(e Event) bool { return !slices.Contains(gentle, e.Kind) })
		for i := range plan.Puts {
			plan.Puts[i].Poison = false
		}
		synctest.Test(t, func(t *testing.T) {
			w := SDK(t, &plan).(*sdk)
			w.sky.set(map[string]weather{tableService: {answerLost: 0.1}})
			r := Play(w, &plan)
			for _, v := range r.Violations {
				t.Errorf("seed %d: %s", seed, v)
			}
			if n := w.fenced.Load(); n > 0 {
				t.Errorf("seed %d: %d tenures ended because the lease was lost", seed, n)
			}
		})
	}
}

// Where two runs of a seed part in this world, for whoever looks for the reason.
func TestWhereReplaysOverTheSDKPart(t *testing.T) {
	if *world != "sdk" {
		return
	}
	var lines [2][]string
	for i, procs := range []int{1, 2} {
		was := runtime.GOMAXPROCS(procs)
		plan := Draw(*first, sizes[*size])
		synctest.Test(t, func(t *testing.T) {
			w := SDK(t, &plan).(*sdk)
			w.trace.keep = true
			w.rig.AWS.Trace(func(e awsfake.Exchange) {
				w.trace.note("exchange", e.Caller+" "+e.Operation, fmt.Sprint(e.Sent.UnixNano(), e.Status, e.Applied))
			})
			Play(w, &plan)
			lines[i] = w.trace.sorted()
		})
		runtime.GOMAXPROCS(was)
	}
	for i := range min(len(lines[0]), len(lines[1])) {
		if lines[0][i] != lines[1][i] {
			t.Errorf("line %d of %d differs", i, len(lines[0]))
			for _, of := range lines {
				for _, line := range of[max(0, i-*around):min(len(of), i+6)] {
					t.Log(line)
				}
				t.Log("--")
			}
			return
		}
	}
}

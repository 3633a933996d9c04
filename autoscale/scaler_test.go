package autoscale

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func next(t *testing.T, s Scaler, h *History, now time.Time, current int, d Demand) Decision {
	t.Helper()
	decision, after, err := s.Next(*h, now, current, d)
	if err != nil {
		t.Fatal(err)
	}
	*h = after
	return decision
}

func TestScalerGoesUpAtOnceAndDownLate(t *testing.T) {
	var h History
	demand := func(workers float64) Demand {
		return Demand{Workers: workers, Count: max(1, whole(workers)), Shards: 100, Most: 100}
	}
	steps := []struct {
		after   time.Duration
		demand  Demand
		current int
		want    int
		why     string
	}{
		{0, demand(6.5), 4, 7, "needed"},
		{0, demand(4.3), 4, 4, "within the tolerance"},
		{0, demand(3.9), 4, 4, "as many"},
		{0, demand(3), 4, 4, "as many"}, // three would have nothing to spare
		{0, demand(1.8), 8, 8, "2 are enough"},
		{time.Minute, demand(4.5), 8, 8, "5 are enough"},
		{8 * time.Minute, demand(1.8), 8, 8, "are enough"},
		{time.Minute, demand(1.8), 8, 6, "5 were enough"}, // by a quarter
		{9 * time.Minute, demand(1.8), 6, 6, "are enough"},
		{time.Minute, demand(1.8), 6, 5, "2 were enough"}, // by one
		{9 * time.Minute, demand(4.8), 5, 5, "as many"},   // it begins anew
		{5 * time.Minute, demand(1.8), 5, 5, "are enough"},
		{time.Minute, Demand{Shards: 9, Most: 9, Count: 2, Workers: 1.8, CatchingUp: true, Behind: time.Hour}, 5, 5, "1h0m0s behind"},
		{9 * time.Minute, demand(1.8), 5, 5, "are enough"},
		{0, Demand{Count: 1, Most: 1}, 5, 5, "nothing is measured"},
		{0, Demand{Count: 3, Most: 3, Shards: 3, Workers: 9, CatchingUp: true}, 5, 3, "nothing to do"},
		{0, Demand{Count: 2, Most: 9, Shards: 9, Workers: 1.05}, 1, 1, "within the tolerance"},
		{0, Demand{Count: 4, Most: 9, Shards: 9, Workers: 2.01}, 2, 4, "the least there are to be"},
		{0, demand(0), 0, 1, "there is none"},
	}
	now := noon
	for i, step := range steps {
		now = now.Add(step.after)
		got := next(t, Scaler{}, &h, now, step.current, step.demand)
		if got.Workers != step.want || !strings.Contains(got.String(), step.why) {
			t.Errorf("step %d: %s, want %d workers: …%s…", i, got, step.want, step.why)
		}
	}
}

// A fleet that somebody else made smaller meanwhile is not made larger again by
// what was enough for the larger one.
func TestScalerNeverGrowsByWhatWasEnough(t *testing.T) {
	var h History
	at := func(minute int, current int, workers float64) Decision {
		return next(t, Scaler{}, &h, noon.Add(time.Duration(minute)*time.Minute), current,
			Demand{Workers: workers, Count: whole(workers), Shards: 100, Most: 100})
	}
	at(0, 10, 7)
	for minute, want := range []int{5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 4} {
		if got := at(minute+1, 5, 3); got.Workers != want {
			t.Errorf("after %d minutes of 3 that are needed: %s, want %d", minute+1, got, want)
		}
	}
}

func TestScalerSaysEverythingThatIsWrong(t *testing.T) {
	_, _, err := Scaler{Settle: -1, Tolerance: 1, Step: 2}.Next(History{}, noon, 1, Demand{})
	for _, field := range []string{"Settle", "Tolerance", "Step"} {
		if err == nil || !strings.Contains(err.Error(), field+" is ") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

// town is a stream and the workers on it, in steps of a few seconds.
type town struct {
	shards    int
	perRecord time.Duration
	perWorker int
	workers   int         // at work
	coming    []time.Time // when those that have been started will be
	waiting   float64     // records of each shard
}

// step lets arrival records a second come to each shard, and handles what the
// workers can: a worker's calls at once, and one of each shard.
func (w *town) step(now time.Time, d time.Duration, arrival float64) {
	for len(w.coming) > 0 && !w.coming[0].After(now) {
		w.workers, w.coming = w.workers+1, w.coming[1:]
	}
	calls := min(float64(w.shards), float64(w.workers*w.perWorker))
	rate := calls / w.perRecord.Seconds() / float64(w.shards)
	w.waiting = max(0, w.waiting+(arrival-rate)*d.Seconds())
}

func (w *town) scale(now time.Time, to int) {
	for w.workers+len(w.coming) < to {
		w.coming = append(w.coming, now.Add(time.Minute))
	}
	for w.workers+len(w.coming) > to {
		if n := len(w.coming); n > 0 {
			w.coming = w.coming[:n-1]
		} else {
			w.workers--
		}
	}
}

// Three days of a load that follows the sun, with noise on all that is measured
// and a surge: the fleet follows, is never far behind, and goes up and down
// once a day and not with the noise.
func TestFleetFollowsTheDayWithoutFlapping(t *testing.T) {
	for _, shards := range []int{8, 48} {
		for _, noise := range []float64{0, .1} { // of two factors: a demand is off by twice as much
			for _, peak := range []float64{120, 330} { // of the 500/s that a shard's one lane can do
				for perWorker := 1; perWorker <= 4; perWorker += 3 {
					w := &town{shards: shards, perRecord: 2 * ms, perWorker: perWorker, workers: 2}
					turns, worst := w.days(t, 3, peak, noise)
					// Up and down once a day, once for the surge, and once at the start.
					if turns > 2*(3+2) || worst > 15*time.Minute {
						t.Errorf("%d shards, %v/s, %d calls a worker, noise %v: it turned %d times in three days and was %s behind",
							shards, peak, perWorker, noise, turns, worst)
					}
				}
			}
		}
	}
}

// days says how often the fleet changed between growing and shrinking, and how
// far behind it was at worst.
func (w *town) days(t *testing.T, days int, peak, noise float64) (turns int, worst time.Duration) {
	draw := rand.New(rand.NewPCG(uint64(w.shards), uint64(peak)))
	shake := func(v float64) float64 { return v * (1 + noise*(2*draw.Float64()-1)) }
	var h History
	var last int
	const tick = 30 * time.Second
	for at := time.Duration(0); at < time.Duration(days)*24*time.Hour; at += tick {
		now := noon.Add(at)
		arrival := peak * (.55 - .45*math.Cos(2*math.Pi*at.Hours()/24))
		if at > 30*time.Hour && at < 31*time.Hour {
			arrival = peak * 1.4
		}
		w.step(now, tick, arrival)
		behind := time.Duration(w.waiting / arrival * float64(time.Second))
		worst = max(worst, behind)
		one := Shard{Arrival: shake(arrival), Behind: behind, PerRecord: time.Duration(shake(float64(w.perRecord)))}
		d, err := Sizing{PerWorker: w.perWorker}.Demand(alike(w.shards, one))
		if err != nil {
			t.Fatal(err)
		}
		current := w.workers + len(w.coming)
		decision := next(t, Scaler{}, &h, now, current, d)
		if decision.Workers > w.shards || decision.Workers < 1 {
			t.Fatalf("%s for %d shards", decision, w.shards)
		}
		if way := decision.Workers - current; way != 0 {
			if last != 0 && (way > 0) != (last > 0) {
				turns++
			}
			last = way
			w.scale(now, decision.Workers)
		}
	}
	return turns, worst
}

// What waits after an outage is gone within CatchUp of the workers' coming, and
// no worker is taken away before.
func TestBacklogIsGoneWithinCatchUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &town{shards: 32, perRecord: 2 * ms, perWorker: 2, workers: 2}
		arrival := rapid.Float64Range(20, 120).Draw(t, "arrival")
		outage := time.Duration(rapid.IntRange(2, 20).Draw(t, "outage")) * time.Minute
		w.waiting = arrival * outage.Seconds()
		sizing := Sizing{PerWorker: 2}
		scaler, h := Scaler{}, History{}
		const tick = 10 * time.Second
		for at := time.Duration(0); ; at += tick {
			now := noon.Add(at)
			w.step(now, tick, arrival)
			if w.waiting == 0 {
				return
			}
			// One minute to start, and one that the decision is not exact by.
			if at > defaultCatchUp+2*time.Minute {
				t.Fatalf("after %s %.0f records of each shard still wait, with %d workers", at, w.waiting, w.workers)
			}
			behind := time.Duration(w.waiting / arrival * float64(time.Second))
			d, err := sizing.Demand(alike(w.shards, Shard{Arrival: arrival, Waiting: w.waiting, Behind: behind, PerRecord: w.perRecord}))
			if err != nil {
				t.Fatal(err)
			}
			current := w.workers + len(w.coming)
			decision, after, err := scaler.Next(h, now, current, d)
			if err != nil {
				t.Fatal(err)
			}
			h = after
			if decision.Workers < current {
				t.Fatalf("%s while %s behind", decision, behind)
			}
			w.scale(now, decision.Workers)
		}
	})
}

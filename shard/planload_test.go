package shard

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// rested is a fleet that holds the leases of these loads, and has for long.
func rested(loads ...[]float64) View {
	v := View{LeastLoad: 100, Settle: time.Second}
	for i, mine := range loads {
		id := fmt.Sprint("w", i)
		v.Workers = append(v.Workers, WorkerView{ID: id, Age: time.Hour})
		for j, load := range mine {
			v.Leases = append(v.Leases, LeaseView{Key: fmt.Sprintf("%s-%d", id, j), Owner: id, Load: load, Runnable: true})
		}
	}
	v.Me = "w0"
	return v
}

// The heaviest worker exchanges a lease with the lightest, or gives it one where
// it holds more; and what is not worth it is left.
func TestPlanEvensTheLoadOfAFleetAtRest(t *testing.T) {
	for _, c := range []struct {
		name  string
		view  View
		plans string
	}{
		{"two hot shards on one worker", rested([]float64{1000, 1000}, []float64{0, 0}), "even w0-0 w0→w1, even w1-0 w1→w0"},
		{"one more lease on the heavy one", rested([]float64{500, 500, 500}, []float64{500, 500}), "nothing"},
		{"a lease is given where that evens", rested([]float64{900, 600, 600}, []float64{500, 400}), "even w0-1 w0→w1"},
		{"one hot shard is nobody's to share", rested([]float64{1000, 0}, []float64{0, 0}), "nothing"},
		{"little load", rested([]float64{40, 40}, []float64{0, 0}), "nothing"},
		{"a small part of much", rested([]float64{5000, 5000}, []float64{4900, 4600}), "nothing"},
		{"the other two are between", rested([]float64{900, 900}, []float64{500, 500}, []float64{100, 100}), "even w0-0 w0→w2, even w2-0 w2→w0"},
	} {
		if got := Plan(c.view).String(); got != c.plans {
			t.Errorf("%s: got %s, want %s", c.name, got, c.plans)
		}
	}
	for name, change := range map[string]func(*View){
		"a young worker":       func(v *View) { v.Workers[1].Age = 0 },
		"one is leaving":       func(v *View) { v.Workers[1].Leaving = true },
		"a hand-over stands":   func(v *View) { v.Leases[0].CheckpointOwner, v.Leases[0].Owner = "w0", "w1" },
		"a worker is foreign":  func(v *View) { v.Workers[1].Foreign = true },
		"load is not to count": func(v *View) { v.LeastLoad = 0 },
		"leases are released":  func(v *View) { v.ByRelease = true },
		"I am not the planner": func(v *View) { v.Me = "w1" },
		"all are spared": func(v *View) {
			for i := range v.Leases {
				v.Leases[i].Spare = true
			}
		},
	} {
		v := rested([]float64{1000, 1000}, []float64{0, 0})
		change(&v)
		if even := Plan(v).Even; len(even) > 0 {
			t.Errorf("%s: got %v, want nothing", name, even)
		}
	}
}

// Whatever the loads, evening ends, holds no worker to two leases more than
// another, and never makes the heaviest worker heavier.
func TestEveningEndsAndOnlyEvens(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		workers, each := 2+r.IntN(6), 1+r.IntN(6)
		loads := make([][]float64, workers)
		for i := range loads {
			for range each + r.IntN(2) {
				loads[i] = append(loads[i], float64(r.IntN(1000)*r.IntN(2)))
			}
		}
		v := rested(loads...)
		heaviest, _ := spread(v)
		rounds := 0
		for ; rounds <= 10*len(v.Leases); rounds++ {
			even := Plan(v).Even
			if len(even) == 0 {
				break
			}
			for _, ask := range even {
				for i := range v.Leases {
					if v.Leases[i].Key == ask.Key {
						v.Leases[i].Owner = ask.To
					}
				}
			}
			now, counts := spread(v)
			if now > heaviest+1e-6 {
				t.Fatalf("seed %d: the heaviest worker went from %v to %v", seed, heaviest, now)
			}
			if counts > 1 {
				t.Fatalf("seed %d: counts are %d apart", seed, counts)
			}
			heaviest = now
		}
		if rounds > 10*len(v.Leases) {
			t.Fatalf("seed %d: it does not end", seed)
		}
	}
}

// spread is the load of the heaviest worker, and how far the counts are apart.
func spread(v View) (heaviest float64, apart int) {
	load, held := map[string]float64{}, map[string]int{}
	for _, l := range v.Leases {
		load[l.Owner] += l.Load
		held[l.Owner]++
	}
	least, most := len(v.Leases), 0
	for _, w := range v.Workers {
		heaviest = max(heaviest, load[w.ID])
		least, most = min(least, held[w.ID]), max(most, held[w.ID])
	}
	return heaviest, most - least
}

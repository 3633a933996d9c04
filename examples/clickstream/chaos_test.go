package main

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestEveryScheduleMakesSense(t *testing.T) {
	orders := map[string]bool{}
	for workers := 1; workers <= 5; workers++ {
		for seed := range uint64(500) {
			const total = 31_111
			steps := schedule(seed, total, workers)
			at := map[action]int{}
			alive, before := workers, 0
			for i, s := range steps {
				if s.After < before || s.After < total/10 || s.After > total*8/10 {
					t.Fatalf("seed %d: step %d of %v is out of its time", seed, i, steps)
				}
				before = s.After
				switch s.Do {
				case actStop, actKill:
					alive--
				case actStart:
					alive++
				}
				if alive < 1 {
					t.Fatalf("seed %d, %d workers: nobody is alive after step %d of %v", seed, workers, i, steps)
				}
				at[s.Do] = i // the last of each kind
			}
			for _, do := range []action{actSplit, actMerge, actStop, actKill, actStart} {
				if _, ok := at[do]; !ok {
					t.Fatalf("seed %d: no %v in %v", seed, do, steps)
				}
			}
			if at[actKill] > at[actStart] || at[actSplit] > at[actMerge] {
				t.Fatalf("seed %d: out of order: %v", seed, steps)
			}
			if workers == 3 {
				if len(steps) != 5 {
					t.Fatalf("seed %d: %v, want each action once", seed, steps)
				}
				var order []action
				for _, s := range steps {
					order = append(order, s.Do)
				}
				orders[fmt.Sprint(order)] = true
			}
		}
	}
	if len(orders) != 30 { // 5! orders, a quarter of which have both pairs the right way round
		t.Errorf("500 seeds gave %d orders, want all 30", len(orders))
	}
}

func TestAScheduleFollowsFromItsSeed(t *testing.T) {
	if a, b := schedule(7, 1000, 3), schedule(7, 1000, 3); !reflect.DeepEqual(a, b) {
		t.Errorf("the same seed gave %v and %v", a, b)
	}
	if a, b := schedule(7, 1000, 3), schedule(8, 1000, 3); reflect.DeepEqual(a, b) {
		t.Errorf("two seeds gave %v", a)
	}
}

func TestAScheduleOfATinyLogStillFits(t *testing.T) {
	for total := range 10 {
		steps := schedule(1, total, 3)
		if len(steps) != 5 || !slices.IsSortedFunc(steps, func(a, b step) int { return a.After - b.After }) || steps[4].After > total {
			t.Errorf("%d records: %v", total, steps)
		}
	}
}

func TestPickStaysAmongTheCandidates(t *testing.T) {
	for _, s := range schedule(1, 1000, 3) {
		for n := 1; n < 9; n++ {
			if i := s.pick(n); i < 0 || i >= n {
				t.Errorf("pick(%d) = %d", n, i)
			}
		}
	}
}

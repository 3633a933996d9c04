package shard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/internal/scenariotest"
)

func TestPlanScenarios(t *testing.T) {
	scenariotest.Run(t, "testdata/plan.txt", func(t *testing.T, input []string) []string {
		v := View{Settle: 10 * time.Second, HandoverTimeout: 30 * time.Second}
		number := func(s string) int {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		duration := func(s string) time.Duration {
			d, err := time.ParseDuration(s)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		for _, line := range input {
			words := strings.Fields(line)
			switch words[0] {
			case "moves":
				v.Moves = number(words[1])
			case "worker": // id [age] [leaving] [idle] [silent] [max=n]
				w := WorkerView{ID: words[1], Age: time.Hour}
				for _, word := range words[2:] {
					most, isMax := strings.CutPrefix(word, "max=")
					switch {
					case word == "leaving":
						w.Leaving = true
					case word == "idle":
						w.Idle = true
					case word == "silent":
						w.Silent = true
					case isMax:
						w.MaxLeases = number(most)
					default:
						w.Age = duration(word)
					}
				}
				v.Workers = append(v.Workers, w)
			case "lease": // first..last owner|holder→target|free [waiting] [free] [spare] [asked=d] [load=n]
				l := LeaseView{Runnable: true, Owner: words[2]}
				if l.Owner == "free" {
					l.Owner, l.Free = "", true
				}
				if holder, target, ok := strings.Cut(words[2], "→"); ok {
					l.CheckpointOwner, l.Owner = holder, target
				}
				for _, word := range words[3:] {
					name, value, _ := strings.Cut(word, "=")
					switch name {
					case "waiting":
						l.Runnable = false
					case "free":
						l.Free = true
					case "spare":
						l.Spare = true
					case "asked":
						l.Asked = duration(value)
					case "load":
						l.Load = float64(number(value))
					default:
						t.Fatalf("no such word: %s", word)
					}
				}
				first, last, many := strings.Cut(words[1], "..")
				if !many {
					last = first
				}
				for i := number(first); i <= number(last); i++ {
					l.Key = fmt.Sprintf("s%02d", i)
					v.Leases = append(v.Leases, l)
				}
			default:
				t.Fatalf("no such line: %s", line)
			}
		}
		var out []string
		for _, w := range v.Workers {
			v.Me = w.ID
			if m := Plan(v); !m.Empty() {
				out = append(out, w.ID+": "+m.String())
			}
		}
		if len(out) == 0 {
			out = append(out, "nobody moves")
		}
		return out
	})
}

func TestFleetConvergesAndFallsSilent(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 8))
		n := 1 + random.IntN(120)
		c := newCrowd(seed, 1+random.IntN(10), n)
		if taken, _ := c.round(t); taken != n {
			t.Fatalf("seed %d: %d of %d free leases taken in the first round", seed, taken, n)
		}
		c.settle(t)
		for range 8 {
			if random.IntN(2) == 0 || len(c.workers) == 1 {
				c.join(0)
				taken, asked := c.settle(t)
				if most := (n + len(c.workers) - 1) / len(c.workers); taken != 0 || asked > most {
					t.Fatalf("seed %d: a join moved %d of %d leases among %d, want at most %d", seed, asked+taken, n, len(c.workers), most)
				}
				continue
			}
			gone := random.IntN(len(c.workers))
			counts, _ := c.held()
			c.die(gone)
			taken, _ := c.round(t)
			if taken != counts[gone] {
				t.Fatalf("seed %d: %d leases of a dead worker taken in one round, want %d", seed, taken, counts[gone])
			}
			if _, asked := c.settle(t); asked != 0 {
				t.Fatalf("seed %d: a death moved %d leases of the living", seed, asked)
			}
		}
		for range 3 {
			if taken, asked := c.round(t); taken+asked > 0 {
				t.Fatalf("seed %d: a settled fleet moved %d leases", seed, taken+asked)
			}
		}
	}
}

// What falls free while other workers may be dying is taken in one round by those
// that are heard, and the balance is among those.
func TestNothingWaitsForAWorkerThatIsSilent(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 12))
		c := newCrowd(seed, 3+random.IntN(8), 1+random.IntN(120))
		c.settle(t)
		gone := random.IntN(len(c.workers))
		counts, _ := c.held()
		c.die(gone)
		heard := 0
		for i := range c.workers {
			if c.workers[i].Silent = random.IntN(2) == 0; !c.workers[i].Silent {
				heard++
			}
		}
		if heard == 0 {
			continue
		}
		before, _ := c.held()
		taken, asked := c.round(t)
		after, _ := c.held()
		if taken != counts[gone] || asked != 0 {
			t.Fatalf("seed %d: %d taken and %d asked for, want %d and none", seed, taken, asked, counts[gone])
		}
		var counted []int
		for i, w := range c.workers {
			if w.Silent && after[i] != before[i] {
				t.Fatalf("seed %d: a silent worker has %d leases, and had %d", seed, after[i], before[i])
			}
			if !w.Silent {
				counted = append(counted, after[i])
			}
		}
		if slices.Max(counted)-slices.Min(counted) > 1 {
			t.Fatalf("seed %d: those that are heard have %v", seed, after)
		}
		for i := range c.workers { // they were alive after all
			c.workers[i].Silent = false
		}
		c.settle(t)
	}
}

// Workers join and die while hand-overs are under way; when it is over, every
// lease has an owner and the fleet is in balance.
func TestFleetConvergesAfterTurmoil(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 11))
		c := newCrowd(seed, 3, 1+random.IntN(100))
		for range 40 {
			switch {
			case random.IntN(3) == 0:
				c.join(0)
			case random.IntN(3) == 0 && len(c.workers) > 1:
				c.die(random.IntN(len(c.workers)))
			}
			c.round(t)
		}
		c.settle(t)
	}
}

func TestFleetKeepsToMaxLeases(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 9))
		c := newCrowd(seed, 0, 60)
		limits := 0
		for range 6 {
			most := 1 + random.IntN(20)
			limits += most
			c.join(most)
		}
		for range 100 {
			c.round(t)
		}
		counts, _ := c.held()
		total := 0
		for i, n := range counts {
			if total += n; n > c.workers[i].MaxLeases {
				t.Fatalf("seed %d: worker with at most %d has %d", seed, c.workers[i].MaxLeases, n)
			}
		}
		if want := min(60, limits); total != want {
			t.Fatalf("seed %d: %d leases are worked, want %d", seed, total, want)
		}
	}
}

func TestPlanIgnoresWhatDoesNotRun(t *testing.T) {
	v := View{Me: "a", Workers: []WorkerView{{ID: "a"}, {ID: "b"}}}
	for i := range 10 {
		v.Leases = append(v.Leases, LeaseView{Key: strconv.Itoa(i), Owner: "a"})
	}
	if m := Plan(v); !m.Empty() {
		t.Errorf("%s, though nothing is runnable", m)
	}
	if m := Plan(View{Me: "a"}); !m.Empty() {
		t.Errorf("%s without workers or leases", m)
	}
	v.Me = "unknown"
	v.Leases = []LeaseView{{Key: "k", Free: true, Runnable: true}}
	if m := Plan(v); !m.Empty() {
		t.Errorf("%s by a worker that is not in the fleet", m)
	}
}

func ExamplePlan() {
	view := View{
		Workers: []WorkerView{{ID: "ant"}, {ID: "bee"}},
		Leases: []LeaseView{
			{Key: "s1", Owner: "ant", Runnable: true},
			{Key: "s2", Owner: "ant", Runnable: true},
			{Key: "s3", Owner: "ant", Runnable: true},
			{Key: "s4", Free: true, Runnable: true},
		},
	}
	for _, view.Me = range []string{"ant", "bee"} {
		fmt.Printf("%s: %s\n", view.Me, Plan(view))
	}
	// Output:
	// ant: ask s3 ant→bee
	// bee: take s4
}

// BenchmarkPlan is one round of one of 50 workers, of which one has died, over
// 10,000 leases.
func BenchmarkPlan(b *testing.B) {
	c := newCrowd(1, 50, 10_000)
	for i := range c.leases {
		c.leases[i].Owner, c.leases[i].Free = c.workers[i%50].ID, false
	}
	c.die(7)
	v := View{Me: c.workers[0].ID, Workers: c.workers, Leases: c.leases}
	b.ReportAllocs()
	for b.Loop() {
		Plan(v)
	}
}

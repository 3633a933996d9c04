package swarmtest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Int("seeds", 200, "how many seeds are played")
	first = flag.Uint64("first", 1, "the first of them")
	world = flag.String("world", "fakes", "what they are played on: fakes or sdk")
	size  = flag.String("size", "small", "how large the fleets are: small or large")
	loud  = flag.Bool("loud", false, "tell what happens in each seed")
)

// worlds are what plans can be played on.
var worlds = map[string]func(*testing.T, *Plan) World{
	"fakes": func(_ *testing.T, p *Plan) World { return Fakes(p) },
}

var sizes = map[string]Size{"small": Small, "large": Large}

// total is what all seeds of TestSwarm came to.
var total struct {
	mu           sync.Mutex
	ran          bool
	Seeds        int     `json:"seeds"`
	First        uint64  `json:"first"`
	Violations   int     `json:"violations"`
	VirtualHours float64 `json:"virtual_hours"`
	Kills        int     `json:"kills"`
	Deliveries   int     `json:"deliveries"`
	Repeats      int     `json:"repeats"`
}

func TestMain(m *testing.M) {
	code := m.Run()
	if total.ran {
		line, _ := json.Marshal(&total)
		fmt.Println(string(line))
	}
	os.Exit(code)
}

// one plays one seed.
func one(t *testing.T, seed uint64, size Size, world func(*testing.T, *Plan) World) (r Result) {
	plan := Draw(seed, size)
	defer func() {
		if v := recover(); v != nil { // a bubble in which nothing can go on
			r.Violations = append(r.Violations, fmt.Sprint(v))
		}
	}()
	synctest.Test(t, func(t *testing.T) { r = Play(world(t, &plan), &plan) })
	return r
}

// No fleet breaks a promise, whatever strikes it. A failing seed is played again
// by the command that its failure names.
func TestSwarm(t *testing.T) {
	open, of := worlds[*world], sizes[*size]
	if open == nil || of.Name == "" {
		t.Fatalf("there is no world %q, or no size %q", *world, *size)
	}
	total.ran, total.First = true, *first
	var next atomic.Int64
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("part=", i), func(t *testing.T) {
			t.Parallel()
			for n := next.Add(1) - 1; n < int64(*seeds); n = next.Add(1) - 1 {
				seed := *first + uint64(n)
				began := time.Now()
				r := one(t, seed, of, open)
				if *loud {
					plan := Draw(seed, of)
					t.Logf("seed %d (%v, trace %x): %s\n%+v\n%v", seed, time.Since(began), r.Trace, plan, plan.Settings, plan.Events)
					t.Logf("%+v", r)
				}
				for _, v := range r.Violations {
					t.Error(v)
				}
				if len(r.Violations) > 0 {
					plan := Draw(seed, of)
					t.Errorf("seed %d: %s\nto play it again: go test ./internal/swarmtest -run 'TestSwarm$' -world %s -size %s -seeds 1 -first %d", seed, plan, *world, *size, seed)
				}
				total.mu.Lock()
				total.Seeds++
				total.Violations += min(len(r.Violations), 1)
				total.VirtualHours += r.Took.Hours()
				total.Kills += r.Kills
				total.Deliveries += r.Deliveries
				total.Repeats += r.Repeats
				total.mu.Unlock()
			}
		})
	}
}

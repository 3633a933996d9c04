package streamtest_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
)

var paceSeeds = flag.Int("paceseeds", 200, "how many seeds of the random limits")

// A fleet whose limit is changed, to 0 and back among others, while workers come,
// stop, die, are paused for longer than their leases last, and are cut off from
// the table: the handlers that truly run are never more than the limit. After
// it was lowered they are never more than the higher one was, and no more than
// the new one once every worker has acknowledged it or ended, which takes
// seconds, or as long as a lease lasts where a worker is silent. Nothing that
// waits burns an attempt, and when all is calm the whole limit is used and
// everything is handled. A failing seed is tried again with
// -run TestFleetNeverRunsMoreThanItsLimit -seed N -paceseeds 1.
func TestFleetNeverRunsMoreThanItsLimit(t *testing.T) {
	n := *paceSeeds
	if raceEnabled {
		n = min(n, 10)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomLimits(t, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

// silence is how long a worker that says nothing more may hold up what the others
// wait for: until it is found silent, and then some rounds.
const silence = 12 * time.Second

func randomLimits(t *testing.T, r *rand.Rand) {
	p := newPaced(t, r)
	names := 0
	start := func() { names++; p.start(fmt.Sprint("w", names)) }
	some := func() *pacedWorker { // one that lives
		p.mu.Lock()
		defer p.mu.Unlock()
		var live []*pacedWorker
		for i := 1; i <= names; i++ {
			if w := p.workers[fmt.Sprint("w", i)]; w != nil && !w.dead {
				live = append(live, w)
			}
		}
		return live[p.r.IntN(len(live))]
	}
	dice := func(n int) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.r.IntN(n)
	}
	put := 0
	fill := func(n int) {
		for range n {
			p.stream.Put(fmt.Sprint("key-", put), []byte(fmt.Sprint(put)))
			put++
		}
	}
	kill := func(w *pacedWorker) {
		w.freeze()
		w.mu.Lock()
		w.dead = true
		w.mu.Unlock()
	}
	defer func() {
		for i := 1; i <= names; i++ {
			p.end(p.workers[fmt.Sprint("w", i)])
		}
	}()
	if dice(2) == 0 {
		p.set(5)
	}
	for range 3 {
		start()
	}
	fill(400)
	p.pass(time.Duration(dice(15)) * time.Second)
	limits := []int{5, 2, 0, 7, math.MaxInt, 1, 3}
	p.set(5)
	for range 20 {
		p.pass(time.Duration(200+dice(4000)) * time.Millisecond)
		switch dice(12) {
		case 0:
			kill(some())
			start()
		case 1:
			w := some()
			w.mu.Lock()
			w.dead = true // nothing more is done to it
			w.mu.Unlock()
			w.cancel()
			start()
		case 2:
			start()
		case 3, 4:
			some().freeze()
		case 5:
			w := some()
			w.mu.Lock()
			w.cut = true
			w.mu.Unlock()
		case 6:
			p.heal()
		default:
			p.set(limits[dice(len(limits))])
		}
		fill(5)
	}

	// The stop switch, with whatever is wrong at the moment, and one worker that is
	// not: somebody must find the others silent.
	start()
	p.set(0)
	p.pass(silence)
	p.mu.Lock()
	before := p.started
	p.mu.Unlock()
	p.pass(20 * time.Second)
	p.mu.Lock()
	if p.started != before {
		t.Errorf("%d handlers were started while the limit was 0", p.started-before)
	}
	if p.allowed != 0 {
		t.Errorf("%v after a limit of 0 was set, the fleet is not known to keep to it", time.Since(p.lowered))
	}
	p.mu.Unlock()

	// All is well again: the whole limit is used.
	p.heal()
	p.set(7)
	p.pass(5 * time.Second)
	p.mu.Lock()
	p.peak = 0
	p.mu.Unlock()
	for began := time.Now(); ; p.pass(time.Second) {
		fill(60) // there is always work for all
		p.mu.Lock()
		peak, isolates := p.peak, p.isolates
		p.mu.Unlock()
		if peak == 7 || isolates {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Errorf("%d handlers run at most when all is well, want the limit of 7", peak)
			break
		}
	}
	p.set(math.MaxInt)
	for began := time.Now(); ; p.pass(time.Second) {
		p.mu.Lock()
		done, limit := len(p.handled) == put, 5*time.Minute
		if p.isolates {
			limit = time.Hour // a record at a time
		}
		p.mu.Unlock()
		if done {
			return
		}
		if time.Since(began) > limit {
			t.Fatalf("%d of %d records are handled", len(p.handled), put)
		}
	}
}

// The same through the driver of DynamoDB: a limit, the stop switch and a pause
// reach every worker of a fleet, and nothing is lost, repeated or given up.
func TestFleetIsSteeredThroughDynamoDB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		var mu sync.Mutex
		now, peak, calls := 0, 0, 0
		var workers []*streamtest.Worker
		for i := range 3 {
			workers = append(workers, rig.Start(fmt.Sprint("w", i), func(c *consumer.Config) {
				c.BatchSize, c.ParallelizationFactor = 5, 4
				c.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
					mu.Lock()
					now, calls = now+1, calls+1
					peak = max(peak, now)
					mu.Unlock()
					time.Sleep(200 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					now--
					return nil
				})
			}))
		}
		begun := func() int {
			mu.Lock()
			defer mu.Unlock()
			return calls
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		steer := consumer.Steer(rig.Config("operator").Leases)
		rig.Await("every worker has shards", func() bool {
			for _, w := range workers {
				if len(w.Consumer.Status().Shards) == 0 {
					return false
				}
			}
			return true
		})
		must(steer.SetFleetConcurrency(t.Context(), batching.AtMost(2)))
		rig.Await("the limit is kept", func() bool { keeps, err := steer.FleetKeeps(t.Context()); return err == nil && keeps })
		mu.Lock()
		peak = 0
		mu.Unlock()
		rig.PutN(400, 100)
		// There are fewer calls than workers: turns are taken, and none starves.
		rig.Await("everything finished by turns", rig.AllDone)
		mu.Lock()
		if peak != 2 {
			t.Errorf("%d calls ran at once, want the limit of 2", peak)
		}
		mu.Unlock()

		must(steer.SetFleetConcurrency(t.Context(), batching.AtMost(0)))
		time.Sleep(4 * time.Second)
		stopped := begun()
		rig.PutN(200, 100)
		time.Sleep(10 * time.Minute)
		if n := begun() - stopped; n != 0 {
			t.Errorf("%d calls were made with a limit of 0", n)
		}
		must(steer.Pause(t.Context(), consumer.PauseOf{}))
		must(steer.SetFleetConcurrency(t.Context(), batching.Unlimited))
		time.Sleep(time.Minute)
		if n := begun() - stopped; n != 0 {
			t.Errorf("%d calls were made while all is paused", n)
		}
		must(steer.Resume(t.Context(), consumer.PauseOf{}))
		rig.Await("everything finished", rig.AllDone)
	})
}

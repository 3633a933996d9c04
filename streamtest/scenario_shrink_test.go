package streamtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A host dies at any moment of the heartbeat. Its shards are worked again within
// twelve seconds at the defaults, and nothing is missing.
func TestScenarioKilledWorkerIsReplacedWithin12s(t *testing.T) {
	var worst time.Duration
	for ms := 0; ms < 1200; ms += 100 {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 4)
			defer rig.Close()
			a, _ := two(rig, 4)
			stop := flow(t, rig, 20*time.Millisecond)
			time.Sleep(2*time.Second + time.Duration(ms)*time.Millisecond)
			killed := time.Now()
			a.Kill()
			rig.Await("b has all", holds(rig, "b", 4))
			time.Sleep(2 * time.Second)
			stop()
			rig.Await("all done", rig.AllDone)
			for i := range 4 {
				took := firstCall(rig, killed, shardName(i), "a").Sub(killed)
				worst = max(worst, took)
				if took < 0 || took > 12*time.Second {
					t.Errorf("killed %d ms into it: %s was worked again only after %v", ms, shardName(i), took)
				}
			}
		})
	}
	t.Logf("at worst after %v", worst)
}

// A worker is stopped while records keep coming, with one lane or eight, with
// quick handlers or slow ones that end within the drain time. Each of its shards
// is worked again within a second of the moment it let go, and nothing is
// handled twice.
func TestScenarioStoppedWorkerRepeatsNothing(t *testing.T) {
	for _, lanes := range []int{1, 8} {
		for _, takes := range []time.Duration{0, 300 * time.Millisecond, 4 * time.Second} {
			t.Run(fmt.Sprintf("lanes=%d handler=%v", lanes, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rig := streamtest.New(t, 4)
					defer rig.Close()
					set := func(c *consumer.Config) {
						c.ParallelizationFactor, c.Handler = lanes, slow(takes)
						c.BatchSize = 20
					}
					a, _ := two(rig, 4, set)
					var mine []string
					for _, row := range rig.Rows() {
						if nameOf(row.Owner) == "a" {
							mine = append(mine, row.Shard)
						}
					}
					stop := flow(t, rig, 20*time.Millisecond)
					time.Sleep(11*time.Second + 130*time.Millisecond)
					began := time.Now()
					took, err := a.Stop()
					if err != nil {
						t.Errorf("stop: %v", err)
					}
					if bound := 2*takes + time.Second; took > bound {
						t.Errorf("the stop took %v, want at most %v", took, bound)
					}
					time.Sleep(3 * time.Second)
					stop()
					rig.Await("all done", rig.AllDone)
					for _, s := range mine {
						left := began
						for _, c := range rig.Ledger.Calls() {
							if c.Shard == s && c.Worker == "a" && c.Ended.After(left) {
								left = c.Ended
							}
						}
						if gap := firstCall(rig, began, s, "a").Sub(left); gap < 0 || gap > time.Second {
							t.Errorf("%s was worked again %v after it had been let go", s, gap)
						}
					}
					if n := rig.Ledger.Repeated(); n != 0 {
						t.Errorf("%d records were handled twice", n)
					}
				})
			})
		}
	}
}

// A whole fleet is stopped at once, as by a deployment that stops all before it
// starts any. Nobody gives a shard to a worker that is leaving too: no row names
// an owner afterwards, and the next worker has every shard within a second and a
// half, without waiting for a lease to run out.
func TestScenarioFleetStoppedAtOnceLeavesNoOwner(t *testing.T) {
	for _, takes := range []time.Duration{0, 40 * time.Millisecond} {
		t.Run(takes.String(), func(t *testing.T) { fleetStoppedAtOnce(t, takes) })
	}
}

func fleetStoppedAtOnce(t *testing.T, takes time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 6)
		defer rig.Close()
		set := func(c *consumer.Config) { c.Handler, c.BatchSize = slow(takes), 5 }
		fleet := []*streamtest.Worker{rig.Start("a", set), rig.Start("b", set), rig.Start("c", set)}
		rig.Await("all work", everyHolder(rig, 6, "a", "b", "c"))
		stop := flow(t, rig, 10*time.Millisecond)
		time.Sleep(12 * time.Second)
		var stops sync.WaitGroup
		for _, w := range fleet {
			stops.Go(func() {
				if _, err := w.Stop(); err != nil {
					t.Errorf("stop: %v", err)
				}
			})
		}
		stops.Wait()
		for _, row := range rig.Rows() {
			if row.Owner != "" {
				t.Errorf("%s is left with the owner %s", row.Shard, row.Owner)
			}
		}
		began := time.Now()
		rig.Start("d", set)
		rig.Await("d works", holds(rig, "d", 6))
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("the next worker had every shard after %v", took)
		}
		stop()
		rig.Await("all done", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice", n)
		}
	})
}

// A worker is stopped while the lease table takes no writes, though the sessions
// can be written. The stop ends all the same, soon after the drain time, and
// what it could not let go is taken over later.
func TestScenarioStopEndsThoughTheTableTakesNoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		a := rig.Start("a")
		rig.PutN(100, 10)
		rig.Await("all done", rig.AllDone)
		rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller == "a" && isLeaseWrite(c) {
				return awsfake.Fail("AccessDeniedException", 400)
			}
			return awsfake.Fault{}
		})
		if took, _ := a.Stop(); took > 35*time.Second {
			t.Errorf("the stop took %v", took)
		}
		rig.Start("b")
		rig.PutN(100, 10)
		rig.Await("b has all", rig.AllDone)
	})
}

// A process crashes and starts again under the same name, with nobody else
// there. All its shards are worked again within one lease.
func TestScenario09RestartUnderTheSameName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 6)
		defer rig.Close()
		same := func(c *consumer.Config) { c.WorkerPrefix = "pod-0" }
		a := rig.Start("before", same)
		stop := flow(t, rig, 10*time.Millisecond)
		time.Sleep(3 * time.Second)
		a.Kill()
		rig.Start("after", same)
		restarted := time.Now()
		rig.Await("all work again", func() bool {
			for i := range 6 {
				if firstCall(rig, restarted, shardName(i), "before").IsZero() {
					return false
				}
			}
			return true
		})
		if took := time.Since(restarted); took > 11*time.Second {
			t.Errorf("it took %v until all shards were worked again", took)
		}
		stop()
		rig.Await("all done", rig.AllDone)
	})
}

// A second worker dies while the first is being waited for. What the first had falls
// free when its time is over, and none of it waits for the second, though that one
// is not known to be dead by then; nor does what a third gives away as it stops.
func TestScenario09NothingWaitsForASecondWorkerThatDied(t *testing.T) {
	for _, later := range []time.Duration{3 * time.Second, 6 * time.Second, 8500 * time.Millisecond} {
		t.Run(later.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 30)
				defer rig.Close()
				workers := map[string]*streamtest.Worker{}
				for _, name := range []string{"a", "b", "c", "d", "e"} {
					workers[name] = rig.Start(name)
				}
				rig.Await("all work", everyHolder(rig, 30, "a", "b", "c", "d", "e"))
				time.Sleep(20 * time.Second)
				owned := func() map[string]string {
					owners := map[string]string{}
					for _, row := range rig.Rows() {
						owners[row.Shard] = nameOf(row.Holder())
					}
					return owners
				}
				before := owned()
				workers["a"].Kill()
				died := time.Now()
				time.Sleep(later)
				workers["b"].Kill()
				rig.Await("nobody waits for a", func() bool {
					for shardID, owner := range owned() {
						if before[shardID] == "a" && (owner == "a" || owner == "b") {
							return false
						}
					}
					return true
				})
				// A lease, a second until all have seen it, and one in which nobody takes
				// what falls to b.
				if took := time.Since(died); took > 12*time.Second {
					t.Errorf("what a had was free for %v after its death", took)
				}
				if d := time.Until(died.Add(later + 4*time.Second)); d > 0 {
					time.Sleep(d)
				}
				if _, err := workers["c"].Stop(); err != nil {
					t.Error(err)
				}
				for shardID, owner := range owned() {
					if before[shardID] == "c" && owner != "d" && owner != "e" {
						t.Errorf("%s of c, which has stopped, is %s's", shardID, owner)
					}
				}
				rig.PutN(100, 100)
				rig.Await("all done", rig.AllDone)
			})
		})
	}
}

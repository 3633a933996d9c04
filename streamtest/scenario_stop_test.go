package streamtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A worker is told to stop in the worst moments: while a child waits for its
// parent, while Kinesis or DynamoDB throttles everything, while the destination
// refuses or hangs, while DynamoDB is gone, while thirty shards are busy, while
// handlers ignore nothing but take their time. It is back within the drain time
// and a little more; its leases are let go, or, where the table cannot be
// reached, left to expire; no goroutine is left, or the bubble would not end; and
// another worker finishes everything.
func TestScenario50StopInTheWorstMoment(t *testing.T) {
	const drain = 10 * time.Second
	throttled := func(service, code string) func(*testing.T, *streamtest.Rig) func() {
		return func(_ *testing.T, rig *streamtest.Rig) func() {
			return rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if c.Caller == "w1" && c.Service == service {
					return awsfake.Fail(code, 400)
				}
				return awsfake.Fault{}
			})
		}
	}
	refusing := func(_ context.Context, b *batching.Batch) error { return batching.Reject(b.First(), fmt.Errorf("bad")) }
	for _, test := range []struct {
		name    string
		shards  int
		handler func(context.Context, *batching.Batch) error
		trouble func(t *testing.T, rig *streamtest.Rig) (heal func())
		most    time.Duration // that the stop may take
		keeps   bool          // its leases cannot be let go
	}{
		{"idle", 4, nil, nil, time.Second, false},
		{"busy with 30 shards", 30, lingering(2 * time.Second), nil, 3 * time.Second, false},
		{"handlers that need all the time there is", 3, lingering(time.Hour), nil, drain + time.Second, false},
		{"waiting for a parent", 1, lingering(5 * time.Second), func(t *testing.T, rig *streamtest.Rig) func() {
			splitShard(t, rig, shardName(0))
			rig.PutN(40, 20)
			return func() {}
		}, 6 * time.Second, false},
		{"Kinesis throttles", 4, nil, throttled("kinesis", "ProvisionedThroughputExceededException"), time.Second, false},
		{"Kinesis is gone", 4, nil, func(_ *testing.T, rig *streamtest.Rig) func() { return rig.AWS.Cut("w1", "kinesis") }, time.Second, false},
		{"Kinesis answers nothing", 4, nil, func(_ *testing.T, rig *streamtest.Rig) func() { return rig.AWS.Blackhole("w1", "kinesis") }, time.Second, false},
		{"DynamoDB throttles", 4, nil, throttled("dynamodb", "ProvisionedThroughputExceededException"), drain + 5*time.Second, true},
		{"DynamoDB is gone", 4, lingering(time.Second), func(_ *testing.T, rig *streamtest.Rig) func() { return rig.AWS.Cut("w1", "dynamodb") }, drain + 5*time.Second, true},
		{"DynamoDB answers nothing", 4, nil, func(_ *testing.T, rig *streamtest.Rig) func() { return rig.AWS.Blackhole("w1", "dynamodb") }, drain + 10*time.Second, true},
		{"everything is gone", 4, nil, func(_ *testing.T, rig *streamtest.Rig) func() { return rig.AWS.Cut("w1", "") }, drain + 5*time.Second, true},
		{"the destination refuses", 4, refusing, func(_ *testing.T, rig *streamtest.Rig) func() {
			rig.Failed.Behave(destinationtest.Refuse)
			return func() { rig.Failed.Behave(nil) }
		}, drain + time.Second, false},
		{"the destination hangs", 4, refusing, func(_ *testing.T, rig *streamtest.Rig) func() {
			rig.Failed.Behave(destinationtest.Hang)
			return func() { rig.Failed.Behave(nil) }
		}, drain + time.Second, false},
	} {
		for _, after := range []time.Duration{0, 100 * time.Millisecond, 3 * time.Second} {
			t.Run(fmt.Sprintf("%s for %v", test.name, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rig := streamtest.New(t, test.shards)
					defer rig.Close()
					w1 := rig.Start("w1", func(c *consumer.Config) {
						c.DrainTimeout, c.BatchSize = drain, 10
						if test.handler != nil {
							c.Handler = consumer.HandlerFunc(test.handler)
						}
					})
					rig.Await("the shards", func() bool { return works(w1, test.shards) })
					rig.PutN(20*test.shards, 10*test.shards)
					heal := func() {}
					if test.trouble != nil {
						heal = test.trouble(t, rig)
					}
					time.Sleep(after)
					took, err := w1.Stop()
					if err != nil {
						t.Errorf("Run returned %v, want nil: it was told to stop", err)
					}
					if took > test.most {
						t.Errorf("the stop took %v, want at most %v", took, test.most)
					}
					for _, row := range rig.Rows() {
						if row.Holder() != "" && !row.Finished() && !test.keeps {
							t.Errorf("the row is left as %s, want it free", row)
						}
					}
					heal()
					rig.Start("w2")
					rig.Await("everything by another worker", rig.AllDone)
				})
			})
		}
	}
}

// A worker is stopped at random points, again and again, each time followed by
// another that goes on: at once, in the middle of its start, of reads, of calls,
// of writes. Every stop is short and without error, all records are handled, in
// order, and not one of them twice.
func TestScenario51StopAtRandomPoints(t *testing.T) {
	rigs, stops := 8, 250
	if raceEnabled {
		rigs, stops = 4, 50
	}
	for seed := range uint64(rigs) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 51))
				rig := streamtest.New(t, 1+random.IntN(2))
				defer rig.Close()
				for i := range stops {
					for range random.IntN(4) {
						rig.Put("key-"+strconv.Itoa(random.IntN(5)), "data")
					}
					lanes := 1 + random.IntN(3)
					took := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
					w := rig.Start(fmt.Sprint("w", i), func(c *consumer.Config) {
						c.BatchSize, c.ParallelizationFactor = 1+random.IntN(4), lanes
						c.CheckpointInterval = 5 * time.Millisecond
						c.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error { time.Sleep(took); return nil })
					})
					// Half of them within the start and the first reads.
					time.Sleep(time.Duration(random.Int64N(int64(10*time.Millisecond) << random.IntN(6))))
					if took, err := w.Stop(); err != nil || took > 2*time.Second {
						t.Errorf("stop %d took %v and returned %v, want at most 2s and nil", i, took, err)
					}
				}
				rig.Start("last")
				rig.Await("everything", rig.AllDone)
				if n := rig.Ledger.Repeated(); n != 0 {
					t.Errorf("%d records were handled twice, want none: stops repeat nothing", n)
				}
			})
		})
	}
}

// A worker with many lanes is stopped while calls are running. It waits for them,
// and for the slowest lane to come level with the furthest; the last position
// includes what they finished, and the next worker repeats nothing.
func TestScenario52StopWaitsForWhatIsInFlight(t *testing.T) {
	for _, lanes := range []int{1, 4, 16} {
		for _, unordered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d lanes, unordered %v", lanes, unordered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rig := streamtest.New(t, 3)
					defer rig.Close()
					if unordered {
						rig.Ledger.Unordered()
					}
					rig.PutN(1_200, 150)
					change := func(c *consumer.Config) {
						c.ParallelizationFactor, c.BatchSize, c.Unordered = lanes, 7, unordered
						c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
							return lingering(100*time.Millisecond+rand.N(300*time.Millisecond))(ctx, b)
						})
					}
					for i := range 5 {
						w := rig.Start(fmt.Sprint("w", i), change)
						time.Sleep(500*time.Millisecond + rand.N(time.Second))
						running := 0
						for _, s := range w.Consumer.Status().Shards {
							running += s.Busy
						}
						before := rig.Ledger.Handled()
						took, err := w.Stop()
						// With lanes by key the slowest finishes what lies before the
						// furthest record that any lane was given.
						if err != nil || took > 25*time.Second || (lanes == 1 || unordered) && took > time.Second {
							t.Errorf("the stop took %v and returned %v, want less than the drain time and nil", took, err)
						}
						if running > 0 && rig.Ledger.Handled() == before && !rig.AllDone() {
							t.Errorf("%d calls were running and none was waited for", running)
						}
					}
					rig.Start("last")
					rig.Await("everything", rig.AllDone)
					exactly(t, rig, 1_200)
				})
			})
		}
	}
}

// One of three workers leaves. The others have its shards at once, each its fair
// share, and nothing is repeated.
func TestScenario53PeersTakeOverAtOnce(t *testing.T) {
	const shards = 9
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, shards)
		defer rig.Close()
		stop := flow(t, rig, 20*time.Millisecond)
		fleet := map[string]*streamtest.Worker{}
		for _, name := range []string{"w1", "w2", "w3"} {
			fleet[name] = rig.Start(name, handling(lingering(50*time.Millisecond)))
		}
		rig.Await("three shards each", func() bool {
			return holds(rig, "w1", 3)() && holds(rig, "w2", 3)() && holds(rig, "w3", 3)()
		})
		time.Sleep(30 * time.Second) // the fleet has settled
		left := time.Now()
		took, err := fleet["w2"].Stop()
		if err != nil || took > time.Second {
			t.Errorf("the stop took %v and returned %v, want at most 1s and nil", took, err)
		}
		rig.Await("all shards have owners", func() bool {
			n := holdings(rig)
			return n["w1"]+n["w3"] == shards && n["w2"] == 0
		})
		if took := time.Since(left); took > time.Second {
			t.Errorf("the others had the shards after %v, want at most 1s", took)
		}
		for n := range shards {
			if first := firstCall(rig, left, shardName(n), "w2"); first.Sub(left) > 5*time.Second {
				t.Errorf("%s was worked by another after %v, want at most 5s", shardName(n), first.Sub(left))
			}
		}
		rig.Await("fair shares", func() bool {
			n := holdings(rig)
			return max(n["w1"], n["w3"])-min(n["w1"], n["w3"]) <= 1
		})
		if took := time.Since(left); took > 5*time.Second {
			t.Errorf("the shares were fair after %v, want at most 5s", took)
		}
		stop()
		rig.Await("everything", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice, want none", n)
		}
	})
}

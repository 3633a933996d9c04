package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/streamtest"
)

// tantrums is a handler that fails on records by their payload: with an error, a
// panic, an end of its goroutine, or by taking until its context ends.
func tantrums(ctx context.Context, b *batching.Batch) error {
	for _, r := range b.Records {
		switch string(r.Data) {
		case "error":
			return errors.New("no")
		case "panic":
			panic("no")
		case "goexit":
			runtime.Goexit()
		case "slow":
			<-ctx.Done()
			return context.Cause(ctx)
		}
	}
	return nil
}

// Records that make a handler fail, panic, end its goroutine or take too long
// lie among good ones. With bisecting and bounded attempts each is found, alone,
// and goes to the destination; every other record is handled once; nothing is
// skipped.
func TestScenario41PoisonIsFoundAndTheRestIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		poison := []string{"error", "panic", "goexit", "slow"}
		for i, data := range poison {
			rig.PutN(100, 25)
			rig.Put("key-"+strconv.Itoa(i), data)
			rig.PutN(100, 25)
		}
		rig.Start("w1", handling(tantrums), func(c *consumer.Config) {
			c.BisectBatchOnError, c.MaximumRetryAttempts = true, batching.AtMost(2)
			c.HandlerTimeout, c.ParallelizationFactor = time.Second, 4
		})
		rig.Await("everything settled", rig.AllDone)
		exactly(t, rig, 800)
		found := map[string]bool{}
		for _, f := range rig.Failed.Accepted() {
			if len(f.Records) != 1 || f.Condition != destination.RetryAttemptsExhausted || f.Attempts != 3 {
				t.Errorf("the destination accepted %s", f.String())
			}
			found[string(f.Records[0].Data)] = true
		}
		if len(found) != len(poison) || len(rig.Failed.Accepted()) != len(poison) {
			t.Errorf("the destination accepted %v, want %v, each once", found, poison)
		}
	})
}

// A record fails for as long as it pleases, with no bound on its attempts. Only
// its lane waits: all other lanes and shards go on; the position stays before
// the record; and when it recovers, nothing has been skipped or repeated.
func TestScenario41OnlyTheLaneOfAStuckRecordWaits(t *testing.T) {
	for _, mood := range []string{"error", "panic", "goexit", "slow"} {
		t.Run(mood, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				stuckShard, stuckAt := rig.Put("stuck", mood)
				rig.PutN(600, 120)
				var mu sync.Mutex
				recovered := false
				rig.Start("w1", handling(func(ctx context.Context, b *batching.Batch) error {
					mu.Lock()
					fine := recovered
					mu.Unlock()
					if fine {
						return nil
					}
					return tantrums(ctx, b)
				}), func(c *consumer.Config) {
					c.HandlerTimeout, c.ParallelizationFactor, c.BisectBatchOnError = time.Second, 8, true
				})
				rig.Await("the other lanes", handled(rig, 400))
				time.Sleep(time.Minute)
				if n := rig.Ledger.Handled(); n >= 601 || n < 400 {
					t.Errorf("%d of 601 records were handled, want all but those of one lane", n)
				}
				if at := rowOf(rig, stuckShard).Checkpoint; at.IsRecord() {
					t.Errorf("the position of %s is %s, and %s is not finished", stuckShard, at, stuckAt)
				}
				mu.Lock()
				recovered = true
				mu.Unlock()
				rig.Await("everything", rig.AllDone)
				exactly(t, rig, 601)
				if n := len(rig.Failed.Accepted()); n != 0 {
					t.Errorf("%d failures were sent, want none: nobody set a bound", n)
				}
			})
		})
	}
}

// Lanes work at random speed, keys of few and of many records, and the worker
// loses its leases in the middle, by losing the table. Another goes on. The order
// of each key holds, and the position that the first one left is the lowest with
// nothing unfinished before it. In the end it is the last record.
func TestScenario44LanesLoseTheirLeaseMidway(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 44))
				rig := streamtest.New(t, 2)
				defer rig.Close()
				last := map[string]string{}
				for i := range 300 {
					shardID, sequence := rig.Put("key-"+strconv.Itoa(random.IntN(1+random.IntN(40))), strconv.Itoa(i))
					last[shardID] = sequence
				}
				hasty := func(c *consumer.Config) {
					c.ParallelizationFactor, c.BatchSize, c.LeaseDuration = 1+random.IntN(16), 1+random.IntN(8), 3*time.Second
					c.CheckpointInterval = 50 * time.Millisecond
				}
				varied := handling(func(ctx context.Context, b *batching.Batch) error {
					return lingering(rand.N(200*time.Millisecond))(ctx, b)
				})
				w1 := rig.Start("w1", hasty, varied)
				time.Sleep(500 * time.Millisecond)
				rig.Start("w2", hasty, varied)
				time.Sleep(rand.N(time.Second))
				heal := w1.Cut("dynamodb")
				rig.Await("everything", rig.AllDone)
				time.Sleep(5 * time.Second)
				heal()
				time.Sleep(5 * time.Second)
				began := time.Now()
				rig.Await("the last positions", func() bool {
					for shardID, sequence := range last {
						if rowOf(rig, shardID).Checkpoint.Sequence != sequence {
							return false
						}
					}
					return true
				})
				// What the first one finished after it was cut off, the second,
				// perhaps with one lane and one record a call, finishes again.
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("the positions were written %v later, want at most 30s", took)
				}
			})
		})
	}
}

// Records come at random moments, so that batches are now full before their
// window is over and now the other way round, and one shard's handler is slow.
// Within a shard every record comes behind those before it, in every batch; and
// no record of the other shards waits longer than its window, a read and a call.
func TestScenario45WindowAndSizeRace(t *testing.T) {
	const window = time.Second
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(45, 45))
		rig := streamtest.New(t, 3)
		defer rig.Close()
		var mu sync.Mutex
		seen := map[string]*batching.Batch{} // the last one of each shard
		full, waited := 0, 0
		rig.Start("w1", func(c *consumer.Config) {
			c.BatchSize, c.MaximumBatchingWindow = 10, window
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				mu.Lock()
				if before := seen[b.Shard]; before != nil && before.Last().Position().Compare(b.First().Position()) >= 0 {
					t.Errorf("a batch of %s begins at %s after one that ended at %s", b.Shard, b.First().Sequence, before.Last().Sequence)
				}
				for i := 1; i < len(b.Records); i++ {
					if b.Records[i-1].Position().Compare(b.Records[i].Position()) >= 0 {
						t.Errorf("%s lies before %s in a batch", b.Records[i-1].Sequence, b.Records[i].Sequence)
					}
				}
				seen[b.Shard] = b
				if len(b.Records) == 10 {
					full++
				} else {
					waited++
				}
				mu.Unlock()
				if b.Shard == shardName(0) {
					time.Sleep(3 * time.Second) // the slow one
				} else if age := time.Since(b.First().ArrivedAt); age > window+1500*time.Millisecond {
					t.Errorf("a record of %s waited for %v, want at most its window, a read and a call", b.Shard, age)
				}
				return nil
			})
		})
		time.Sleep(5 * time.Second) // the shards have started
		for range 1_500 {
			rig.Put("key-"+strconv.Itoa(random.IntN(100)), "data")
			if random.IntN(40) == 0 {
				time.Sleep(rand.N(3 * time.Second)) // the window is over first
			}
			time.Sleep(rand.N(100 * time.Millisecond))
		}
		rig.Await("everything", rig.AllDone)
		exactly(t, rig, 1_500)
		if full == 0 || waited == 0 {
			t.Errorf("%d batches were full and %d were not, want some of both", full, waited)
		}
	})
}

// A worker is paused while its lane waits to try again, for longer than its
// lease, and another takes over. When it goes on, the first thing that runs is
// that lane: it looks at the deadline of its lease before it calls, and no call
// is begun.
func TestScenario08NoRetryIsBegunAfterAPause(t *testing.T) {
	for _, into := range []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond} {
		t.Run(into.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1)
				defer rig.Close()
				rig.PutN(10, 5)
				w1 := rig.Start("w1", handling(func(context.Context, *batching.Batch) error {
					return batching.RetryAfter(500*time.Millisecond, errors.New("not well"))
				}))
				rig.Await("some tries", func() bool { return len(rig.Ledger.Calls()) >= 3 })
				rig.Start("w2")
				time.Sleep(into)
				resume := w1.Pause()
				rig.Await("everything by the other", rig.AllDone)
				resumed := time.Now()
				resume()
				time.Sleep(20 * time.Second)
				for _, c := range rig.Ledger.Calls() {
					if c.Worker == "w1" && !c.Began.Before(resumed) {
						t.Errorf("w1 began a call %v after it went on, in a tenure that was over", c.Began.Sub(resumed))
					}
				}
				exactly(t, rig, 10)
			})
		})
	}
}

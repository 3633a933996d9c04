package streamtest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

const (
	firstShard  = "shardId-000000000000"
	secondShard = "shardId-000000000001"
)

// handling sets a worker's handler.
func handling(f func(context.Context, *batching.Batch) error) func(*consumer.Config) {
	return func(c *consumer.Config) { c.Handler = consumer.HandlerFunc(f) }
}

// lingering is a handler that takes d for each batch, unless its context ends.
func lingering(d time.Duration) func(context.Context, *batching.Batch) error {
	return func(ctx context.Context, _ *batching.Batch) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// splitShard and mergeShards reshard the rig's stream.
func splitShard(t *testing.T, rig *streamtest.Rig, id string) (lower, upper string) {
	t.Helper()
	lower, upper, err := rig.AWS.Kinesis().Split(streamtest.Stream, id)
	if err != nil {
		t.Fatalf("split %s: %v", id, err)
	}
	return lower, upper
}

func mergeShards(t *testing.T, rig *streamtest.Rig, a, b string) (child string) {
	t.Helper()
	child, err := rig.AWS.Kinesis().Merge(streamtest.Stream, a, b)
	if err != nil {
		t.Fatalf("merge %s and %s: %v", a, b, err)
	}
	return child
}

// shardSpan is when the first call of a shard began and the last one ended, and
// how many records its calls were given.
func shardSpan(rig *streamtest.Rig, id string) (began, ended time.Time, records int) {
	for _, c := range rig.Ledger.Calls() {
		if c.Shard != id {
			continue
		}
		if began.IsZero() {
			began = c.Began
		}
		if c.Ended.IsZero() || c.Ended.After(ended) {
			ended = c.Ended
		}
		records += c.Records
	}
	return began, ended, records
}

// parentsFirst fails the test if a call of a child began before the last call of
// one of its parents had ended.
func parentsFirst(t *testing.T, rig *streamtest.Rig) {
	t.Helper()
	for _, s := range rig.AWS.Kinesis().Shards(streamtest.Stream) {
		began, _, n := shardSpan(rig, s.ID)
		for _, parent := range s.Parents {
			if _, ended, m := shardSpan(rig, parent); n > 0 && m > 0 && began.Before(ended) {
				t.Errorf("%s began %v before its parent %s had ended", s.ID, ended.Sub(began), parent)
			}
		}
	}
}

// exactly fails the test unless every record that was put has been handled, and
// none was given to a handler that a handler had finished before.
func exactly(t *testing.T, rig *streamtest.Rig, want int) {
	t.Helper()
	if got := rig.Ledger.Handled(); got != want {
		t.Errorf("%d records were handled, want %d", got, want)
	}
	if n := rig.Ledger.Repeated(); n != 0 {
		t.Errorf("%d records were handled twice, want none", n)
	}
}

// A stream is split twice, with records in every generation, before anybody
// reads it. Workers that start from its beginning, with handlers of random
// slowness and failure, read grandparents, then parents, then children, and the
// records of each key in the order in which they were put.
func TestScenario20FreshStartOnTwoGenerations(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			luck := rand.New(rand.NewPCG(seed, 20))
			rig := streamtest.New(t, 1+luck.IntN(2))
			defer rig.Close()
			put := 0
			more := func() {
				n := 5 + luck.IntN(25)
				rig.PutN(n, 8)
				put += n
			}
			more()
			lower, upper := splitShard(t, rig, firstShard)
			more()
			for _, id := range []string{lower, upper} {
				if luck.IntN(4) > 0 {
					splitShard(t, rig, id)
					more()
				}
			}
			var mu sync.Mutex // of luck, from here on
			roll := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return luck.IntN(n)
			}
			moody := handling(func(_ context.Context, b *batching.Batch) error {
				time.Sleep(time.Duration(roll(300)) * time.Millisecond)
				if roll(10) == 0 {
					return batching.FailFrom(&b.Records[roll(len(b.Records))], errors.New("not now"))
				}
				return nil
			})
			lanes := func(c *consumer.Config) {
				c.BatchSize, c.ParallelizationFactor = 1+roll(20), 1+roll(3)
			}
			for _, name := range []string{"w1", "w2"}[:1+roll(2)] {
				rig.Start(name, moody, lanes)
				time.Sleep(time.Duration(roll(3000)) * time.Millisecond)
			}
			rig.Await("everything handled", rig.AllDone)
			parentsFirst(t, rig)
			if got := rig.Ledger.Handled(); got != put {
				t.Errorf("%d records were handled, want %d", got, put)
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Two shards are merged. One parent is done at once, the other's handler, on
// another worker, takes a minute. The child's row is there when the first parent
// ends, and nobody touches its records before the second has.
func TestScenario21MergeWaitsForBothParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		w1, w2 := rig.Start("w1"), rig.Start("w2", handling(lingering(time.Minute)))
		rig.Await("one shard each", func() bool {
			return len(w1.Consumer.Status().Shards) == 1 && len(w2.Consumer.Status().Shards) == 1
		})
		slow := w2.Consumer.Status().Shards[0].Shard
		rig.PutN(40, 20)
		child := mergeShards(t, rig, firstShard, secondShard)
		rig.PutN(40, 20)
		rig.Await("the row of the child", func() bool { return leaseAt(rig, child) == "TRIM_HORIZON" })
		if at := leaseAt(rig, slow); at == "SHARD_END" {
			t.Errorf("the slow parent has ended already, the scenario shows nothing")
		}
		time.Sleep(30 * time.Second)
		if _, _, n := shardSpan(rig, child); n != 0 {
			t.Errorf("the child was given %d records while one parent was at work", n)
		}
		rig.Await("everything handled", rig.AllDone)
		parentsFirst(t, rig)
		exactly(t, rig, 80)
	})
}

// An application that started at the tip: a shard is split, and the children get
// records before anybody can have found them. They are read from their
// beginning. The same when the split happens while no worker runs.
func TestScenario22LatestReadsChildrenFromTheirBeginning(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1)
			defer rig.Close()
			rig.PutN(25, 5) // before the start: not asked for
			time.Sleep(time.Second)
			latest := func(c *consumer.Config) { c.StartingPosition = shard.Latest() }
			w1 := rig.Start("w1", latest)
			rig.Await("w1 works", func() bool { return len(w1.Consumer.Status().Shards) == 1 })
			rig.PutN(10, 5)
			if down {
				rig.Await("everything handled", rig.AllDone)
				w1.Stop()
			}
			lower, _ := splitShard(t, rig, firstShard)
			rig.PutN(10, 5)
			splitShard(t, rig, lower)
			rig.PutN(10, 5)
			if down {
				rig.Start("w2", latest)
			}
			rig.Await("everything handled", rig.AllDone)
			parentsFirst(t, rig)
			exactly(t, rig, 30)
		})
	}
}

// The tip is the moment at which the first worker starts. A record that is put
// after it, into a shard that is split before the worker has listed the shards,
// is delivered, and before those of the children.
func TestScenario22SplitWhileTheFirstWorkerStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(5, 5) // not asked for
		time.Sleep(time.Second)
		var once sync.Once
		defer rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			// The rows of the first start are about to be written.
			if c.Service == "dynamodb" && strings.HasSuffix(c.Operation, "Scan") {
				once.Do(func() {
					time.Sleep(20 * time.Millisecond)
					rig.PutN(10, 5)
					splitShard(t, rig, firstShard)
					rig.PutN(10, 5)
				})
			}
			return awsfake.Fault{}
		})()
		rig.Start("w1", func(c *consumer.Config) { c.StartingPosition = shard.Latest() })
		rig.Await("everything handled", func() bool { return rig.AllDone() && rig.Ledger.Handled() >= 20 })
		time.Sleep(5 * time.Minute)
		parentsFirst(t, rig)
		exactly(t, rig, 20)
	})
}

// A parent is closed with a backlog, and the fleet is restarted gracefully,
// worker by worker, while it is worked off. The backlog comes before the
// children, and nothing comes twice.
func TestScenario23RollingRestartOverABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		rig.PutN(600, 30)
		splitShard(t, rig, firstShard)
		mergeable, _ := splitShard(t, rig, secondShard)
		splitShard(t, rig, mergeable)
		rig.PutN(300, 30)
		slow := handling(lingering(2 * time.Second))
		small := func(c *consumer.Config) { c.BatchSize = 10 }
		old := []*streamtest.Worker{rig.Start("w1", slow, small), rig.Start("w2", slow, small)}
		time.Sleep(20 * time.Second)
		for i, name := range []string{"w3", "w4"} {
			rig.Start(name, slow, small)
			time.Sleep(15 * time.Second)
			if took, err := old[i].Stop(); err != nil || took > 5*time.Second {
				t.Errorf("worker %d stopped after %v with %v, want at most 5s and no error", i, took, err)
			}
			time.Sleep(5 * time.Second)
		}
		if rig.AllDone() {
			t.Errorf("the backlog was done before the restart was over, the scenario shows nothing")
		}
		rig.Await("everything handled", rig.AllDone)
		parentsFirst(t, rig)
		exactly(t, rig, 900)
	})
}

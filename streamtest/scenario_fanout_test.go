package streamtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
)

// waits is a handler that notes how long records waited for it.
type waits struct {
	mu    sync.Mutex
	worst time.Duration
	takes time.Duration // of the next call alone
}

func (h *waits) Handle(_ context.Context, b *batching.Batch) error {
	h.mu.Lock()
	for i := range b.Records {
		h.worst = max(h.worst, time.Since(b.Records[i].ArrivedAt))
	}
	takes := h.takes
	h.takes = 0
	h.mu.Unlock()
	time.Sleep(takes)
	return nil
}

// reset tells the longest wait since the last reset.
func (h *waits) reset() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	worst := h.worst
	h.worst = 0
	return worst
}

func (h *waits) dawdle(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.takes = d
}

// Subscriptions end after five minutes, break, are refused to a new owner, lose
// their consumer; a handler is slower than a subscription lives; shards split and
// merge under them. The fleet goes on where it was, leases stay where they are,
// nothing is handled twice, and records wait no longer than they do when polled.
func TestScenario34FanOutThroughAllThatEndsASubscription(t *testing.T) {
	const polled = 1500 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4, streamtest.WithFanOut())
		defer rig.Close()
		fake := rig.AWS.Kinesis()
		h, m := &waits{}, &moves{}
		set := func(c *consumer.Config) {
			c.Handler = h
			m.watch(c)
		}
		subscribed := func() bool {
			open := 0
			for _, s := range fake.Shards(streamtest.Stream) {
				if s.EndingSequenceNumber == "" {
					open++
				}
			}
			return len(fake.Subscriptions(streamtest.Stream)) == open
		}
		names := []string{"w1", "w2"}
		for _, name := range names {
			rig.Start(name, set)
		}
		rig.Await("both read", everyHolder(rig, 4, names...))
		rig.Await("all shards are subscribed to", subscribed)
		stop := flow(t, rig, 700*time.Millisecond)
		defer stop()
		phase := func(what string, lasts, most time.Duration) {
			t.Helper()
			time.Sleep(lasts)
			if worst := h.reset(); worst > most {
				t.Errorf("%s: a record waited %s, want at most %s", what, worst, most)
			}
		}
		phase("quiet, and the end of five minutes twice", 11*time.Minute, 50*time.Millisecond)
		if n := rig.AWS.Count("w1", "kinesis", "GetRecords") + rig.AWS.Count("w2", "kinesis", "GetRecords"); n > 40 {
			t.Errorf("%d reads by polling, want but those of the beginning", n)
		}

		for range 3 {
			fake.FailSubscriptions(streamtest.Stream, "", "", "InternalFailureException")
			phase("an error in the stream", 10*time.Second, polled)
			fake.TearSubscriptions(streamtest.Stream, "", "")
			phase("a torn event", 10*time.Second, polled)
		}

		rig.Start("w3", set)
		rig.Await("the third has its share", everyHolder(rig, 4, "w1", "w2", "w3"))
		phase("hand-overs, and shards in use for five seconds", 10*time.Second, polled)
		rig.Await("all shards are subscribed to", subscribed)

		if err := fake.DeregisterConsumer(streamtest.Stream, streamtest.Application); err != nil {
			t.Fatal(err)
		}
		phase("the consumer is deleted", time.Minute, polled)
		if !subscribed() {
			t.Error("not all shards are subscribed to a minute after the consumer was deleted")
		}

		m.silent(t, 0)
		h.dawdle(7 * time.Minute)
		time.Sleep(8 * time.Minute)
		h.reset()
		m.silent(t, 0)
		phase("after a slow handler", 10*time.Second, polled)

		splitShard(t, rig, shardName(0))
		mergeShards(t, rig, shardName(1), shardName(2))
		phase("a split and a merge", time.Minute, 10*time.Second)
		rig.Await("the children are subscribed to", subscribed)
		parentsFirst(t, rig)
		stop()
		rig.Await("everything is handled", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice, want none", n)
		}
	})
}

// A fleet over subscriptions lives through random faults as one that polls does:
// every few seconds subscriptions are ended, failed, torn or silenced, or repeat an
// event, besides.
func TestFanOutFleetUnderRandomFaults(t *testing.T) {
	n := min(*seeds, 6)
	if raceEnabled {
		n = min(n, 2)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				never := func(f *kinesisshards.FanOut) {
					if seed%4 == 0 {
						f.Fallback = kinesisshards.FallbackNever
					}
				}
				rig := streamtest.New(t, 3, streamtest.WithFanOut(never))
				fake := rig.AWS.Kinesis()
				over := make(chan struct{})
				var harm sync.WaitGroup
				harm.Go(func() {
					dice := rand.New(rand.NewPCG(seed, 7))
					for {
						select {
						case <-over:
							return
						case <-time.After(time.Duration(dice.IntN(6000)) * time.Millisecond):
						}
						switch dice.IntN(5) {
						case 0:
							fake.EndSubscriptions(streamtest.Stream, "", "")
						case 1:
							fake.FailSubscriptions(streamtest.Stream, "", "", "InternalFailureException")
						case 2:
							fake.TearSubscriptions(streamtest.Stream, "", "")
						case 3:
							fake.SilenceSubscriptions(streamtest.Stream, "", "") // for good
						case 4:
							fake.RepeatEvents(streamtest.Stream, "", "", 1)
						}
					}
				})
				randomFaults(t, rand.New(rand.NewPCG(seed, 1)), rig, "kinesis", reshard)
				close(over)
				harm.Wait()
			})
		})
	}
}

package streamtest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// pagesOf has a worker read pages of n records.
func pagesOf(rig *streamtest.Rig, worker string, n int) func(*consumer.Config) {
	return func(c *consumer.Config) {
		client := kinesis.NewFromConfig(rig.AWS.Config(worker))
		c.Source = kinesisshards.Open(client, streamtest.Stream, func(o *kinesisshards.Options) { o.Limit = n })
	}
}

// deliveries is how many records all calls of handlers were given together.
func deliveries(rig *streamtest.Rig) (n int) {
	for _, c := range rig.Ledger.Calls() {
		n += c.Records
	}
	return n
}

// Every way in which a read can fail, three times in a row at every read of a
// shard, its first iterator among them; by a worker that begins the shard and by
// one that goes on behind a checkpoint. Nothing is lost, and no record is given
// to a handler twice.
func TestScenario30FailingReads(t *testing.T) {
	faults := map[string]awsfake.Fault{
		"throttled":      awsfake.Fail("ProvisionedThroughputExceededException", 400),
		"internal error": awsfake.Fail("InternalFailure", 500),
		"unavailable":    awsfake.Fail("ServiceUnavailable", 503),
		"key throttled":  awsfake.Fail("KMSThrottlingException", 400),
		"key denied":     awsfake.Fail("KMSAccessDeniedException", 400),
		"denied":         awsfake.Fail("AccessDeniedException", 400),
		"expired":        awsfake.Fail("ExpiredIteratorException", 400),
		"request lost":   awsfake.Lose(),
		"answer lost":    awsfake.LoseAnswer(),
		"no answer":      awsfake.Hang(),
	}
	for name, fault := range faults {
		for _, checkpointed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/checkpoint=%t", name, checkpointed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rig := streamtest.New(t, 1)
					defer rig.Close()
					want := 70
					if checkpointed {
						rig.PutN(20, 5)
						want += 20
						w0 := rig.Start("w0")
						rig.Await("the first part", rig.AllDone)
						w0.Stop()
					}
					rig.PutN(60, 5)
					var iterators, reads atomic.Int64
					defer rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
						switch {
						case c.Caller != "w1":
						case c.Operation == "GetShardIterator" && iterators.Add(1) <= 3:
							return fault
						case c.Operation == "GetRecords" && reads.Add(1)%4 != 0 && reads.Load() < 16:
							return fault
						}
						return awsfake.Fault{}
					})()
					rig.Start("w1", pagesOf(rig, "w1", 20), func(c *consumer.Config) {
						c.BatchSize, c.MaximumBatchingWindow = 25, 2*time.Second
					})
					// Errors that are denials are waited for: minutes go by.
					for range 20 {
						time.Sleep(20 * time.Second)
						if rig.AllDone() {
							break
						}
					}
					rig.PutN(10, 5)
					rig.Await("everything handled", rig.AllDone)
					if n := reads.Load(); n < 16 {
						t.Errorf("%d reads were made, want 16 or more, most of them failing", n)
					}
					exactly(t, rig, want)
					if n := deliveries(rig); n != want {
						t.Errorf("handlers were given %d records, want %d", n, want)
					}
				})
			})
		}
	}
}

// The iterator of a worker that started at the tip expires before the first
// record: because the stream cannot be reached for six minutes, because
// iterators live for too short a time to be used twice, and because the worker
// dies. What was put meanwhile is delivered: the tip stays where it was.
func TestScenario31IteratorExpiresBeforeTheFirstRecord(t *testing.T) {
	latest := func(c *consumer.Config) { c.StartingPosition = shard.Latest() }
	cases := map[string]func(*testing.T, *streamtest.Rig, *streamtest.Worker){
		"unreachable": func(_ *testing.T, rig *streamtest.Rig, w *streamtest.Worker) {
			heal := w.Cut("kinesis")
			time.Sleep(time.Minute)
			rig.PutN(20, 5)
			time.Sleep(5 * time.Minute)
			heal()
		},
		"short-lived": func(_ *testing.T, rig *streamtest.Rig, _ *streamtest.Worker) {
			rig.AWS.Kinesis().Set(kinesisfake.WithIteratorTTL(100 * time.Millisecond))
			time.Sleep(time.Minute)
			rig.PutN(20, 5)
		},
		"dead": func(_ *testing.T, rig *streamtest.Rig, w *streamtest.Worker) {
			w.Kill()
			rig.PutN(20, 5)
			time.Sleep(10 * time.Minute)
			rig.Start("w2", latest)
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				rig.PutN(30, 5) // not asked for
				time.Sleep(time.Second)
				w1 := rig.Start("w1", latest)
				rig.Await("both shards are read", func() bool {
					s := w1.Consumer.Status().Shards
					return len(s) == 2 && !s[0].ReadAt.IsZero() && !s[1].ReadAt.IsZero()
				})
				f(t, rig, w1)
				rig.Await("everything handled", rig.AllDone)
				exactly(t, rig, 20)
			})
		})
	}
}

// An application that started at the tip has not had a record yet when it is
// restarted, gently or not. Records that are put while it is down are delivered.
func TestScenario32RestartAtTheTipBeforeTheFirstRecord(t *testing.T) {
	for _, gently := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 3)
			defer rig.Close()
			rig.PutN(30, 10) // not asked for
			time.Sleep(time.Second)
			latest := func(c *consumer.Config) { c.StartingPosition = shard.Latest() }
			w1 := rig.Start("w1", latest)
			time.Sleep(time.Minute)
			if gently {
				w1.Stop()
			} else {
				w1.Kill()
			}
			for _, id := range []string{firstShard, secondShard} {
				if at := leaseAt(rig, id); at != "LATEST" {
					t.Errorf("%s is at %s, want LATEST", id, at)
				}
			}
			time.Sleep(5 * time.Minute)
			rig.PutN(30, 10)
			time.Sleep(5 * time.Minute)
			rig.Start("w2", latest)
			rig.Await("everything handled", rig.AllDone)
			exactly(t, rig, 30)
		})
	}
}

// One handler call takes twelve minutes: longer than an iterator lives, and than
// any lease. The shard stops reading when its bound is reached, the lease stays
// where it is although another worker is there, and the rest follows without a
// gap and without a repeat.
func TestScenario33HandlerSlowerThanIteratorAndLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(200, 20)
		slow := handling(func(ctx context.Context, b *batching.Batch) error {
			if b.First().Sequence == firstOf(rig, firstShard) {
				return lingering(12*time.Minute)(ctx, b)
			}
			return nil
		})
		bound := func(c *consumer.Config) { c.BatchSize, c.MaximumInFlight = 10, 20 }
		w1 := rig.Start("w1", slow, bound, pagesOf(rig, "w1", 10))
		w2 := rig.Start("w2", slow, bound, pagesOf(rig, "w2", 10))
		rig.Await("the slow call", func() bool {
			_, ended, n := shardSpan(rig, firstShard)
			return n > 0 && ended.IsZero()
		})
		owner := leaseHolder(rig, firstShard)
		for range 11 {
			time.Sleep(time.Minute)
			rig.PutN(10, 20)
			if got := leaseHolder(rig, firstShard); got != owner {
				t.Fatalf("the lease went from %s to %s", owner, got)
			}
			for _, w := range []*streamtest.Worker{w1, w2} {
				for _, s := range w.Consumer.Status().Shards {
					if s.Shard == firstShard && s.Pending > 30 {
						t.Errorf("%d records are held, want at most 30", s.Pending)
					}
				}
			}
		}
		rig.Await("everything handled", rig.AllDone)
		exactly(t, rig, 310)
		if n := deliveries(rig); n != 310 {
			t.Errorf("handlers were given %d records, want 310", n)
		}
	})
}

// firstOf is the sequence number of the first record of a shard.
func firstOf(rig *streamtest.Rig, shardID string) string {
	for _, r := range rig.AWS.Kinesis().Records(streamtest.Stream) {
		if r.ShardID == shardID {
			return r.SequenceNumber
		}
	}
	return ""
}

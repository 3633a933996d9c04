package streamtest_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A worker stands still with a batch in its hands and a checkpoint on the wire,
// for longer than its lease. Another takes the shard and moves on. When the
// first wakes up, its handler's context ends with ErrLeaseLost, it begins no
// other call, and neither what it had on the wire nor anything else it ever
// wrote moves the row.
func TestScenario01PausedOwnerIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		s0 := shardName(0)
		rig.PutN(100, 10)
		cause := make(chan error, 1)
		stuck := make(chan struct{})
		a := rig.Start("a", func(c *consumer.Config) {
			c.CheckpointInterval = time.Second
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				if b.Records[0].PartitionKey != "stuck" {
					return nil
				}
				close(stuck)
				<-ctx.Done()
				cause <- context.Cause(ctx)
				return nil // it finishes its batch none the less
			})
		})
		writes := record(rig, "a")
		rig.Await("a has handled and saved its first hundred", func() bool { return rowOf(rig, s0).Checkpoint.IsRecord() })
		// The next save is held up on its way: it comes when all is over.
		remove := rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller == "a" && isLeaseWrite(c) {
				return awsfake.Hang()
			}
			return awsfake.Fault{}
		})
		sent := len(writes())
		rig.Put("more", "handled by a, and its save hangs")
		rig.Await("a has its save on the wire", func() bool { return len(writes()) > sent })
		rig.Put("stuck", "")
		<-stuck
		resume := a.Pause()
		b := rig.Start("b", func(c *consumer.Config) { c.CheckpointInterval = time.Second })
		rig.Await("b has all", rig.AllDone)
		rig.PutN(100, 10)
		rig.Await("b has more", rig.AllDone)
		time.Sleep(2 * time.Second)
		row := rowOf(rig, s0)
		if nameOf(row.Owner) != "b" {
			t.Fatalf("the row is %s, want b's", row)
		}
		late := writes()
		calls := len(rig.Ledger.Calls())

		remove()
		resume()
		time.Sleep(3 * time.Second)
		if got := <-cause; got != consumer.ErrLeaseLost {
			t.Errorf("the handler's context ended with %v, want ErrLeaseLost", got)
		}
		if now := rig.Ledger.Calls(); len(now) != calls {
			t.Errorf("after it woke up, %s was called again", now[calls].Worker)
		}
		refused(t, rig, late)
		if now := rowOf(rig, s0); now.String() != row.String() {
			t.Errorf("the row went from %s to %s", row, now)
		}
		// The zombie has become a worker like any other, under another id.
		rig.Put("again", "")
		rig.Await("b goes on", rig.AllDone)
		b.Stop()
		rig.Put("at last", "")
		rig.Await("a works under a new session", rig.AllDone)
	})
}

// A worker is cut off from DynamoDB alone, for ten times the lease, and still
// reads and handles as records keep coming. It stops by its own clock before
// anybody else begins, and gets its share back when the network heals.
func TestScenario02PartitionFromTheTable(t *testing.T) {
	for _, way := range []string{"cut", "blackhole"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				a := rig.Start("a")
				rig.Start("b")
				rig.Await("both work", func() bool { return holds(rig, "a", 1)() && holds(rig, "b", 1)() })
				time.Sleep(20 * time.Second)
				stop := flow(t, rig, 100*time.Millisecond)
				defer stop()
				time.Sleep(3 * time.Second)
				var mine string
				for _, row := range rig.Rows() {
					if nameOf(row.Owner) == "a" {
						mine = row.Shard
					}
				}

				cut := time.Now()
				heal := a.Cut("dynamodb")
				if way == "blackhole" {
					heal()
					heal = rig.AWS.Blackhole("a", "dynamodb")
				}
				time.Sleep(100 * time.Second)
				var lastOfA time.Time
				for _, c := range rig.Ledger.Calls() {
					if c.Worker == "a" {
						lastOfA = c.Ended
					}
				}
				taken := firstCall(rig, cut, mine, "a")
				switch {
				case lastOfA.Sub(cut) > 8*time.Second:
					t.Errorf("a worked on for %v, past its lease", lastOfA.Sub(cut))
				case lastOfA.Sub(cut) < 6*time.Second:
					t.Errorf("a stopped after %v, though its lease was good", lastOfA.Sub(cut))
				case !taken.After(lastOfA):
					t.Errorf("b began %v after the cut, a ended %v after it", taken.Sub(cut), lastOfA.Sub(cut))
				case taken.Sub(cut) > 12*time.Second:
					t.Errorf("b began only after %v", taken.Sub(cut))
				}
				heal()
				rig.Await("a has its share again", func() bool { return holds(rig, "a", 1)() && holds(rig, "b", 1)() })
				stop()
				rig.Await("all done", rig.AllDone)
			})
		})
	}
}

// A worker that is alone is cut off from DynamoDB for ten times the lease: it
// stops by its own clock though nobody would take its place, and goes on by
// itself when the network heals.
func TestScenario02PartitionOfTheOnlyWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		a := rig.Start("a")
		stop := flow(t, rig, 100*time.Millisecond)
		defer stop()
		rig.Await("a works", handled(rig, 20))
		cut := time.Now()
		heal := a.Cut("dynamodb")
		time.Sleep(100 * time.Second)
		calls := rig.Ledger.Calls()
		if worked := calls[len(calls)-1].Ended.Sub(cut); worked > 8*time.Second {
			t.Errorf("it worked on for %v, past its lease", worked)
		}
		heal()
		healed := time.Now()
		for i := range 2 {
			rig.Await("it works again", func() bool { return !firstCall(rig, healed, shardName(i), "").IsZero() })
		}
		if took := time.Since(healed); took > 7*time.Second {
			t.Errorf("it worked again only %v after the network healed", took)
		}
		stop()
		rig.Await("all done", rig.AllDone)
	})
}

// B reads a row that is free. Before its take arrives, A takes the lease, works,
// moves the checkpoint and lets go, so that the row is free again. The take is
// refused, and when B takes it anew it goes on from A's checkpoint.
func TestScenario04TakeOfAStaleRowIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(200, 10)
		var late []wrote
		writes := record(rig, "b")
		remove := rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller == "b" && isLeaseWrite(c) && c.Operation == "UpdateItem" {
				return awsfake.Hang()
			}
			return awsfake.Fault{}
		})
		b := rig.Start("b")
		rig.Await("b's take is on its way", func() bool {
			for _, w := range writes() {
				if w.is("leaseOwner = :me") {
					late = append(late, w)
				}
			}
			return len(late) > 0
		})
		resume := b.Pause()
		remove()
		a := rig.Start("a", func(c *consumer.Config) { c.CheckpointInterval = time.Second })
		rig.Await("a has handled all", rig.AllDone)
		a.Stop()
		row := rowOf(rig, shardName(0))
		if !row.Checkpoint.IsRecord() {
			t.Fatalf("a left %s", row)
		}
		refused(t, rig, late)
		resume()
		rig.PutN(100, 10)
		rig.Await("b goes on", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice", n)
		}
	})
}

// A hands a shard over to B, which moves on. Then everything that A ever wrote
// to the lease table arrives a second time, its last checkpoint and its
// hand-over among it: all is refused, and the row stays as B left it.
func TestScenario06LateFlushOfTheDonor(t *testing.T) {
	for _, how := range []string{"asked", "stopped", "released"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				quick := func(c *consumer.Config) { c.CheckpointInterval = time.Second }
				writes := record(rig, "a")
				a := rig.Start("a", quick)
				rig.PutN(200, 20)
				rig.Await("a works", rig.AllDone)
				stop := flow(t, rig, 50*time.Millisecond)
				time.Sleep(3 * time.Second)
				rig.Start("b", quick)
				rig.Await("b has one", holds(rig, "b", 1))
				switch how {
				case "stopped":
					a.Stop()
					rig.Await("b has both", holds(rig, "b", 2))
				case "released":
					for _, row := range rig.Rows() {
						if nameOf(row.Owner) == "a" {
							if err := a.Consumer.Release(t.Context(), row.Shard); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
				saved := len(rig.Rows())
				time.Sleep(5 * time.Second)
				stop()
				rig.Await("all done", rig.AllDone)
				time.Sleep(2 * time.Second)
				var late []wrote
				for _, w := range writes() {
					theirs := false
					for _, row := range rig.Rows() {
						theirs = theirs || nameOf(row.Owner) == "b" && w.is(row.Key)
					}
					if theirs && w.is("leaseCounter") {
						late = append(late, w)
					}
				}
				if saved == 0 || len(late) < 3 {
					t.Fatalf("only %d writes to send again", len(late))
				}
				refused(t, rig, late)
				if n := rig.Ledger.Repeated(); n != 0 {
					t.Errorf("%d records were handled twice", n)
				}
			})
		})
	}
}

// A process is suspended for two minutes and finds, when it wakes up, rows that
// still name it. It reads each shard once: no two calls of one shard run at a
// time in the process, and no two reads either.
func TestScenario08SuspendedProcessReadsOnce(t *testing.T) {
	for _, company := range []bool{false, true} {
		t.Run(fmt.Sprintf("company=%t", company), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1)
				defer rig.Close()
				var mu sync.Mutex
				tenures, reads := 0, 0
				var long atomic.Bool
				counted := func(n *int, by int, what string) {
					mu.Lock()
					defer mu.Unlock()
					if *n += by; *n > 1 {
						t.Errorf("%d %s of one shard at once in one process", *n, what)
					}
				}
				rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
					if c.Caller == "a" && c.Operation == "GetRecords" {
						counted(&reads, 1, "reads")
					}
					return awsfake.Fault{}
				})
				rig.AWS.Trace(func(e awsfake.Exchange) {
					if e.Caller == "a" && e.Operation == "GetRecords" {
						counted(&reads, -1, "reads")
					}
				})
				a := rig.Start("a", func(c *consumer.Config) {
					c.Hooks.ShardStarted = func(consumer.ShardStartedEvent) { counted(&tenures, 1, "tenures") }
					c.Hooks.ShardLeft = func(consumer.ShardLeftEvent) { counted(&tenures, -1, "tenures") }
					c.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
						// Whatever becomes of the lease; one call outlives the pause.
						if long.Load() {
							long.Store(false)
							time.Sleep(126 * time.Second)
						}
						time.Sleep(700 * time.Millisecond)
						return nil
					})
				})
				stop := flow(t, rig, 100*time.Millisecond)
				defer stop()
				rig.Await("a works", handled(rig, 20))
				long.Store(true)
				rig.Await("the long call has begun", func() bool { return !long.Load() })
				resume := a.Pause()
				if company {
					time.Sleep(20 * time.Second)
					rig.Start("b")
					time.Sleep(100 * time.Second)
				} else {
					time.Sleep(2 * time.Minute)
				}
				before := rowOf(rig, shardName(0))
				if got := nameOf(before.Owner); company != (got == "b") {
					t.Errorf("while a was away the row was %s", before)
				}
				woke := time.Now()
				resume()
				time.Sleep(9 * time.Second)
				stop()
				rig.Await("all done", rig.AllDone)
				if took := firstCall(rig, woke, shardName(0), "").Sub(woke); took < 0 || took > 8*time.Second {
					t.Errorf("it took %v to go on", took)
				}
				var last streamtest.Call
				for _, c := range rig.Ledger.Calls() {
					if c.Worker == "a" && c.Began.Before(last.Ended) {
						t.Errorf("a call began %v before another of the shard ended", last.Ended.Sub(c.Began))
					}
					if c.Worker == "a" {
						last = c
					}
				}
			})
		})
	}
}

// The owner of a shard that never had a record dies. The shard is taken over,
// and what arrives then is delivered, wherever the application starts.
func TestScenario10EmptyShardOfADeadOwner(t *testing.T) {
	for _, start := range []shard.Position{shard.TrimHorizon(), shard.Latest()} {
		t.Run(start.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				at := func(c *consumer.Config) { c.StartingPosition = start }
				a := rig.Start("a", at)
				rig.Await("a has both", holds(rig, "a", 2))
				time.Sleep(time.Minute)
				a.Kill()
				rig.PutN(50, 50) // in the gap, which nobody reads
				rig.Start("b", at)
				rig.Await("b has both", holds(rig, "b", 2))
				rig.PutN(50, 50)
				rig.Await("all of it is handled", handled(rig, 100))
				if n := rig.Ledger.Repeated(); n != 0 {
					t.Errorf("%d records were handled twice", n)
				}
			})
		})
	}
}

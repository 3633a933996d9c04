package streamtest_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// garbage is what a row can be spoilt with, by attribute.
var garbage = map[string]dynamofake.Value{
	"checkpoint":                  dynamofake.S("abc"),
	"leaseCounter":                dynamofake.S("seven"),
	"parentShardId":               dynamofake.S("not a set"),
	"checkpointSubSequenceNumber": dynamofake.N(-1),
}

// The row of a shard is spoilt while nobody works it. It is reported once by each
// worker and left alone: the shard is not read, from no position at all, while
// the others go on. When somebody has put it right, the shard goes on from there.
func TestScenarioSpoiltRowIsQuarantined(t *testing.T) {
	for attribute, value := range garbage {
		t.Run(attribute, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				rig.PutN(40, 20)
				w1 := rig.Start("w1")
				rig.Await("everything handled", rig.AllDone)
				w1.Stop()
				right := leaseItem(rig, firstShard)
				changeLease(rig, firstShard, attribute, value)
				spoilt := leaseItem(rig, firstShard)
				rig.PutN(40, 20)
				before := deliveriesOf(rig, firstShard)
				var told atomic.Int64
				rig.Start("w2", func(c *consumer.Config) {
					c.Hooks.RowQuarantined = func(e consumer.RowEvent) {
						if e.Row.Shard != firstShard || e.Row.Fault == nil {
							t.Errorf("told of %s, fault %v", e.Row.Shard, e.Row.Fault)
						}
						told.Add(1)
					}
				})
				time.Sleep(5 * time.Minute)
				if n := told.Load(); n != 1 {
					t.Errorf("told %d times, want once", n)
				}
				if n := deliveriesOf(rig, firstShard); n != before {
					t.Errorf("%d records of the spoilt shard were delivered", n-before)
				}
				if !leaseItem(rig, firstShard).Equal(spoilt) {
					t.Errorf("the spoilt row was changed to %v", leaseItem(rig, firstShard))
				}
				rig.PutRow(right)
				rig.Await("everything handled", rig.AllDone)
				exactly(t, rig, 80)
			})
		})
	}
}

// deliveriesOf is how many records of a shard handlers were given.
func deliveriesOf(rig *streamtest.Rig, shardID string) (n int) {
	_, _, n = shardSpan(rig, shardID)
	return n
}

// The row of a shard is spoilt under its owner. The owner lets it be: it does not
// go on, neither from what the row says nor from anywhere else. (What a
// checkpoint writes anew is healed by the next one.)
func TestScenarioSpoiltRowUnderItsOwner(t *testing.T) {
	for attribute, value := range garbage {
		if attribute == "checkpointSubSequenceNumber" {
			continue
		}
		t.Run(attribute, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2)
				defer rig.Close()
				rig.PutN(40, 20)
				var told atomic.Int64
				w1 := rig.Start("w1", func(c *consumer.Config) {
					c.Hooks.RowQuarantined = func(consumer.RowEvent) { told.Add(1) }
				})
				rig.Await("both are worked", func() bool { return works(w1, 2) && rig.AllDone() })
				time.Sleep(15 * time.Second)
				right := leaseItem(rig, firstShard)
				changeLease(rig, firstShard, attribute, value)
				rig.PutN(40, 20)
				rig.Await("the owner has let go", func() bool { return len(w1.Consumer.Status().Shards) == 1 })
				rig.Await("the row is reported", func() bool { return told.Load() == 1 })
				rig.PutN(40, 20)
				before := deliveriesOf(rig, firstShard)
				time.Sleep(5 * time.Minute)
				if n := deliveriesOf(rig, firstShard); n != before {
					t.Errorf("%d records of the spoilt shard were delivered", n-before)
				}
				right["leaseCounter"] = dynamofake.N(right["leaseCounter"].Int() + 1)
				rig.PutRow(right)
				rig.Await("everything handled", rig.AllDone)
				if n := rig.Ledger.Handled(); n != 120 {
					t.Errorf("%d records were handled, want 120", n)
				}
			})
		})
	}
}

// recreate deletes the rig's stream and makes it again under the same name, with
// records in it.
func recreate(t *testing.T, rig *streamtest.Rig) {
	t.Helper()
	client := kinesis.NewFromConfig(rig.AWS.Config("operator"))
	name := streamtest.Stream
	if _, err := client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &name}); err != nil {
		t.Fatalf("delete the stream: %v", err)
	}
	if err := rig.AWS.Kinesis().CreateStream(name, 1); err != nil {
		t.Fatalf("create the stream: %v", err)
	}
	for range 10 {
		if _, _, err := rig.AWS.Kinesis().Put(name, "key", []byte("another's")); err != nil {
			t.Fatal(err)
		}
	}
}

// A stream is deleted and created again under its name, while the fleet is down
// and while it runs. The run ends and says so; not one record of the new stream
// is read by the positions of the old one, and the table stays as it is.
func TestScenarioStreamCreatedAgain(t *testing.T) {
	for _, running := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1)
			defer rig.Close()
			rig.PutN(20, 5)
			w := rig.Start("w1")
			rig.Await("everything handled", rig.AllDone)
			time.Sleep(time.Minute)
			at := leaseAt(rig, firstShard)
			if running {
				recreate(t, rig)
			} else {
				w.Stop()
				recreate(t, rig)
				w = rig.Start("w2")
			}
			if err := w.Wait(); !errors.Is(err, checkpoint.ErrRecreated) {
				t.Errorf("running=%t: the run ended with %v, want ErrRecreated", running, err)
			}
			if n := deliveries(rig); n != 20 {
				t.Errorf("running=%t: %d records were delivered, want the 20 of the old stream", running, n)
			}
			if got := leaseAt(rig, firstShard); got != at {
				t.Errorf("running=%t: the row went from %s to %s", running, at, got)
			}
		})
	}
}

// The stream is deleted while the fleet runs: the run ends and says so.
func TestScenarioStreamDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(20, 5)
		w := rig.Start("w1")
		rig.Await("everything handled", rig.AllDone)
		name := streamtest.Stream
		client := kinesis.NewFromConfig(rig.AWS.Config("operator"))
		if _, err := client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &name}); err != nil {
			t.Fatal(err)
		}
		if err := w.Wait(); !errors.Is(err, shard.ErrNoStream) || errors.Is(err, checkpoint.ErrRecreated) {
			t.Errorf("the run ended with %v, want ErrNoStream", err)
		}
	})
}

// The tables belong to another stream: the run ends at once and says so, with
// both names, and reads nothing.
func TestScenarioTablesOfAnotherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(20, 5)
		w1 := rig.Start("w1")
		rig.Await("everything handled", rig.AllDone)
		w1.Stop()
		if err := rig.AWS.Kinesis().CreateStream("orders", 1); err != nil {
			t.Fatal(err)
		}
		w2 := rig.Start("w2", func(c *consumer.Config) {
			c.Source = kinesisshards.Open(kinesis.NewFromConfig(rig.AWS.Config("w2")), "orders")
		})
		began := time.Now()
		err := w2.Wait()
		if !errors.Is(err, checkpoint.ErrOtherStream) || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), "clicks") {
			t.Errorf("the run ended with %v, want ErrOtherStream with both names", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("that took %v", took)
		}
		if n := rig.AWS.Count("w2", "kinesis", "GetRecords"); n != 0 {
			t.Errorf("%d reads were made", n)
		}
	})
}

// A table is dropped while two workers run with handlers at work. They begin no
// call any more a lease duration later, though they might create tables; a stop
// is as quick as ever.
func TestScenarioTableDroppedWhileRunning(t *testing.T) {
	const sessions = streamtest.Application + "-sessions"
	for name, tables := range map[string][]string{
		"leases": {streamtest.Application}, "sessions": {sessions}, "both": {streamtest.Application, sessions},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 4)
				defer rig.Close()
				rig.PutN(4000, 40)
				slow := handling(lingering(time.Second))
				small := func(c *consumer.Config) { c.BatchSize, c.CheckpointInterval = 10, 5*time.Minute }
				w1, w2 := rig.Start("w1", slow, small), rig.Start("w2", slow, small)
				time.Sleep(20 * time.Second)
				for _, table := range tables {
					rig.AWS.DynamoDB().DropTable(table)
				}
				dropped := time.Now()
				time.Sleep(2 * time.Minute)
				calls := rig.Ledger.Calls()
				if last := calls[len(calls)-1].Began.Sub(dropped); last > 10*time.Second {
					t.Errorf("a call began %v after the table was dropped, want none after 10s", last)
				}
				for _, table := range rig.AWS.DynamoDB().Tables() {
					for _, gone := range tables {
						if table == gone {
							t.Errorf("table %s was made again", table)
						}
					}
				}
				for _, w := range []*streamtest.Worker{w1, w2} {
					if n := len(w.Consumer.Status().Shards); n != 0 {
						t.Errorf("%s says that it works %d shards", w.Name, n)
					}
					if took, _ := w.Stop(); took > 30*time.Second {
						t.Errorf("%s took %v to stop", w.Name, took)
					}
				}
			})
		})
	}
}

// A worker is stopped right after the lease table was dropped, before it can have
// noticed. It does not wait for the table.
func TestScenarioTableDroppedBeforeAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		rig.PutN(400, 40)
		w1 := rig.Start("w1", handling(lingering(time.Second)), func(c *consumer.Config) { c.BatchSize = 10 })
		time.Sleep(5 * time.Second)
		rig.AWS.DynamoDB().DropTable(streamtest.Application)
		if took, _ := w1.Stop(); took > 30*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}

// A table that is missing and is not to be created is an error at once, which
// names it.
func TestScenarioTableMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		for _, missing := range []string{streamtest.Application, streamtest.Application + "-sessions"} {
			w := rig.Start("w1", func(c *consumer.Config) {
				c.Leases = dynamocheckpoint.Open(dynamodb.NewFromConfig(rig.AWS.Config("w1")), streamtest.Application)
			})
			began := time.Now()
			err := w.Wait()
			if !errors.Is(err, checkpoint.ErrNoTable) || !strings.Contains(err.Error(), "table "+missing+":") {
				t.Errorf("the run ended with %v, want ErrNoTable with the name %s", err, missing)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("that took %v", took)
			}
			// The next round lacks the other table.
			w = rig.Start("w2")
			time.Sleep(time.Second)
			w.Stop()
			rig.AWS.DynamoDB().DropTable(streamtest.Application + "-sessions")
		}
	})
}

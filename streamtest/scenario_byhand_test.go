package streamtest_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// What an operator does to the lease table by hand, and how it is read here.

// leaseItem is the row of a shard as it stands in the table, nil if there is
// none.
func leaseItem(rig *streamtest.Rig, shardID string) dynamofake.Item {
	row, _ := rig.AWS.DynamoDB().Item(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(shardID)})
	return row
}

// leaseAt is the checkpoint in the row of a shard, empty if there is no row.
func leaseAt(rig *streamtest.Rig, shardID string) string {
	return leaseItem(rig, shardID)["checkpoint"].Text()
}

// leaseHolder is who may write a shard's position, empty if nobody may.
func leaseHolder(rig *streamtest.Rig, shardID string) string {
	row := leaseItem(rig, shardID)
	if holder := row["checkpointOwner"].Text(); holder != "" {
		return holder
	}
	return row["leaseOwner"].Text()
}

// deleteLease deletes the row of a shard.
func deleteLease(t *testing.T, rig *streamtest.Rig, shardID string) {
	t.Helper()
	if err := rig.AWS.DynamoDB().Delete(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(shardID)}); err != nil {
		t.Fatalf("delete the row of %s: %v", shardID, err)
	}
}

// changeLease changes the row of a shard; a zero value removes an attribute.
func changeLease(rig *streamtest.Rig, shardID, attribute string, v dynamofake.Value) {
	row := maps.Clone(leaseItem(rig, shardID))
	row[attribute] = v
	if v.Kind() == "" {
		delete(row, attribute)
	}
	rig.PutRow(row)
}

// works reports whether a worker works so many shards, and has read them all.
func works(w *streamtest.Worker, shards int) bool {
	s := w.Consumer.Status().Shards
	for _, one := range s {
		if one.ReadAt.IsZero() {
			return false
		}
	}
	return len(s) == shards
}

// Somebody deletes the row of a shard whose owner is at work, with records in
// the handler. The owner puts the row back at its own position, under a higher
// counter, and goes on: nothing is lost, and nothing that was finished is handled
// again.
func TestScenarioRowDeletedUnderABusyOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		rig.PutN(200, 20)
		w1 := rig.Start("w1", handling(lingering(time.Second)), func(c *consumer.Config) { c.BatchSize = 10 })
		rig.Await("half is done", func() bool { return rig.Ledger.Handled() >= 100 })
		before := leaseItem(rig, firstShard)["leaseCounter"].Int()
		deleteLease(t, rig, firstShard)
		rig.PutN(50, 20)
		rig.Await("everything handled", rig.AllDone)
		rig.Await("the row is back", func() bool { return leaseItem(rig, firstShard) != nil })
		exactly(t, rig, 250)
		if row := leaseItem(rig, firstShard); row["leaseCounter"].Int() <= before || row["createdFrom"].Text() != "repair" {
			t.Errorf("counter %d from %q, want more than %d, from repair", row["leaseCounter"].Int(), row["createdFrom"].Text(), before)
		}
		if n := len(w1.Consumer.Status().Shards); n != 2 {
			t.Errorf("w1 works %d shards, want 2", n)
		}
	})
}

// The owner is in the middle of a long call. It has found out, and lets the call
// end before it puts the row back: until then nobody else makes it, as the shard is
// still being worked.
func TestScenarioRowDeletedUnderALongCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		long := func(c *consumer.Config) { c.DrainTimeout, c.LeaseDuration = 20*time.Minute, 4*time.Second }
		w1, w2 := rig.Start("w1", handling(lingering(3*time.Minute)), long), rig.Start("w2", handling(lingering(3*time.Minute)), long)
		rig.Await("a shard each", func() bool { return works(w1, 1) && works(w2, 1) })
		rig.PutN(20, 10)
		time.Sleep(5 * time.Second) // both are called
		deleteLease(t, rig, firstShard)
		deleted := time.Now()
		rig.Await("the row is back", func() bool { return leaseItem(rig, firstShard) != nil })
		if took := time.Since(deleted); took < 170*time.Second {
			t.Errorf("the row was made again after %v, while the call went on for three minutes", took)
		}
		rig.Await("everything handled", rig.AllDone)
		exactly(t, rig, 20)
	})
}

// The same for a shard to which nothing comes: the owner finds out though it has
// nothing to write, before the maintenance run makes a row that begins from the
// start. Nothing is replayed, whoever of the fleet does the maintenance.
func TestScenarioRowDeletedUnderAnIdleOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		rig.PutN(100, 40)
		w1, w2 := rig.Start("w1"), rig.Start("w2")
		rig.Await("two shards each", func() bool { return works(w1, 2) && works(w2, 2) })
		rig.Await("everything handled", rig.AllDone)
		time.Sleep(time.Minute)
		for _, id := range []string{firstShard, secondShard, "shardId-000000000002", "shardId-000000000003"} {
			at, holder := leaseAt(rig, id), leaseHolder(rig, id)
			deleteLease(t, rig, id)
			time.Sleep(3 * time.Minute)
			if got := leaseAt(rig, id); got != at || leaseHolder(rig, id) != holder {
				t.Errorf("%s is at %s with %s, want it back at %s with %s", id, got, leaseHolder(rig, id), at, holder)
			}
		}
		// A worker that starts at this very moment finds the row missing, too, and
		// leaves it to the owner.
		deleteLease(t, rig, firstShard)
		rig.Start("w3")
		time.Sleep(30 * time.Second)
		rig.PutN(40, 40)
		rig.Await("everything handled", rig.AllDone)
		exactly(t, rig, 140)
	})
}

// Somebody deletes the row of a shard that nobody works. It is made again at the
// beginning of the shard, never at its tip, with a counter that goes on from
// before; what is still there is handled again, and nothing is lost.
func TestScenarioRowDeletedUnderNobody(t *testing.T) {
	for _, start := range []shard.Position{shard.TrimHorizon(), shard.Latest()} {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 2)
			defer rig.Close()
			from := func(c *consumer.Config) { c.StartingPosition = start }
			put := func(first, second int) {
				for i := range first + second {
					id := firstShard
					if i >= first {
						id = secondShard
					}
					if _, err := rig.AWS.Kinesis().PutUnkeyed(streamtest.Stream, id, []byte("x")); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(time.Second)
			w1 := rig.Start("w1", from)
			rig.Await("both are read", func() bool { return works(w1, 2) })
			put(30, 0)
			rig.Await("everything handled", rig.AllDone)
			w1.Stop()
			deleteLease(t, rig, firstShard)
			rig.MayBeginAgain(firstShard)
			put(10, 10)
			rig.Start("w2", from)
			rig.Await("everything handled", rig.AllDone)
			time.Sleep(time.Minute)
			if n := rig.Ledger.Handled(); n != 50 {
				t.Errorf("%d records were handled, want 50", n)
			}
			if n := rig.Ledger.Repeated(); n != 30 {
				t.Errorf("%d records were handled again, want the 30 of the deleted row", n)
			}
		})
	}
}

// The row of a dead worker's shard is deleted, in a fleet in which no worker lives
// until its next maintenance run. Whoever starts finds it missing, and makes it
// again when an owner would have put it back by then.
func TestScenarioRowDeletedUnderAFleetThatDiesYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		dies := rig.Start("w00")
		rig.Await("both are read", func() bool { return works(dies, 2) })
		rig.PutN(100, 10)
		rig.Await("everything handled", rig.AllDone)
		lives := rig.Start("w01") // the planner from now on, which has found nothing missing
		time.Sleep(5 * time.Second)
		dies.Kill()
		deleteLease(t, rig, firstShard)
		rig.MayBeginAgain(firstShard)
		deleted := time.Now()
		for i := 2; leaseAt(rig, firstShard) == "" && i < 40; i++ {
			next := rig.Start(fmt.Sprintf("w%02d", i))
			time.Sleep(15 * time.Second)
			lives.Kill()
			lives = next
		}
		if took := time.Since(deleted); took > 40*time.Second {
			t.Errorf("the row was made again after %v", took)
		}
		rig.PutN(10, 10)
		rig.Await("everything handled", rig.AllDone)
	})
}

// The row of a child is deleted after it had progress, while nobody works it and
// its parent's row still says that the parent has ended. The child is read from
// its beginning, in tenures that come after the old ones.
func TestScenarioRowOfAChildDeletedUnderNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(10, 5)
		splitShard(t, rig, firstShard)
		rig.PutN(20, 5)
		for range 3 {
			w := rig.Start("w1")
			rig.Await("everything handled", rig.AllDone)
			rig.Await("both children are read", func() bool { return works(w, 2) })
			rig.PutN(20, 5)
			rig.Await("everything handled", rig.AllDone)
			w.Stop()
		}
		deleteLease(t, rig, secondShard)
		rig.MayBeginAgain(secondShard)
		rig.PutN(20, 5)
		rig.Start("w2")
		rig.Await("everything handled", rig.AllDone)
		if n := rig.Ledger.Handled(); n != 110 {
			t.Errorf("%d records were handled, want 110", n)
		}
	})
}

package streamtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// beyondRetention is longer than the stream keeps a record.
const beyondRetention = 25 * time.Hour

// stopOnLoss has a run end when records were trimmed unread.
func stopOnLoss(c *consumer.Config) { c.OnLoss = consumer.StopOnLoss }

// lostShards has the ledger's losses by shard, and fails the test if a window
// was declared twice.
func lostShards(t *testing.T, rig *streamtest.Rig) map[string]shard.Loss {
	t.Helper()
	byShard := map[string]shard.Loss{}
	for _, l := range rig.Ledger.Losses() {
		if was, twice := byShard[l.Shard]; twice {
			t.Errorf("two losses of one shard: %s, then %s", was, l)
		}
		byShard[l.Shard] = l
	}
	return byShard
}

// checkpointedAt is the stored checkpoint of a shard as a position.
func checkpointedAt(rig *streamtest.Rig, shardID string) shard.Position {
	return shard.After(leaseAt(rig, shardID), 0)
}

// beginning is a rig of one shard whose first 20 records a worker has handled
// and checkpointed before it stopped.
func beginning(t *testing.T) *streamtest.Rig {
	rig := streamtest.New(t, 1)
	rig.PutN(20, 5)
	w := rig.Start("w0")
	rig.Await("the first part", rig.AllDone)
	w.Stop()
	return rig
}

// While no worker runs, retention passes records behind the checkpoint. The
// worker that comes back declares the loss of exactly that window, once, and
// goes on behind it.
func TestScenarioLossIsDeclaredWithItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := beginning(t)
		defer rig.Close()
		last := checkpointedAt(rig, firstShard)
		rig.PutN(30, 5) // will be trimmed
		time.Sleep(beyondRetention)
		_, first := rig.Put("key-0", "kept")
		rig.PutN(9, 5)
		rig.Start("w1")
		rig.Await("the rest", rig.AllDone)
		time.Sleep(time.Minute)
		loss, ok := lostShards(t, rig)[firstShard]
		if !ok {
			t.Fatalf("no loss was declared")
		}
		if loss.After.Compare(last) != 0 || loss.Until.Compare(shard.After(first, 0)) != 0 {
			t.Errorf("the window is after %s, before %s; want after %s, before %s", loss.After, loss.Until, last, first)
		}
		if age := loss.FirstArrival.Sub(loss.LastArrival); age < beyondRetention {
			t.Errorf("the window is %v long, want at least %v", age, beyondRetention)
		}
		exactly(t, rig, 30)
	})
}

// The same with StopOnLoss: the run ends with ErrLoss, nothing behind the window
// is handled, and the position stays, for this and for every later run.
func TestScenarioLossStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := beginning(t)
		defer rig.Close()
		last := checkpointedAt(rig, firstShard)
		rig.PutN(30, 5)
		time.Sleep(beyondRetention)
		rig.PutN(10, 5)
		for range 2 {
			w := rig.Start("w1", stopOnLoss)
			if err := w.Wait(); !errors.Is(err, consumer.ErrLoss) {
				t.Errorf("the run ended with %v, want ErrLoss", err)
			}
			if at := checkpointedAt(rig, firstShard); at.Compare(last) != 0 {
				t.Errorf("the position is %s, want it to stay at %s", at, last)
			}
		}
		exactly(t, rig, 20)
		rig.Start("w2") // with the loss accepted
		rig.Await("the rest", rig.AllDone)
		exactly(t, rig, 30)
	})
}

// A shard that was idle for longer than the retention has lost nothing, though
// the record at its checkpoint is gone: by the gentle stops in between it is
// known that everything had been read. That is so for a first worker that found
// nothing at all, too.
func TestScenarioLossNotDeclaredForIdleShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		rig.Put("key-0", "the only one for long")
		for range 3 {
			w := rig.Start("w1")
			time.Sleep(time.Minute)
			w.Stop()
			time.Sleep(20 * time.Hour)
		}
		rig.PutN(40, 40)
		rig.Start("w2")
		rig.Await("everything handled", rig.AllDone)
		for _, loss := range lostShards(t, rig) {
			t.Errorf("declared: %s", loss)
		}
		exactly(t, rig, 41)
	})
}

// An idle shard's owner dies after most of the retention has passed. It had
// written down, a quarter of the retention ago at most, that everything was
// read; so the next owner declares no loss when the record at the checkpoint is
// gone, and finds what was put meanwhile.
func TestScenarioLossNotDeclaredAfterACrashOfAnIdleOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		if err := rig.AWS.Kinesis().SetRetention(streamtest.Stream, time.Hour); err != nil {
			t.Fatal(err)
		}
		rig.PutN(10, 5)
		w1 := rig.Start("w1")
		time.Sleep(18 * time.Minute)
		w1.Kill()
		time.Sleep(44 * time.Minute) // the first ten are gone now
		rig.PutN(10, 5)
		time.Sleep(3 * time.Minute)
		rig.Start("w2")
		rig.Await("everything handled", rig.AllDone)
		for _, loss := range lostShards(t, rig) {
			t.Errorf("declared: %s", loss)
		}
		exactly(t, rig, 20)
	})
}

// A shard is closed, and retention passes the rest of it unread, until the shard
// itself is gone. The rest is declared lost up to the shard's end, the row says
// so, and the children start.
func TestScenarioLossOfTheRestOfAShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := beginning(t)
		defer rig.Close()
		last := checkpointedAt(rig, firstShard)
		rig.PutN(30, 5)
		splitShard(t, rig, firstShard)
		time.Sleep(beyondRetention)
		rig.PutN(20, 10)
		rig.Start("w1")
		rig.Await("the children", rig.AllDone)
		loss, ok := lostShards(t, rig)[firstShard]
		if !ok {
			t.Fatalf("no loss was declared")
		}
		if loss.After.Compare(last) != 0 || !loss.Until.IsEnd() {
			t.Errorf("the window is after %s, before %s; want after %s, before the end", loss.After, loss.Until, last)
		}
		if row := leaseItem(rig, firstShard); row != nil && (row["checkpoint"].Text() != "SHARD_END" || !row["lost"].Bool()) {
			t.Errorf("the row is at %s, lost %t; want it ended, and lost", row["checkpoint"].Text(), row["lost"].Bool())
		}
		exactly(t, rig, 40)
	})
}

// The rest of a shard is lost, and the run is to stop on that: it ends with
// ErrLoss, the shard is left and not ended, its children wait.
func TestScenarioLossOfTheRestStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := beginning(t)
		defer rig.Close()
		last := checkpointedAt(rig, firstShard)
		rig.PutN(30, 5)
		splitShard(t, rig, firstShard)
		time.Sleep(beyondRetention)
		rig.PutN(20, 10)
		told := &shardLife{}
		w := rig.Start("w1", stopOnLoss, func(c *consumer.Config) {
			c.Handler = told
			c.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) {
				if e.Cause == nil {
					t.Errorf("%s was left as if it had ended", e.Shard)
				}
			}
		})
		if err := w.Wait(); !errors.Is(err, consumer.ErrLoss) {
			t.Errorf("the run ended with %v, want ErrLoss", err)
		}
		if len(told.ended) > 0 {
			t.Errorf("the handler was told that %v ended", told.ended)
		}
		if at := checkpointedAt(rig, firstShard); at.Compare(last) != 0 {
			t.Errorf("the position is %s, want it to stay at %s", at, last)
		}
		lostShards(t, rig)
		exactly(t, rig, 20)
	})
}

// shardLife is a handler that accepts everything and notes which shards ended.
type shardLife struct {
	ended []string
}

func (h *shardLife) Handle(context.Context, *batching.Batch) error { return nil }

func (h *shardLife) ShardEnded(shardID string) { h.ended = append(h.ended, shardID) }

// A handler takes so long that retention passes records behind it which the
// worker has not read yet, as its bound keeps it from reading on. It notices by
// itself, and declares the window between what it read and what is left.
func TestScenarioLossBehindASlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		if err := rig.AWS.Kinesis().SetRetention(streamtest.Stream, time.Hour); err != nil {
			t.Fatal(err)
		}
		rig.PutN(60, 5)
		rig.Start("w1", handling(lingering(31*time.Minute)), pagesOf(rig, "w1", 10), func(c *consumer.Config) {
			c.BatchSize, c.MaximumInFlight = 10, 10
		})
		time.Sleep(20 * time.Minute)
		_, first := rig.Put("key-0", "kept")
		// One page is with the handler and one ahead of it, so the fourth is
		// asked for when the second call has returned.
		time.Sleep(43 * time.Minute)
		loss, ok := lostShards(t, rig)[firstShard]
		if !ok {
			t.Fatalf("no loss was declared")
		}
		last := rig.Ledger.Calls()[2].Last // of the page ahead
		if loss.After.Sequence != last || loss.Until.Sequence != first {
			t.Errorf("the window is after %s, before %s; want after %s, before %s", loss.After, loss.Until, last, first)
		}
	})
}

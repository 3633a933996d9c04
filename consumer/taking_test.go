package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// orphaned is a table that answers the first take with an error and applies it just
// before the second one comes.
type orphaned struct {
	*checkpointtest.Table
	takes  atomic.Int64
	second atomic.Int64 // when it was sent, in Unix nanoseconds
}

func (t *orphaned) Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error) {
	switch t.takes.Add(1) {
	case 1:
		return shard.Lease{}, errors.New("no answer")
	case 2:
		t.second.Store(time.Now().UnixNano())
		if row, err := t.Table.Take(ctx, seen, me, absent); err != nil {
			return row, err
		}
	}
	return t.Table.Take(ctx, seen, me, absent)
}

// A take whose answer was lost, and which is applied only when it is made again, is
// not a lost race: the row that refuses the second names this worker, which begins
// the shard at once.
func TestTakeWhoseAnswerWasLostIsRecognised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("a", []byte("a"))
		table := &orphaned{Table: checkpointtest.NewTable()}
		cfg := config(stream, table.Table)
		seen := &tally{}
		cfg.Leases, cfg.Handler = table, seen
		conflicts := 0
		cfg.Hooks.Conflict = func(consumer.ConflictEvent) { conflicts++ }
		r := start(t, cfg)
		await(t, "the record", func() bool { return seen.finished() == 1 })
		if took := time.Since(time.Unix(0, table.second.Load())); took > time.Second {
			t.Errorf("the shard was begun %v after the take was refused by its own row, want at once", took)
		}
		r.end()
		if n := table.takes.Load(); n != 2 || conflicts != 0 {
			t.Errorf("%d takes and %d conflicts were told, want 2 and none", n, conflicts)
		}
	})
}

// A worker that knows no sessions takes a lease by its counter alone. Whoever held it
// finds out though the shard is idle and nothing is written: it looks.
func TestIdleShardThatSomebodyTookIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler = &tally{}
		var lost error
		cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) { lost = e.Cause }
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		time.Sleep(time.Minute)
		if _, err := table.Take(t.Context(), onlyRow(t, table), "java", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		if n := r.holds(); n != 0 || !errors.Is(lost, consumer.ErrLeaseLost) {
			t.Errorf("8 s after somebody took its lease the worker holds %d shards, and left one with %v", n, lost)
		}
	})
}

// A hand-over that was asked for goes to nobody who is about to leave: its holder
// keeps the shard, and goes on with it.
func TestHandOverToAWorkerThatLeavesIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		cfg := config(stream, table)
		seen := &tally{}
		cfg.Handler = seen
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		time.Sleep(time.Minute)
		row := onlyRow(t, table)
		if err := table.Register(t.Context(), shard.Session{ID: "x/leaves", Leaving: true}); err != nil {
			t.Fatal(err)
		}
		asked, err := table.Ask(t.Context(), row, "x/leaves")
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Tell(t.Context(), row.Owner, shard.Hint{Kind: shard.HintDrain, Key: row.Key, Counter: asked.Counter}); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			time.Sleep(10 * time.Millisecond)
			if now := onlyRow(t, table); now.Holder() != row.Owner {
				t.Fatalf("the lease was handed over to a worker that leaves: %v", now)
			}
		}
		if now := onlyRow(t, table); now.CheckpointOwner != "" {
			t.Errorf("2 s later the hand-over still stands: %v", now)
		}
		stream.Put("a", []byte("a"))
		await(t, "the next record", func() bool { return seen.finished() == 1 })
	})
}

// A hand-over that is withdrawn while its holder drains was for nothing: the holder
// goes on with the shard, and gives it neither to whoever had asked nor to nobody.
func TestHandOverThatIsWithdrawnBeforeItIsBegunIsGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		cfg := config(stream, table)
		seen := &tally{do: func(context.Context, *batching.Batch) error { time.Sleep(2 * time.Second); return nil }}
		cfg.Handler = seen
		var left error
		cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) { left = e.Cause }
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		time.Sleep(time.Minute)
		stream.Put("a", []byte("a"))
		await(t, "its call", func() bool { return r.Status().Shards[0].Busy == 1 })
		row := onlyRow(t, table)
		if err := table.Register(t.Context(), shard.Session{ID: "x/lives"}); err != nil {
			t.Fatal(err)
		}
		asked, err := table.Ask(t.Context(), row, "x/lives")
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Tell(t.Context(), row.Owner, shard.Hint{Kind: shard.HintDrain, Key: row.Key, Counter: asked.Counter}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // it drains
		// The planner, which has seen no beat of the one who asked, may have been first.
		if _, err := table.Withdraw(t.Context(), asked); err != nil && onlyRow(t, table).CheckpointOwner != "" {
			t.Fatal(err)
		}
		for range 300 {
			time.Sleep(10 * time.Millisecond)
			if now := onlyRow(t, table); now.Owner != row.Owner {
				t.Fatalf("nobody asks for the lease any more, and it was let go: %v", now)
			}
		}
		stream.Put("a", []byte("b"))
		await(t, "the next record", func() bool { return seen.finished() == 2 })
		if left != nil {
			t.Errorf("the shard was left: %v", left)
		}
	})
}

// The row of a child may name this worker before its parent is done, such as by a
// worker of another library, or by hand. The child is begun behind its parent all the
// same.
func TestChildThatNamesThisWorkerWaitsForItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("a", []byte("parent"))
		cfg := config(stream, table)
		open := make(chan struct{})
		var before atomic.Bool // a record of a child was given out before the parent's was done
		var children atomic.Int64
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if string(b.First().Data) == "parent" {
				<-open
				return nil
			}
			children.Add(1)
			select {
			case <-open:
			default:
				before.Store(true)
			}
			return nil
		})
		r := start(t, cfg)
		await(t, "the parent", func() bool { return r.holds() == 1 && r.Status().Shards[0].Busy == 1 })
		row := onlyRow(t, table)
		stream.Split(row.Shard)
		stream.Put("a", []byte("child"))
		stream.Put("b", []byte("child"))
		listed, err := stream.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		epoch, err := table.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range listed {
			if s.ID == row.Shard {
				continue
			}
			child := shard.Lease{Key: s.ID, Shard: s.ID, Owner: row.Owner, Checkpoint: shard.TrimHorizon(), Parents: s.Parents, Hashes: s.Hashes, StreamCreated: row.StreamCreated}
			if err := table.Create(t.Context(), epoch, []shard.Lease{child}); err != nil {
				t.Fatal(err)
			}
			if err := table.Tell(t.Context(), row.Owner, shard.Hint{Kind: shard.HintStart, Key: s.ID}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		close(open)
		await(t, "the children", func() bool { return children.Load() >= 2 })
		if before.Load() {
			t.Error("a child was begun while its parent was at work")
		}
	})
}

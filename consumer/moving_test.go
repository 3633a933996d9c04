package consumer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// seek moves the position of the only row, and tells its holder if hint says so.
func seek(t *testing.T, table *checkpointtest.Table, to shard.Position, hint bool) shard.Lease {
	t.Helper()
	for {
		row, err := table.Seek(t.Context(), onlyRow(t, table), to)
		if errors.Is(err, checkpoint.ErrFenced) {
			continue // a save came between
		}
		if err != nil {
			t.Fatal(err)
		}
		if hint {
			must(t, table.Tell(t.Context(), row.Holder(), shard.Hint{Kind: shard.HintSeek, Key: row.Key, Counter: row.Counter}))
		}
		return row
	}
}

// A live owner begins anew at the position that its row was moved to, back or
// forth, within a second: what runs is cancelled with the reason, what it still
// finishes moves nothing, and the new tenure has a greater fence.
func TestMovedPositionIsGoneOnFromWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		number(stream, 0, 50)
		all := stream.Records()
		var mu sync.Mutex
		var fences []batching.Fence
		var causes []error
		h := &tally{do: func(ctx context.Context, b *batching.Batch) error {
			mu.Lock()
			fences = append(fences, b.Fence())
			mu.Unlock()
			if b.First().Sequence != all[30].Sequence {
				return nil
			}
			<-ctx.Done() // a long call, in which the position is moved
			mu.Lock()
			causes = append(causes, context.Cause(ctx))
			mu.Unlock()
			return nil // too late: it belongs to the old position
		}}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.CheckpointInterval = h, 1, time.Second
		r := start(t, cfg)
		await(t, "the long call", func() bool { return h.begun() == 31 })
		time.Sleep(5 * time.Second) // what was finished before is saved
		row := seek(t, table, all[9].Position(), true)
		began := time.Now()
		await(t, "it begins anew", func() bool { return h.begun() > 31 })
		if took := time.Since(began); took > time.Second {
			t.Errorf("it began anew after %v, want a second at most", took)
		}
		await(t, "the long call again", func() bool { return h.begun() == 31+21 })
		time.Sleep(5 * time.Second)
		row = onlyRow(t, table)
		if row.Checkpoint != all[29].Position() || row.SeekGen != 1 {
			t.Errorf("the row is %v in seek generation %d, want %v in 1", row, row.SeekGen, all[29].Position())
		}
		began = time.Now()
		seek(t, table, all[39].Position(), true)
		await(t, "the rest", func() bool { return h.begun() == 52+10 })
		if took := time.Since(began); took > time.Second {
			t.Errorf("it went forward after %v, want a second at most", took)
		}
		await(t, "the last is saved", func() bool { return onlyRow(t, table).Checkpoint == all[49].Position() })
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(causes) != 2 || !errors.Is(causes[0], consumer.ErrMoved) || !errors.Is(causes[1], consumer.ErrMoved) {
			t.Errorf("the calls ended because of %v, want ErrMoved twice", causes)
		}
		if fences[30].Compare(fences[31]) >= 0 || fences[51].Compare(fences[52]) >= 0 {
			t.Errorf("the fences are %v, %v and %v, want each tenure's above the last", fences[30], fences[31], fences[52])
		}
	})
}

// Without a hint the next save finds out, and nothing of the old position gets
// behind the new one.
func TestMovedPositionIsFoundByTheNextSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		number(stream, 0, 20)
		h := &tally{do: func(ctx context.Context, _ *batching.Batch) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.CheckpointInterval = h, 1, 5*time.Second
		r := start(t, cfg)
		await(t, "half of it", func() bool { return h.finished() == 10 })
		row := seek(t, table, shard.TrimHorizon(), false)
		await(t, "the beginning again", func() bool { return h.repeats() > 0 })
		if now := onlyRow(t, table); now.SeekGen != row.SeekGen || now.Checkpoint.Compare(row.Checkpoint) < 0 {
			t.Errorf("the row is %v, want %v or behind it in the same seek generation", now, row)
		}
		await(t, "everything", func() bool { return h.finished() == 20 })
		_, err := r.end()
		must(t, err)
	})
}

// A paused shard begins at its new position when it is resumed; one whose owner is
// dead does with the next.
func TestMovedPositionWaitsForWhoeverWorksIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		number(stream, 0, 10)
		all := stream.Records()
		h := &tally{}
		cfg := config(stream, table)
		cfg.Handler = h
		r := start(t, cfg)
		await(t, "everything", func() bool { return h.finished() == 10 })
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{}))
		time.Sleep(2 * time.Second)
		seek(t, table, all[4].Position(), true)
		time.Sleep(time.Minute)
		if h.repeats() != 0 {
			t.Fatalf("%d records were handled again while all is paused", h.repeats())
		}
		must(t, r.Steering().Resume(t.Context(), consumer.PauseOf{}))
		await(t, "five again", func() bool { return h.repeats() == 5 })
		_, err := r.end()
		must(t, err)
		seek(t, table, all[1].Position(), false)
		cfg.Handler = h
		runToTip(t, cfg)
		if h.repeats() != 8 {
			t.Errorf("%d records were handled again, want 8", h.repeats())
		}
	})
}

// Several handlers all begin at the new position, wherever each of them was.
func TestMovedPositionIsThatOfEveryHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		number(stream, 0, 20)
		all := stream.Records()
		var stuck sync.Map
		a := &tally{}
		b := &tally{do: func(ctx context.Context, batch *batching.Batch) error {
			if _, yes := stuck.Load("b"); yes && batch.First().Sequence >= all[5].Sequence {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}}
		stuck.Store("b", true)
		cfg := config(stream, table)
		cfg.Handlers, cfg.CheckpointInterval = named(a, b), time.Second
		for i := range cfg.Handlers {
			cfg.Handlers[i].BatchSize = 5
		}
		r := start(t, cfg)
		await(t, "they have begun", func() bool { return b.begun() > 1 })
		await(t, "they are apart", func() bool {
			return len(onlyRow(t, table).Marks) == 2 && onlyRow(t, table).Marks["a"] == all[19].Position()
		})
		stuck.Delete("b")
		if row := seek(t, table, all[9].Position(), true); len(row.Marks) != 0 {
			t.Errorf("the moved row has the marks %v", row.Marks)
		}
		await(t, "the rest of both", func() bool { return a.repeats() == 10 && b.finished() == 15 })
		time.Sleep(5 * time.Second)
		if a.repeats() != 10 || b.repeats() != 0 || b.finished() != 15 {
			t.Errorf("a had %d again, b %d of them %d again; want 10, 15 and 0", a.repeats(), b.finished(), b.repeats())
		}
		_, err := r.end()
		must(t, err)
	})
}

// moveAll writes a move of all positions into the control row, or takes it out.
func moveAll(t *testing.T, table *checkpointtest.Table, m shard.Move) shard.Control {
	t.Helper()
	seen, err := table.Control(t.Context())
	must(t, err)
	next := seen
	next.Move = m
	now, err := table.SetControl(t.Context(), seen, next)
	must(t, err)
	return now
}

// While all positions are moved every worker drains, lets its shards go to nobody
// and says so only then; one that comes meanwhile takes none; and afterwards all
// go on where they were, and repeat nothing.
func TestFleetStandsStillWhileAllPositionsAreMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(4), checkpointtest.NewTable()
		h := &tally{do: func(context.Context, *batching.Batch) error { time.Sleep(3 * time.Second); return nil }}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize = h, 1
		workers := []*running{start(t, cfg), start(t, cfg)}
		await(t, "both work", func() bool { return workers[0].holds() == 2 && workers[1].holds() == 2 })
		putMany(stream, 0, 40)
		await(t, "they are at work", func() bool { return h.begun() > 4 })
		told := moveAll(t, table, shard.Move{ID: "0011", What: "seek", By: "test", To: shard.TrimHorizon()})
		still := func() bool {
			sessions, err := table.SessionsNow(t.Context())
			must(t, err)
			for _, s := range sessions {
				if s.ShareGen < told.Gen {
					return false
				}
			}
			return true
		}
		await(t, "they say that they stand still", still)
		done := h.begun()
		h.mu.Lock()
		if h.now != 0 {
			t.Errorf("%d calls run in a fleet that stands still", h.now)
		}
		h.mu.Unlock()
		workers = append(workers, start(t, cfg))
		time.Sleep(5 * time.Minute)
		rows, err := table.List(t.Context())
		must(t, err)
		for _, row := range rows {
			if row.Holder() != "" {
				t.Errorf("%v is held while all stand still", row)
			}
		}
		if h.begun() != done || !still() {
			t.Errorf("%d calls were made while all stand still", h.begun()-done)
		}
		for _, w := range workers {
			if s := w.Status(); !s.Move.Active() || s.Move.By != "test" || len(s.Shards) > 0 {
				t.Errorf("the status is %+v, want one that tells of the move", s)
			}
		}
		moveAll(t, table, shard.Move{})
		await(t, "everything", func() bool { return h.finished() == 40 })
		if h.repeats() != 0 {
			t.Errorf("%d records were repeated", h.repeats())
		}
		for _, w := range workers {
			_, err := w.end()
			must(t, err)
		}
	})
}

// A handler that does not return holds its worker's word back.
func TestWorkerWithARunningHandlerDoesNotStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("key", []byte("x"))
		release := make(chan struct{})
		h := &tally{do: func(context.Context, *batching.Batch) error { <-release; return nil }}
		cfg := config(stream, table)
		cfg.Handler, cfg.DrainTimeout = h, 5*time.Second
		r := start(t, cfg)
		await(t, "the call", func() bool { return h.begun() == 1 })
		told := moveAll(t, table, shard.Move{ID: "0011", What: "seek", By: "test"})
		kept := func() bool {
			sessions, err := table.SessionsNow(t.Context())
			must(t, err)
			return sessions[0].ShareGen >= told.Gen
		}
		time.Sleep(2 * time.Minute)
		if kept() {
			t.Error("the worker says that it stands still while its handler runs")
		}
		close(release)
		await(t, "it says so", kept)
		moveAll(t, table, shard.Move{})
		await(t, "it goes on", func() bool { return h.begun() == 2 })
		_, err := r.end()
		must(t, err)
	})
}

// A take that was under way when the worker was told to stand still may yet be
// written: the shard is not begun by it, and the worker says that it stands still
// when it is answered.
func TestTakeUnderWayIsNotBegunWhileAllStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("key", []byte("x"))
		taking, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		table.Interfere(func(op, _ string) error {
			if op == "take" {
				once.Do(func() { close(taking); <-release })
			}
			return nil
		}, nil)
		h := &tally{}
		cfg := config(stream, table)
		cfg.Handler = h
		r := start(t, cfg)
		<-taking
		told := moveAll(t, table, shard.Move{ID: "0011", What: "seek", By: "test"})
		time.Sleep(3 * time.Second)
		close(release)
		await(t, "it says that it stands still", func() bool {
			sessions, err := table.SessionsNow(t.Context())
			must(t, err)
			return sessions[0].ShareGen >= told.Gen
		})
		time.Sleep(time.Minute)
		if row := onlyRow(t, table); row.Owner == "" {
			t.Errorf("the take was not written: %v", row)
		}
		if h.begun() != 0 || r.holds() != 0 {
			t.Errorf("%d calls were made by a worker that said that it stands still", h.begun())
		}
		moveAll(t, table, shard.Move{})
		await(t, "the record", func() bool { return h.begun() == 1 })
		_, err := r.end()
		must(t, err)
	})
}

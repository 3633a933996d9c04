package consumer_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// CaughtUp ends the run when every shard has been handled to its tip, resharding
// included, with the positions written: the next run finds nothing to do.
func TestCaughtUpEndsWithEverythingHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(3)
		for i := range 3_000 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		if _, _, err := stream.Split("shardId-000000000001"); err != nil {
			t.Fatal(err)
		}
		for i := range 1_000 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, 3_000+i))
		}
		table := checkpointtest.NewTable()
		h := &tally{}
		cfg := config(stream, table)
		cfg.Handler, cfg.ParallelizationFactor = h, 3
		began := time.Now()
		runToTip(t, cfg)
		if h.finished() != 4_000 || h.repeats() != 0 {
			t.Errorf("%d records were handled, %d again, want 4000 once each", h.finished(), h.repeats())
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the run took %v, want it to end when there is nothing left", took)
		}
		rows, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if !row.Finished() && (row.Owner != "" || !row.Checkpoint.IsRecord()) {
				t.Errorf("the row is left as %s", row)
			}
		}
		calls := h.calls
		runToTip(t, cfg)
		if h.calls != calls {
			t.Errorf("the next run made %d calls, want none", h.calls-calls)
		}
	})
}

// Arrival ends the run when everything that arrived before is handled, and the
// rest is left for the next run.
func TestArrivalEndsBeforeTheFirstLaterRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		put := func(n int, what string) {
			for i := range n {
				stream.Put(fmt.Sprint(i), fmt.Append(nil, what, i))
			}
		}
		put(500, "before ")
		time.Sleep(time.Hour)
		limit := time.Now()
		put(500, "after ")
		h := &tally{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.Until = h, consumer.Arrival(limit)
		for range 2 { // the second run has nothing to do
			r := start(t, cfg)
			if err := <-r.done; err != nil {
				t.Fatal(err)
			}
			r.done = nil
			if h.finished() != 500 || h.handled["before 0"] != 1 || h.handled["after 0"] != 0 {
				t.Errorf("%d records were handled, want the 500 before", h.finished())
			}
		}
		runToTip(t, cfg)
		if h.finished() != 1_000 || h.repeats() != 0 {
			t.Errorf("%d records were handled in the end, %d again, want 1000 once each", h.finished(), h.repeats())
		}
	})
}

// Arrival in the future waits for it: what still arrives before is handled too.
func TestArrivalInTheFutureIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		h := &tally{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.Until = h, consumer.Arrival(time.Now().Add(time.Hour))
		r := start(t, cfg)
		time.Sleep(50 * time.Minute)
		stream.Put("key", []byte("late"))
		began := time.Now()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		r.done = nil
		if took := time.Since(began).Round(time.Minute); took != 10*time.Minute || h.finished() != 1 {
			t.Errorf("the run ended %v after the record with %d handled, want 10m and 1", took, h.finished())
		}
	})
}

// A job that is started again while the one before it, which died, is not yet
// known to be dead, waits for its shards instead of leaving them to it.
func TestCaughtUpDoesNotTrustAWorkerThatDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		for i := range 100 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		table := newMortal()
		cfg := config(stream, nil)
		if !table.process(t, "died", cfg, "0", func(*batching.Batch) {}) {
			t.Fatal("the first process did not die")
		}
		h := &tally{}
		cfg.Leases, cfg.Handler = table, h
		runToTip(t, cfg)
		if h.finished() < 99 {
			t.Errorf("%d records were handled, want those of both shards", h.finished())
		}
	})
}

// Two jobs at once share the work, and each ends when there is nothing left for
// it.
func TestTwoJobsThatCatchUpShareTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(4)
		for i := range 1_000 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		h := &tally{do: busy}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.BatchSize, cfg.Until = h, 10, consumer.CaughtUp()
		jobs := []*running{start(t, cfg), start(t, cfg)}
		began := time.Now()
		for _, job := range jobs {
			if err := <-job.done; err != nil {
				t.Fatal(err)
			}
			job.done = nil
		}
		if h.finished() != 1_000 || h.repeats() != 0 {
			t.Errorf("%d records were handled, %d again, want 1000 once each", h.finished(), h.repeats())
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the jobs took %v, want them to end when there is nothing left", took)
		}
	})
}

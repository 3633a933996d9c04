package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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

// Release hands one shard over to the other worker, waits for the running call
// and repeats nothing. What cannot be released is said by its error.
func TestReleaseHandsOneShardOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(3)
		table := checkpointtest.NewTable()
		h := &tally{do: func(context.Context, *batching.Batch) error { time.Sleep(time.Second); return nil }}
		cfg := config(stream, table)
		cfg.Handler = h
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Release(t.Context(), "shardId-000000000000"); !errors.Is(err, consumer.ErrNotHeld) {
			t.Errorf("release by a consumer that does not run: %v, want %v", err, consumer.ErrNotHeld)
		}
		first := start(t, cfg)
		await(t, "the shards", func() bool { return first.holds() == 3 })
		if err := first.Release(t.Context(), "shardId-000000000000"); !errors.Is(err, consumer.ErrNobodyElse) {
			t.Errorf("release without another worker: %v, want %v", err, consumer.ErrNobodyElse)
		}
		if err := first.Release(t.Context(), "shardId-000000000009"); !errors.Is(err, consumer.ErrNotHeld) {
			t.Errorf("release of an unknown shard: %v, want %v", err, consumer.ErrNotHeld)
		}
		cfg.WorkerPrefix = "x" // so that the first stays the planner
		second := start(t, cfg)
		await(t, "the second worker's share", func() bool { return first.holds() == 2 && second.holds() == 1 })
		released := first.Status().Shards[0].Shard
		if err := second.Release(t.Context(), released); !errors.Is(err, consumer.ErrNotHeld) {
			t.Errorf("release of another's shard: %v, want %v", err, consumer.ErrNotHeld)
		}
		for i := range 600 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		time.Sleep(500 * time.Millisecond) // calls are running
		began := time.Now()
		if err := first.Release(t.Context(), released); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the release took %v, want the call's second and little more", took)
		}
		if first.holds() != 1 {
			t.Errorf("the first worker holds %d shards after the release returned, want 1", first.holds())
		}
		await(t, "the second worker has it", func() bool { return second.holds() == 2 })
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the second worker had it after %v, want within a second of the release", took)
		}
		await(t, "every record", func() bool { return h.finished() == 600 })
		time.Sleep(time.Minute)
		if h.repeats() != 0 {
			t.Errorf("%d records were handled again, want none", h.repeats())
		}
	})
}

// The wait of Release ends with its context; the hand-over goes on.
func TestReleaseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("slow"))
		h := &tally{do: func(context.Context, *batching.Batch) error { time.Sleep(20 * time.Second); return nil }}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler = h
		first := start(t, cfg)
		await(t, "the call", func() bool { return h.most() == 1 })
		second := start(t, cfg)
		time.Sleep(2 * time.Second) // they know each other
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := first.Release(ctx, "shardId-000000000000"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		await(t, "the hand-over", func() bool { return second.holds() == 1 })
		if h.finished() != 1 || h.repeats() != 0 {
			t.Errorf("%d records were handled, %d again, want the one once", h.finished(), h.repeats())
		}
	})
}

// A worker takes no more than MaximumLeases shards, and the rest stays free for
// others.
func TestMaximumLeasesIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(5)
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler, cfg.MaximumLeases = &tally{}, 2
		first := start(t, cfg)
		for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(100 * time.Millisecond) {
			if first.holds() > 2 {
				t.Fatalf("it holds %d shards, want at most 2", first.holds())
			}
		}
		free := func() (n int) {
			rows, err := table.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				if row.Holder() == "" {
					n++
				}
			}
			return n
		}
		if first.holds() != 2 || free() != 3 {
			t.Errorf("it holds %d shards and %d are free, want 2 and 3", first.holds(), free())
		}
		cfg.MaximumLeases = 0
		second := start(t, cfg)
		await(t, "the rest has an owner", func() bool { return second.holds() == 3 })
		if first.holds() != 2 {
			t.Errorf("the first holds %d, want its 2", first.holds())
		}
		// A stop of the second gives the first no more than its bound either.
		if _, err := second.end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if first.holds() != 2 || free() != 3 {
			t.Errorf("after the second stopped, the first holds %d and %d are free, want 2 and 3", first.holds(), free())
		}
	})
}

// withdrawing is a table in which a hand-over is withdrawn just before it is
// finished, as the planner does when whoever was to have the shard has died.
type withdrawing struct {
	*checkpointtest.Table
	finishes atomic.Int64
}

func (t *withdrawing) Finish(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	if t.finishes.Add(1) == 1 {
		if _, err := t.Withdraw(ctx, held); err != nil {
			return shard.Lease{}, err
		}
	}
	return t.Table.Finish(ctx, held, me, p)
}

// A worker whose hand-over is withdrawn while it finishes it goes on with the
// shard, and handles nothing twice.
func TestHandOverThatIsWithdrawnAtTheLastMomentIsGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		table := &withdrawing{Table: checkpointtest.NewTable()}
		h := &tally{}
		cfg := config(stream, table.Table)
		cfg.Leases, cfg.Handler = table, h
		first := start(t, cfg)
		await(t, "the shards", func() bool { return first.holds() == 2 })
		cfg.WorkerPrefix = "x" // so that the first stays the planner
		start(t, cfg)
		for range 300 { // of which a hand-over has not written the last
			stream.Put("a", []byte("a"))
			stream.Put("b", []byte("b"))
			stream.Put("c", []byte("c"))
			time.Sleep(100 * time.Millisecond)
		}
		await(t, "every record", func() bool { return handledCalls(h) >= 900 })
		time.Sleep(time.Minute)
		if n := handledCalls(h); n != 900 {
			t.Errorf("%d records were handled, want 900", n)
		}
		if n := table.finishes.Load(); n == 0 || n > 5 {
			t.Errorf("a hand-over was finished %d times, want a few: once in vain, and again later", n)
		}
	})
}

// handledCalls is how many records were handled, repeats among them.
func handledCalls(h *tally) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, times := range h.handled {
		n += times
	}
	return n
}

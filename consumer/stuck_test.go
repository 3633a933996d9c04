package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// deaf is a handler that ignores its context until the test lets it return.
func deaf(t *testing.T) (h *tally, let func()) {
	free := make(chan struct{})
	let = sync.OnceFunc(func() { close(free) })
	t.Cleanup(let)
	return &tally{do: func(context.Context, *batching.Batch) error { <-free; return nil }}, let
}

// cutOff has every call of a table fail while it is set.
func cutOff(table *checkpointtest.Table) *atomic.Bool {
	cut := new(atomic.Bool)
	table.Interfere(func(string, string) error {
		if cut.Load() {
			return errors.New("cut off")
		}
		return nil
	}, nil)
	return cut
}

// A handler that does not return when its context has ended is reported, the run
// ends with ErrStuck within the drain time and a little more, and its lease is
// not let go: it expires, and only then has another worker the shard.
func TestStuckHandlerEndsTheRunAndKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		table := checkpointtest.NewTable()
		h, _ := deaf(t)
		var stuck []consumer.HandlerStuckEvent
		cfg := config(stream, table)
		cfg.Handler, cfg.DrainTimeout = h, 5*time.Second
		cfg.Hooks.HandlerStuck = func(e consumer.HandlerStuckEvent) { stuck = append(stuck, e) }
		r := start(t, cfg)
		await(t, "the call", func() bool { return h.most() == 1 })
		id := r.Status().Worker
		took, err := r.end()
		if !errors.Is(err, consumer.ErrStuck) {
			t.Errorf("Run returned %v, want %v", err, consumer.ErrStuck)
		}
		if took < 5*time.Second || took > 5*time.Second+3*time.Second {
			t.Errorf("the stop took %v, want the drain time of 5s and at most 3s more", took)
		}
		if len(stuck) != 1 || stuck[0].Shard != "shardId-000000000000" || stuck[0].Worker != id || stuck[0].For < 2*time.Second {
			t.Errorf("HandlerStuck told %+v, want one event", stuck)
		}
		row := onlyRow(t, table)
		if row.Owner != id || row.Checkpoint.IsRecord() {
			t.Errorf("the row is left as %s, want it to name %s still", row, id)
		}
		other := &tally{}
		cfg.Handler = other
		next := start(t, cfg)
		began := time.Now()
		await(t, "the record by another worker", func() bool { return other.finished() == 1 })
		if took := time.Since(began); took < 10*time.Second {
			t.Errorf("another worker had the shard after %v, want the lease of 10s to expire first", took)
		}
		_ = next
	})
}

// While a handler left behind still runs, the process that left it calls no
// handler for the same shard, whatever becomes of the session; when it returns,
// the shard goes on and its place among MaximumConcurrency is free again.
func TestNoSecondCallForAShardWhileAStuckOneRuns(t *testing.T) {
	for _, limit := range []int{0, 1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				stream.Put("key", []byte("a"))
				table := checkpointtest.NewTable()
				h, let := deaf(t)
				cut := cutOff(table)
				var sessions atomic.Int64
				cfg := config(stream, table)
				cfg.Handler, cfg.MaximumConcurrency = h, limit
				cfg.Hooks.SessionStarted = func(consumer.SessionEvent) { sessions.Add(1) }
				r := start(t, cfg)
				await(t, "the call", func() bool { return h.most() == 1 })
				// The session runs out, comes back, and the worker holds the lease again.
				cut.Store(true)
				time.Sleep(20 * time.Second)
				cut.Store(false)
				time.Sleep(2 * time.Minute)
				if r.holds() != 1 {
					t.Errorf("the worker holds %d shards, want its one again", r.holds())
				}
				if h.begun() != 1 {
					t.Errorf("%d calls were begun, want the stuck one alone", h.begun())
				}
				let()
				await(t, "the record handled again", func() bool { return h.begun() == 2 })
				stream.Put("key", []byte("b"))
				await(t, "the next record", func() bool { return h.finished() == 2 })
				if h.most() != 1 {
					t.Errorf("%d calls ran at once, want 1", h.most())
				}
				if took, err := r.end(); err != nil || took > time.Second {
					t.Errorf("the stop took %v (%v), want no error: nothing is left behind by now", took, err)
				}
			})
		})
	}
}

// A handler that outlives HandlerTimeout without heeding it is reported again
// and again, keeps its lane, and other shards go on.
func TestHandlerThatIgnoresItsTimeoutIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		h, let := deaf(t)
		slow := h.do
		h.do = func(ctx context.Context, b *batching.Batch) error {
			if find(b, "deaf") != nil {
				return slow(ctx, b)
			}
			return nil
		}
		for _, put := range []struct{ shard, data string }{
			{"shardId-000000000000", "deaf"}, {"shardId-000000000001", "b"}, {"shardId-000000000001", "c"},
		} {
			if _, err := stream.PutTo(put.shard, "key", []byte(put.data)); err != nil {
				t.Fatal(err)
			}
		}
		var stuck atomic.Int64
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.HandlerTimeout = h, 3*time.Second
		cfg.Hooks.HandlerStuck = func(e consumer.HandlerStuckEvent) {
			if !strings.HasSuffix(e.Shard, "0") {
				t.Errorf("%s is told as stuck", e.Shard)
			}
			stuck.Add(1)
		}
		r := start(t, cfg)
		time.Sleep(20 * time.Second)
		if stuck.Load() < 3 {
			t.Errorf("it was told %d times in 20s, want several", stuck.Load())
		}
		if h.finished() != 2 {
			t.Errorf("%d records of the other shard were handled, want 2", h.finished())
		}
		let()
		await(t, "the record", func() bool { return h.finished() == 3 })
		if _, err := r.end(); err != nil {
			t.Errorf("Run returned %v, want nil: the handler has returned", err)
		}
	})
}

// A handler that goes on after its context has ended is told that its batch is not
// valid any more, whatever made the lease go, and stays so: also when the worker has
// a session again, and the shard.
func TestBatchOfALostLeaseIsNeverValidAgain(t *testing.T) {
	for name, lose := range map[string]func(table *checkpointtest.Table, cut *atomic.Bool){
		"somebody took the row": func(table *checkpointtest.Table, _ *atomic.Bool) {
			table.Edit("shardId-000000000000", func(l *shard.Lease) { l.Owner, l.Counter = "somebody", l.Counter+1 })
		},
		"the session ran out": func(_ *checkpointtest.Table, cut *atomic.Bool) {
			cut.Store(true)
			time.AfterFunc(9*time.Second, func() { cut.Store(false) })
		},
		"the session was revoked": func(table *checkpointtest.Table, _ *atomic.Bool) {
			sessions, _ := table.Sessions(context.Background())
			_ = table.Revoke(context.Background(), sessions[0], "somebody")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				stream.Put("key", []byte("a"))
				table := checkpointtest.NewTable()
				cut := cutOff(table)
				h, _ := deaf(t)
				slow := h.do
				first := make(chan *batching.Batch, 1)
				ended := make(chan error, 1)
				h.do = func(ctx context.Context, b *batching.Batch) error {
					first <- b
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return slow(ctx, b)
				}
				cfg := config(stream, table)
				cfg.Handler = h
				r := start(t, cfg)
				b := <-first
				if !b.Valid() {
					t.Error("the batch is not valid while its lease is held")
				}
				time.Sleep(time.Second)
				lose(table, cut)
				if cause := <-ended; !errors.Is(cause, consumer.ErrLeaseLost) {
					t.Fatalf("the context ended with %v, want %v", cause, consumer.ErrLeaseLost)
				}
				synctest.Wait()
				for range 60 {
					if b.Valid() {
						t.Fatalf("the batch is valid again, %d shards are held", r.holds())
					}
					time.Sleep(time.Second)
				}
				if !r.Status().Valid {
					t.Error("the session did not come back, so that this has shown nothing")
				}
			})
		})
	}
}

// A shard whose handler was left behind is not given away when the worker that left
// it behind has got its lease again: neither to whom it is asked for nor at a stop.
// Nobody else may have it while that handler runs in a process that can be seen to
// live.
func TestShardOfAStuckHandlerIsNotGivenAway(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, r *running, table *checkpointtest.Table, to string){
		"handed over": func(t *testing.T, r *running, _ *checkpointtest.Table, _ string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := r.Release(ctx, "shardId-000000000000"); !errors.Is(err, consumer.ErrStuck) {
				t.Errorf("Release returned %v, want %v", err, consumer.ErrStuck)
			}
		},
		"asked for": func(t *testing.T, r *running, table *checkpointtest.Table, to string) {
			row := onlyRow(t, table)
			if _, err := table.Ask(t.Context(), row, to); err != nil {
				t.Fatal(err)
			}
			if err := table.Tell(t.Context(), row.Owner, shard.Hint{Kind: shard.HintDrain, Key: row.Key, Counter: row.Counter}); err != nil {
				t.Fatal(err)
			}
		},
		"stopped": func(t *testing.T, r *running, _ *checkpointtest.Table, _ string) {
			if _, err := r.end(); !errors.Is(err, consumer.ErrStuck) {
				t.Errorf("Run returned %v, want %v", err, consumer.ErrStuck)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				stream.Put("key", []byte("a"))
				table := checkpointtest.NewTable()
				h, _ := deaf(t)
				cut := cutOff(table)
				cfg := config(stream, table)
				cfg.Handler, cfg.DrainTimeout = h, 5*time.Second
				r := start(t, cfg)
				await(t, "the call", func() bool { return h.most() == 1 })
				cut.Store(true)
				time.Sleep(9 * time.Second) // the session runs out, and nobody is there to revoke it
				cut.Store(false)
				await(t, "the lease again", func() bool { return r.holds() == 1 })
				other := config(stream, table)
				other.Handler = &tally{}
				next := start(t, other)
				time.Sleep(3 * time.Second) // they know each other
				began := time.Now()
				leave(t, r, table, next.Status().Worker)
				for time.Since(began) < 8*time.Second {
					if next.holds() > 0 {
						t.Fatalf("another worker has the shard after %v, and the handler of the first runs still", time.Since(began))
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}

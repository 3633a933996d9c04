package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// collecting defers all batches and acknowledges them when it is woken, but not
// for the reasons that it ignores.
type collecting struct {
	sleeper
	held []*batching.Ack
}

func newCollecting(ignore ...batching.WakeReason) *collecting {
	c := &collecting{}
	c.handle = func(_ context.Context, b *batching.Batch) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held = append(c.held, b.Defer())
		return nil
	}
	c.wake = func(_ context.Context, w *batching.Wake) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, reason := range ignore {
			if reason == w.Why {
				return nil
			}
		}
		for _, a := range c.held {
			a.Done()
		}
		c.held = nil
		return nil
	}
	return c
}

// A handler that defers is told when no more can be read before it finishes
// something.
func TestPressureIsToldWhenTooMuchIsDeferred(t *testing.T) {
	t.Run("in flight", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = 20 })
			h := newCollecting()
			for i := range 1000 {
				stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
			}
			cfg := config(stream, checkpointtest.NewTable())
			cfg.Handler, cfg.BatchSize, cfg.MaximumInFlight = h, 10, 100
			runToTip(t, cfg)
			if n := strings.Count(h.text(), "pressure"); n < 5 || n > 12 {
				t.Errorf("the handler was pressed %d times over 1,000 records, 100 in flight", n)
			}
		})
	})
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stream, h := shardtest.NewStream(2), newCollecting()
			for i := range 120 {
				stream.Put(fmt.Sprint(i), []byte(strings.Repeat("x", 1<<20)))
			}
			cfg := config(stream, checkpointtest.NewTable())
			cfg.Handler, cfg.MemoryBudget, cfg.Until = h, 32<<20, consumer.Until{}
			h.handle = func(_ context.Context, b *batching.Batch) error {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.calls[len(h.calls)-1] = "batch"
				h.held = append(h.held, b.Defer())
				return nil
			}
			var records atomic.Int64
			cfg.Hooks.BatchDone = func(e consumer.BatchEvent) { records.Add(int64(e.Records)) }
			start(t, cfg)
			await(t, "all records", func() bool { return records.Load() == 120 })
		})
	})
}

// What is deferred is wanted before a shard is let go, and before its end.
func TestDeferredIsWantedBeforeTheShardGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), newCollecting()
		cfg := config(stream, table)
		cfg.Handler = h
		r := start(t, cfg)
		await(t, "the call", func() bool { return h.text() == "a" })
		if took, err := r.end(); err != nil || took > time.Second || !at(t, table, stream.Records()[3]) {
			t.Errorf("the stop took %v (%v) and left %s", took, err, onlyRow(t, table).Checkpoint)
		}
		stream.Put("key", []byte("e"))
		if _, _, err := stream.Split("shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		r = start(t, cfg)
		await(t, "the children", func() bool { return r.holds() == 2 })
		if got := h.text(); got != "a leaving e ended" {
			t.Errorf("calls: %s", got)
		}
	})
}

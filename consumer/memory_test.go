package consumer_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// A thousand shards on one worker hold no more than the byte budget: bytes are
// reserved before each read, a full budget flushes the shard that has gathered
// longest, and every shard gets its turn.
func TestThousandShardsStayWithinTheMemoryBudget(t *testing.T) {
	const (
		shards  = 1_000
		each    = 20
		payload = 16 << 10
		budget  = 64 << 20 // the records alone are 320 MB
	)
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(shards)
		listed, err := stream.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, payload)
		for _, s := range listed {
			for i := range each {
				if _, err := stream.PutTo(s.ID, fmt.Sprint(i), data); err != nil {
					t.Fatal(err)
				}
			}
		}
		var held, worst, pressed atomic.Int64
		var mu sync.Mutex
		handled := map[string]int{}
		var c *consumer.Consumer
		cfg := config(stream, checkpointtest.NewTable())
		cfg.MemoryBudget = budget
		// The window is far longer than the test: only the end of the stream's
		// records and pressure make a batch due.
		cfg.BatchSize, cfg.MaximumBatchingWindow = 10_000, 5*time.Minute
		cfg.MaximumBatchBytes = 1 << 30
		cfg.Hooks.MemoryPressure = func(consumer.PressureEvent) { pressed.Add(1) }
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			var bytes int64
			for i := range b.Records {
				bytes += int64(b.Records[i].Size())
			}
			now := held.Add(bytes)
			for {
				was := worst.Load()
				if now <= was || worst.CompareAndSwap(was, now) {
					break
				}
			}
			if status := c.Status(); status.MemoryHeld > budget {
				t.Errorf("%d bytes are held, want at most %d", status.MemoryHeld, budget)
			}
			time.Sleep(10 * time.Millisecond)
			held.Add(-bytes)
			mu.Lock()
			handled[b.Shard] += len(b.Records)
			mu.Unlock()
			return nil
		})
		c, err = consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		total := func() (n int) {
			mu.Lock()
			defer mu.Unlock()
			for _, k := range handled {
				n += k
			}
			return n
		}
		began := time.Now()
		for total() < shards*each && time.Since(began) < 4*time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		took := time.Since(began)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		n := total()
		if n < shards*each-budget/payload {
			t.Errorf("handled %d of %d records within %v: pressure does not flush", n, shards*each, took)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(handled) < shards-budget/payload/each {
			t.Errorf("%d of %d shards had a turn", len(handled), shards)
		}
		if worst.Load() > budget {
			t.Errorf("handlers held %d bytes at once, want at most %d", worst.Load(), budget)
		}
		if pressed.Load() == 0 {
			t.Error("the budget was never full, so the test shows nothing")
		}
		t.Logf("%d records in %v of virtual time, at most %d bytes in handlers, %d waits for memory", n, took, worst.Load(), pressed.Load())
	})
}

package consumer_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
)

// running is a consumer that runs until the test ends it.
type running struct {
	*consumer.Consumer
	cancel context.CancelFunc
	done   chan error
}

// start runs a consumer in a goroutine that end, or the test's end, awaits.
func start(t *testing.T, cfg consumer.Config) *running {
	t.Helper()
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Consumer: c, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if r.done != nil {
			<-r.done
		}
	})
	return r
}

// end stops the consumer and returns what Run returned, and after how long.
func (r *running) end() (took time.Duration, err error) {
	began := time.Now()
	r.cancel()
	err = <-r.done
	r.done = nil
	return time.Since(began), err
}

// holds is how many shards the consumer works.
func (r *running) holds() int { return len(r.Status().Shards) }

// await lets virtual time pass until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for began := time.Now(); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Minute {
			t.Fatalf("after ten minutes of virtual time, still not: %s", what)
		}
	}
}

// onlyRow is the one row of a table.
func onlyRow(t *testing.T, table *checkpointtest.Table) shard.Lease {
	t.Helper()
	rows, err := table.List(context.Background())
	if err != nil || len(rows) != 1 {
		t.Fatalf("the table holds %v (%v), want one row", rows, err)
	}
	return rows[0]
}

// tally is a handler that counts: calls at once, and what became of each record.
type tally struct {
	do func(ctx context.Context, b *batching.Batch) error // nil: accept

	mu      sync.Mutex
	now     int
	peak    int            // the most calls at once
	calls   int            // calls so far
	handled map[string]int // how often each payload was finished
	order   []string       // payloads in the order in which they were finished
}

func (h *tally) Handle(ctx context.Context, b *batching.Batch) error {
	h.mu.Lock()
	h.calls++
	h.now++
	h.peak = max(h.peak, h.now)
	h.mu.Unlock()
	var err error
	if h.do != nil {
		err = h.do(ctx, b)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now--
	if h.handled == nil {
		h.handled = map[string]int{}
	}
	if err == nil {
		for _, r := range b.Records {
			h.handled[string(r.Data)]++
			h.order = append(h.order, string(r.Data))
		}
	}
	return err
}

// finished is how many records were, each counted once; repeats how many were
// more than once.
func (h *tally) finished() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.handled)
}

func (h *tally) repeats() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.handled {
		if k > 1 {
			n++
		}
	}
	return n
}

// begun is how many calls there have been, most how many at once.
func (h *tally) begun() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

func (h *tally) most() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.peak
}

// ended is what Run returned, when it ends by itself.
func (r *running) ended() error {
	err := <-r.done
	r.done = nil
	return err
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// sizes is a handler that notes how many records each call got, and when.
type sizes struct {
	mu    sync.Mutex
	began time.Time
	got   []int
	at    []time.Duration
}

func (s *sizes) Handle(_ context.Context, b *batching.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got, s.at = append(s.got, len(b.Records)), append(s.at, time.Since(s.began))
	return nil
}

func (s *sizes) calls() ([]int, []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.got...), append([]time.Duration(nil), s.at...)
}

// A batch that is not full waits for MaximumBatchingWindow from its oldest
// record on; a full one waits for nothing; and without a window neither does.
func TestBatchWaitsForItsWindowUnlessItIsFull(t *testing.T) {
	const poll = 200 * time.Millisecond // how late a record may be read
	for _, window := range []time.Duration{0, 5 * time.Second, 5 * time.Minute} {
		t.Run(window.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				s := &sizes{}
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler, cfg.MaximumBatchingWindow, cfg.BatchSize = s, window, 10
				r := start(t, cfg)
				await(t, "the shard", func() bool { return r.holds() == 1 })
				s.began = time.Now()
				for i := range 3 {
					stream.Put("key", fmt.Append(nil, i))
				}
				time.Sleep(window + 2*poll)
				got, at := s.calls()
				if fmt.Sprint(got) != "[3]" || at[0] < window || at[0] > window+poll {
					t.Errorf("calls of %v records after %v, want one of 3 after %v", got, at, window)
				}
				s.mu.Lock()
				s.got, s.at, s.began = nil, nil, time.Now()
				s.mu.Unlock()
				for i := range 10 {
					stream.Put("key", fmt.Append(nil, i))
				}
				time.Sleep(2 * poll)
				got, at = s.calls()
				if fmt.Sprint(got) != "[10]" || at[0] > poll {
					t.Errorf("calls of %v records after %v, want one of 10 at once", got, at)
				}
			})
		})
	}
}

// No call gets more than BatchSize records or MaximumBatchBytes bytes, but a
// larger record is a batch of its own.
func TestBatchesKeepTheirBounds(t *testing.T) {
	payload := func(n int) []byte { return make([]byte, n) }
	for _, test := range []struct {
		name   string
		sizes  []int // of payloads
		change func(*consumer.Config)
		want   string // how many records each call gets
	}{
		{"default BatchSize is 100", make([]int, 250), nil, "[100 100 50]"},
		{"BatchSize", make([]int, 10), func(c *consumer.Config) { c.BatchSize = 4 }, "[4 4 2]"},
		{"BatchSize of one", make([]int, 3), func(c *consumer.Config) { c.BatchSize = 1 }, "[1 1 1]"},
		{"default MaximumBatchBytes is 6 MiB", []int{2 << 20, 2 << 20, 1 << 20, 2 << 20, 2 << 20}, nil, "[3 2]"},
		{"MaximumBatchBytes", []int{4_000, 4_000, 4_000, 4_000}, func(c *consumer.Config) { c.MaximumBatchBytes = 10_000 }, "[2 2]"},
		{"a larger record stands alone", []int{100, 50_000, 100, 100}, func(c *consumer.Config) { c.MaximumBatchBytes = 10_000 }, "[1 1 2]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := wide(1)
				for _, n := range test.sizes {
					stream.Put("key", payload(n))
				}
				s := &sizes{}
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler = s
				if test.change != nil {
					test.change(&cfg)
				}
				runToTip(t, cfg)
				if got, _ := s.calls(); fmt.Sprint(got) != test.want {
					t.Errorf("calls got %v records, want %s", got, test.want)
				}
			})
		})
	}
}

// A batch tells which try it is, how far behind the tip its shard is, and
// carries a token that grows with every tenure and is the same within one.
func TestBatchCarriesAttemptBehindAndFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = 1 })
		for i := range 3 {
			stream.Put("key", fmt.Append(nil, i))
			time.Sleep(time.Hour)
		}
		type seen struct {
			data    string
			attempt int
			behind  time.Duration
			fence   batching.Fence
		}
		var calls []seen
		failures := 0
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.BatchSize = 1
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			calls = append(calls, seen{string(b.First().Data), b.Attempt, b.Behind.Round(time.Minute), b.Fence()})
			if string(b.First().Data) == "1" && failures < 2 {
				failures++
				return errors.New("not now")
			}
			if !b.Valid() || b.Shard != "shardId-000000000000" || b.Stream != stream.ARN() {
				t.Errorf("the batch is of %s of %s, valid: %v", b.Shard, b.Stream, b.Valid())
			}
			return nil
		})
		runToTip(t, cfg)
		first := calls[0].fence
		want := []seen{{"0", 1, 2 * time.Hour, first}, {"1", 1, time.Hour, first}, {"1", 2, time.Hour, first}, {"1", 3, time.Hour, first}, {"2", 1, 0, first}}
		if fmt.Sprint(calls) != fmt.Sprint(want) {
			t.Errorf("calls\n got %v\nwant %v", calls, want)
		}
		for range 3 {
			before := calls[len(calls)-1].fence
			stream.Put("key", []byte("more"))
			runToTip(t, cfg)
			if now := calls[len(calls)-1].fence; now.Compare(before) <= 0 {
				t.Errorf("the next tenure's token is %s, want more than %s", now, before)
			}
		}
	})
}

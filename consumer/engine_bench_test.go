//go:build unix

package consumer_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
)

// What the engine itself costs a record, from the chunk that a reader returns to
// the handler and on to the mark: chunks are ready, leases are in memory, and the
// handler counts. What it takes to make the chunks is in the figures of "source",
// to be taken off. The time is the processor's, of all goroutines.
//
//	go test ./consumer -run '^$' -bench Engine -benchtime 5000000x
func BenchmarkEngine(b *testing.B) {
	b.Run("source", func(b *testing.B) {
		r := &readyReader{left: new(atomic.Int64), shard: "shardId-000000000000"}
		r.left.Store(int64(b.N))
		cost := costOf(b)
		for {
			c, _ := r.Next(b.Context())
			if len(c.Records) == 0 {
				break
			}
		}
		cost()
	})
	for _, shards := range []int{16, 1000} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) { runEngine(b, shards, func(*consumer.Config) {}) })
	}
	for _, factor := range []int{1, 10} {
		for _, size := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("factor=%d/batch=%d", factor, size), func(b *testing.B) {
				runEngine(b, 8, func(cfg *consumer.Config) { cfg.ParallelizationFactor, cfg.BatchSize = factor, size })
			})
		}
	}
}

// runEngine has an engine work b.N records.
func runEngine(b *testing.B, shards int, change func(*consumer.Config)) {
	source := &readySource{shards: shards, begin: make(chan struct{}), opened: make(chan struct{}, shards)}
	source.left.Store(int64(b.N))
	var handled atomic.Int64
	done := make(chan struct{})
	cfg := config(nil, checkpointtest.NewTable())
	cfg.Source = source
	cfg.Handler = consumer.HandlerFunc(func(_ context.Context, batch *batching.Batch) error {
		if handled.Add(int64(len(batch.Records))) == int64(b.N) {
			close(done)
		}
		return nil
	})
	change(&cfg)
	c, err := consumer.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for range shards {
		<-source.opened
	}
	cost := costOf(b)
	close(source.begin)
	<-done
	cost()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// costOf measures from its call until that of what it returns.
func costOf(b *testing.B) func() {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := processorTime(b)
	b.ResetTimer()
	return func() {
		b.StopTimer()
		took := processorTime(b) - began
		runtime.ReadMemStats(&after)
		n := float64(b.N)
		b.ReportMetric(float64(took)/n, "cpu-ns/record")
		b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/record")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/record")
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readySource is a stream whose shards have so many records together.
type readySource struct {
	shards int
	left   atomic.Int64
	begin  chan struct{} // closed: records are there
	opened chan struct{}
}

func (s *readySource) Describe(context.Context) (shard.Stream, error) {
	now := time.Now()
	return shard.Stream{ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", Name: "clicks", CreatedAt: time.Unix(1e9, 0), Retention: 24 * time.Hour, Now: now}, nil
}

func (s *readySource) List(context.Context) ([]shard.Shard, error) {
	all := make([]shard.Shard, s.shards)
	for i := range all {
		all[i] = shard.Shard{ID: fmt.Sprintf("shardId-%012d", i), FirstSequence: "1"}
	}
	return all, nil
}

func (s *readySource) Open(start shard.Start) shard.Reader {
	return &readyReader{left: &s.left, begin: s.begin, opened: s.opened, shard: start.Shard}
}

// readyReader gives pages of records with 1 KB of payload that is not copied.
type readyReader struct {
	left   *atomic.Int64
	begin  <-chan struct{}
	opened chan<- struct{}
	shard  string
	next   int64
	over   bool
}

// pageOf is how many records one answer has.
const pageOf = 1000

var (
	readyPayload = make([]byte, 1024)
	readyKeys    = func() (keys [256]string) {
		for i := range keys {
			keys[i] = "user-" + strconv.Itoa(i)
		}
		return keys
	}()
	readyNumber = []byte("49601189658422359378836298521827638475320189000000000000")
)

func (r *readyReader) MaxBytes() int64 { return 10 << 20 }

func (r *readyReader) Ready(ctx context.Context) error {
	if r.next == 0 {
		r.opened <- struct{}{}
	}
	if r.over {
		<-ctx.Done()
	}
	select {
	case <-r.begin:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next makes as many allocations as a decoder does that keeps a page's sequence
// numbers together: two.
func (r *readyReader) Next(context.Context) (shard.Chunk, error) {
	n := min(pageOf, r.left.Add(-pageOf)+pageOf)
	if n <= 0 {
		r.over = true
		return shard.Chunk{}, nil
	}
	now := time.Now()
	width := len(readyNumber)
	numbers := make([]byte, n*int64(width))
	records := make([]shard.Record, n)
	for i := range records {
		r.next++
		number := numbers[i*width : (i+1)*width]
		copy(number, readyNumber)
		for at, v := width-1, r.next; v > 0; at, v = at-1, v/10 {
			number[at] = byte('0' + v%10)
		}
	}
	all := string(numbers)
	for i := range records {
		records[i] = shard.Record{
			Shard: r.shard, Sequence: all[i*width : (i+1)*width], PartitionKey: readyKeys[i&255], Keyed: true, Data: readyPayload, ArrivedAt: now,
		}
	}
	return shard.Chunk{Records: records, Behind: time.Second, Now: now}, nil
}

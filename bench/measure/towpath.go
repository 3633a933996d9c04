package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// What the service's limits are set to, which would bind before the processor
// does.
const (
	readsPerSecond = 500
	bytesPerSecond = 1 << 40
)

// towpath is the whole library: the engine with its leases and checkpoints over
// the drivers and the SDK's clients, and a handler that counts.
func towpath(ctx context.Context, t Task) (Usage, error) {
	m := newMeter(t)
	var settled atomic.Bool // every shard is held: from then on records count
	c, err := consumer.New(t.consumer(t.source(kinesis.NewFromConfig(t.config())), func(ctx context.Context, b *batching.Batch) error {
		if t.Wait > 0 {
			if err := clock.Sleep(ctx, t.Wait); err != nil {
				return err
			}
		}
		if settled.Load() {
			m.add(len(b.Records))
		}
		return nil
	}))
	if err != nil {
		return Usage{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var group errgroup.Group
	group.Go(func() error {
		if err := t.settle(ctx, c); err != nil {
			return err
		}
		settled.Store(true)
		return nil
	})
	err = runUntil(ctx, c, m.done)
	cancel()
	if settleErr := group.Wait(); err != nil {
		return Usage{}, errors.Join(err, settleErr)
	}
	return m.result()
}

// settle waits until the consumer holds every shard.
func (t Task) settle(ctx context.Context, c *consumer.Consumer) error {
	for len(c.Status().Shards) < t.Stream.Shards {
		if err := clock.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// source is the stream of the task, without the service's limits where there is
// something to read.
func (t Task) source(client kinesisshards.Client) *kinesisshards.Source {
	return kinesisshards.Open(client, t.Stream.Name(), func(o *kinesisshards.Options) {
		if t.Stream.Records == 0 {
			return
		}
		o.ReadsPerSecond, o.BytesPerSecond = readsPerSecond, bytesPerSecond
		o.Pooled = strings.HasSuffix(t.Consumer, "-pooled")
		o.CBOR = strings.Contains(t.Consumer, "-cbor")
	})
}

func (t Task) consumer(source *kinesisshards.Source, handler consumer.HandlerFunc) consumer.Config {
	table := dynamodb.NewFromConfig(t.config())
	return consumer.Config{
		Name:                  t.Application,
		Source:                source,
		Leases:                dynamocheckpoint.Open(table, t.Application, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler:               handler,
		BatchSize:             t.Batch,
		MaximumBatchBytes:     16 << 20, // a page is a batch where BatchSize allows it
		ParallelizationFactor: t.Lanes,
		Unordered:             t.Unordered,
		WorkerPrefix:          "bench",
		Logger:                slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// runUntil runs a consumer until done is closed, and then until it has ended.
func runUntil(ctx context.Context, c *consumer.Consumer, done <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }() // ends with ctx, and is waited for
	select {
	case err := <-over:
		return fmt.Errorf("the consumer ended early: %w", err)
	case <-done:
	}
	cancel()
	if err := <-over; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// idle is the whole library on shards into which nobody puts anything: what a
// process holds for them, and what it takes while they are left alone.
func idle(ctx context.Context, t Task) (Usage, error) {
	before := held()
	cfg := t.config()
	calls := &counting{next: cfg.HTTPClient}
	cfg.HTTPClient = calls
	c, err := consumer.New(t.consumer(t.source(kinesis.NewFromConfig(cfg)), func(context.Context, *batching.Batch) error {
		return errors.New("nobody has put anything")
	}))
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	var failed error
	done := make(chan struct{})
	measured := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with what it measures or with ctx, and is waited for
		defer close(measured)
		defer close(done)
		u, failed = t.leaveAlone(ctx, c, calls)
		u.Held = held() - before
		failed = errors.Join(failed, t.keepHeap())
	}()
	err = runUntil(ctx, c, done)
	cancel()
	<-measured
	return u, errors.Join(err, failed)
}

// leaveAlone waits until every shard is read, and for Quiet; then it measures.
func (t Task) leaveAlone(ctx context.Context, c *consumer.Consumer, calls *counting) (Usage, error) {
	if err := errors.Join(t.settle(ctx, c), clock.Sleep(ctx, t.Quiet)); err != nil {
		return Usage{}, err
	}
	m := newMeter(Task{Warm: 1, Count: 1, Profile: t.Profile})
	m.add(1)
	asked := calls.calls.Load()
	err := clock.Sleep(ctx, t.Idle)
	m.add(1)
	u, meterErr := m.result()
	u.Records, u.Calls = 0, calls.calls.Load()-asked
	return u, errors.Join(err, meterErr)
}

// held is what the process holds, after all that is not held is gone.
func held() int64 {
	runtime.GC()
	runtime.GC() // what a finalizer kept is gone after the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapInuse + stats.StackInuse)
}

// keepHeap writes what is held, by whom, beside the profile of the processor.
func (t Task) keepHeap() error {
	if t.Profile == "" {
		return nil
	}
	file, err := os.Create(strings.TrimSuffix(t.Profile, ".pb.gz") + "-heap.pb.gz")
	if err != nil {
		return fmt.Errorf("keep a profile: %w", err)
	}
	return errors.Join(pprof.Lookup("heap").WriteTo(file, 0), file.Close())
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
)

// show prints the payloads of a batch on one line.
func show(_ context.Context, b *batching.Batch) error {
	for i := range b.Records {
		fmt.Print(string(b.Records[i].Data), " ")
	}
	fmt.Println()
	return nil
}

// A process that handles at most 8 batches at once over all its shards, gives
// its handlers at most 5,000 records a second, holds at most 64 MiB of records and
// of each shard 2,000 that are not finished, and takes at most 20 shards.
func ExampleConfig_bounds() {
	run(consumer.Config{
		Source:             clicks("a", "b", "c"),
		Handler:            consumer.HandlerFunc(show),
		MaximumConcurrency: 8,
		RecordsPerSecond:   5_000,
		MemoryBudget:       64 << 20,
		MaximumInFlight:    2_000,
		MaximumLeases:      20,
	})
	// Output:
	// a b c
}

// A call gets at most so many bytes of records, and a larger record alone.
func ExampleConfig_maximumBatchBytes() {
	run(consumer.Config{
		Source:            clicks("/a", "/b", strings.Repeat("large", 1000), "/c"),
		MaximumBatchBytes: 4 << 10,
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			fmt.Println(len(b.Records), "records")
			return nil
		}),
	})
	// Output:
	// 2 records
	// 1 records
	// 1 records
}

// A fleet that finds a dead worker sooner than by default, at the price of more
// heartbeats, repeats less after a crash, at the price of more writes, and tells of
// a shard that gets nowhere after a minute. Its workers have a name of their own
// in the tables.
func ExampleConfig_leaseDuration() {
	run(consumer.Config{
		Source:             clicks("a"),
		Handler:            consumer.HandlerFunc(show),
		LeaseDuration:      5 * time.Second,
		CheckpointInterval: 2 * time.Second,
		StallTimeout:       time.Minute,
		WorkerPrefix:       "web-7",
		Hooks: consumer.Hooks{
			SessionStarted: func(e consumer.SessionEvent) { fmt.Println(e.Worker[:len("web-7/")]) },
			ShardStalled:   func(e consumer.ShardStalledEvent) { fmt.Println(e.Shard, "gets nowhere for", e.For) },
		},
	})
	// Output:
	// web-7/
	// a
}

// Records that need no order among them go to whichever of four lanes is free.
func ExampleConfig_unordered() {
	total := make(chan int, 10)
	run(consumer.Config{
		Source:                clicks("a", "b", "c", "d"),
		Unordered:             true,
		ParallelizationFactor: 4,
		BatchSize:             1,
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			total <- len(b.Records)
			return nil
		}),
	})
	fmt.Println(len(total), "calls")
	// Output:
	// 4 calls
}

// A new application that wants nothing of the past begins at the tip: at the
// service's time of its very first start, so that what is put before the first
// read is not missed.
func ExampleConfig_startingPosition() {
	stream := clicks("yesterday")
	time.Sleep(2 * time.Millisecond)
	run(consumer.Config{
		Source:           stream,
		StartingPosition: shard.Latest(),
		Handler:          consumer.HandlerFunc(show),
	})
	fmt.Println("nothing of yesterday")
	// Output:
	// nothing of yesterday
}

// A call that takes too long has its context ended, and is tried once more.
func ExampleConfig_handlerTimeout() {
	run(consumer.Config{
		Source:         clicks("a"),
		HandlerTimeout: 10 * time.Millisecond,
		MinimumBackoff: time.Millisecond,
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			if b.Attempt == 1 {
				<-ctx.Done()
				fmt.Println(context.Cause(ctx))
				return context.Cause(ctx)
			}
			fmt.Println("attempt", b.Attempt)
			return nil
		}),
	})
	// Output:
	// handler timeout
	// attempt 2
}

// What lies behind the handler asks for a moment's rest: the batch comes again
// after it, and no attempt is used up.
func ExampleConfig_retryAfter() {
	tries := 0
	run(consumer.Config{
		Source:               clicks("a"),
		OnFailure:            &destinationtest.Recorder{},
		MaximumRetryAttempts: batching.AtMost(0),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if tries++; tries < 3 {
				return batching.RetryAfter(time.Millisecond, errors.New("the table is throttled"))
			}
			fmt.Println("try", tries, "attempt", b.Attempt)
			return nil
		}),
	})
	// Output:
	// try 3 attempt 1
}

// A batch that fails three times is given up, and dropped, because that is what
// was asked for by name.
func ExampleConfig_discard() {
	run(consumer.Config{
		Source:               clicks("a", "b"),
		OnFailure:            destination.Discard,
		MaximumRetryAttempts: batching.AtMost(2),
		MinimumBackoff:       time.Millisecond,
		MaximumBackoff:       time.Millisecond,
		Handler:              consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return errors.New("no") }),
		Hooks: consumer.Hooks{GaveUp: func(e consumer.GaveUpEvent) {
			fmt.Println(len(e.Failure.Records), "records:", e.Failure.Condition, "after", e.Failure.Attempts, "attempts")
		}},
	})
	// Output:
	// 2 records: RetryAttemptsExhausted after 3 attempts
}

// Everything that is wrong with a config is said at once.
func ExampleNew() {
	_, err := consumer.New(consumer.Config{
		Name: "click stream", Source: clicks(), Leases: checkpointtest.NewTable(),
		Handler: consumer.HandlerFunc(show), BatchSize: 20_000, LeaseDuration: time.Second,
	})
	fmt.Println(err)
	// Output:
	// consumer config: Name "click stream" holds ' ', want letters, digits, '.', '_' and '-'
	// BatchSize is 20000, want 1 to 10000
	// LeaseDuration is 1s, want 3s to 1h0m0s
}

package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
)

// printer stands for a queue or a stream that takes what handlers emit.
type printer struct{}

func (printer) Publish(_ context.Context, records []batching.Emitted) error {
	for _, e := range records {
		fmt.Println(e.Key, string(e.Data))
	}
	return nil
}

func (printer) String() string { return "printer" }

// What the handler makes of the records goes on before the checkpoint passes
// them.
func ExampleConfig_emitTo() {
	run(consumer.Config{
		Source: clicks("/lamps", "/basket"),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				r := &b.Records[i]
				b.Emit(batching.Emitted{Of: r, Data: []byte("saw " + string(r.Data))})
			}
			return nil
		}),
		EmitTo: printer{},
	})
	// Output:
	// ada saw /lamps
	// ada saw /basket
}

// An envelope of what was handled goes to OnSuccess.
func ExampleConfig_onSuccess() {
	done := &destinationtest.Recorder{}
	run(consumer.Config{
		Source:    clicks("a", "b", "c"),
		Handler:   consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		OnSuccess: done,
	})
	for _, f := range done.Accepted() {
		fmt.Println(f.Condition, len(f.Records))
	}
	// Output:
	// Success 3
}

// Records are finished by another goroutine, when their effect is durable.
func ExampleConfig_deferred() {
	run(consumer.Config{
		Source: clicks("a", "b", "c"),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			ack, n := b.Defer(), len(b.Records)
			time.AfterFunc(5*time.Millisecond, func() {
				fmt.Println(n, "records are durable")
				ack.Done()
			})
			return nil
		}),
	})
	// Output:
	// 3 records are durable
}

// summing counts records, and says how many when its shard is let go.
type summing struct{ n int }

func (c *summing) Handle(_ context.Context, b *batching.Batch) error {
	c.n += len(b.Records)
	return nil
}

func (c *summing) WakeAt(string) (time.Time, bool) { return time.Time{}, false }

func (c *summing) Wake(_ context.Context, w *batching.Wake) error {
	fmt.Println(w.Why, "after", c.n, "records")
	return nil
}

// A handler that is called without records, too.
func ExampleWaker() {
	run(consumer.Config{Source: clicks("a", "b", "c"), Handler: &summing{}})
	// Output:
	// leaving after 3 records
}

// The records of several batches are written as one.
func ExampleCollect() {
	run(consumer.Config{
		Source:    clicks("a", "b", "c", "d", "e"),
		BatchSize: 2,
		Handler: &consumer.Collect{
			MaxRecords: 4,
			Flush: func(_ context.Context, c *consumer.Collected) error {
				fmt.Printf("%s and %d more\n", c.First().Data, len(c.Records)-1)
				return nil
			},
		},
	})
	// Output:
	// a and 3 more
	// e and 0 more
}

// Objects are named after the records in them.
func ExampleCollected_Name() {
	c := consumer.Collected{Shard: "shardId-000000000000", Records: []shard.Record{{Sequence: "41"}, {Sequence: "42"}}}
	fmt.Println(c.Name())
	// Output:
	// shardId-000000000000-41-42-c6b52aaa4985699d
}

package streams_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/streams"
)

// A consumer reads two streams and handles what either brings. With AWS the
// sources are of kinesisshards and dynamoshards, and the table of
// dynamocheckpoint.
func Example() {
	clicks, orders := stream("clicks", 1), stream("orders", 2)
	clicks.Put("anna", []byte("click"))
	orders.Put("anna", []byte("order"))
	orders.Put("bert", []byte("order"))

	var mu sync.Mutex
	seen := map[string]int{}
	c, err := consumer.New(consumer.Config{
		Name:   "clickstream",
		Source: streams.Of([]shard.Source{clicks, orders}),
		Leases: checkpointtest.NewTable(),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			seen[b.Stream] += len(b.Records)
			return nil
		}),
		Until:  consumer.CaughtUp(),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(seen)
	// Output:
	// map[arn:aws:kinesis:us-east-1:000000000000:stream/clicks:1 arn:aws:kinesis:us-east-1:000000000000:stream/orders:2]
}

// A function names the streams, and is asked every minute. One of them begins at
// the tip, whatever the consumer's StartingPosition.
func ExampleAsk() {
	tenants := func(context.Context) ([]shard.Source, error) {
		return []shard.Source{stream("anna", 1), streams.StartAt(stream("bert", 1), shard.Latest())}, nil
	}
	source := streams.Ask(tenants, func(o *streams.Options) { o.OnRecreated = streams.StartAnew })
	ctx := context.Background()
	if _, err := source.Describe(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range source.Members() {
		fmt.Println(m.Key.Name, m.Started, m.Err)
	}
	// Output:
	// anna false <nil>
	// bert true <nil>
}

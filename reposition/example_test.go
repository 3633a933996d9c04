package reposition_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/reposition"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// A bug in a handler is mended, and everything since it came in is handled again:
// the plan says what that means, and applying it brings the fleet to a stand for a
// moment. Nothing is lost between, and nothing comes out of order.
func ExampleMover() {
	ctx := context.Background()
	stream, table := shardtest.NewStream(1), checkpointtest.NewTable() // as kinesisshards.Open, dynamocheckpoint.Open
	for _, page := range []string{"/lamps", "/basket", "/pay"} {
		stream.Put("ada", []byte(page))
	}
	handle := func() {
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: table, Logger: slog.New(slog.DiscardHandler), Until: consumer.CaughtUp(),
			Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				for _, r := range b.Records {
					fmt.Println("handled", string(r.Data))
				}
				return nil
			}),
		})
		if err == nil {
			err = c.Run(ctx)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	handle()

	mover, err := reposition.Open(reposition.Config{Leases: table, Source: stream, By: "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := mover.Seek(ctx, reposition.Target{To: shard.AtTime(time.Now().Add(-time.Hour))})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range plan.Steps {
		fmt.Println(step.Shard, step.Do, "repeats", step.Repeats, "skips", step.Skips)
	}
	fmt.Println(strings.Join(plan.Warnings, "\n"))
	if err := mover.Apply(ctx, plan); err != nil {
		fmt.Println(err)
		return
	}
	handle()
	// Output:
	// handled /lamps
	// handled /basket
	// handled /pay
	// shardId-000000000000 move repeats 3 skips -
	// 1 shards repeat records, or may: effects of handlers are not taken back
	// handled /lamps
	// handled /basket
	// handled /pay
}

// A new version is tried beside the old one, over the same records: it is given
// the old one's positions, under another name and in a table of its own.
func ExampleMover_Fork() {
	ctx := context.Background()
	stream, live, shadow := shardtest.NewStream(1), checkpointtest.NewTable(), checkpointtest.NewTable()
	work := func(name string, table *checkpointtest.Table) {
		c, err := consumer.New(consumer.Config{
			Name: name, Source: stream, Leases: table, Logger: slog.New(slog.DiscardHandler), Until: consumer.CaughtUp(),
			Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				fmt.Println(name, "handled", string(b.First().Data))
				return nil
			}),
		})
		if err == nil {
			err = c.Run(ctx)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	stream.Put("ada", []byte("/lamps"))
	work("clickstream", live)
	stream.Put("ada", []byte("/basket"))

	mover, err := reposition.Open(reposition.Config{Leases: shadow, Source: stream, By: "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := mover.Fork(ctx, reposition.Origin{Rows: live, Name: "clickstream"})
	if err == nil {
		err = mover.Apply(ctx, plan)
	}
	fmt.Println(err)
	work("shadow", shadow)
	work("clickstream", live)
	// Output:
	// clickstream handled /lamps
	// <nil>
	// shadow handled /basket
	// clickstream handled /basket
}

// The application begins anew at the oldest record, as if it had never run.
func ExampleMover_Reset() {
	ctx := context.Background()
	stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
	work := func() {
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: table, Logger: slog.New(slog.DiscardHandler), Until: consumer.CaughtUp(),
			Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				fmt.Println("handled", string(b.First().Data))
				return nil
			}),
		})
		if err == nil {
			err = c.Run(ctx)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	stream.Put("ada", []byte("/lamps"))
	work()

	mover, err := reposition.Open(reposition.Config{Leases: table, Source: stream, By: "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := mover.Reset(ctx, shard.TrimHorizon())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range plan.Steps {
		fmt.Println(step.Shard, step.Do, "repeats", step.Repeats, "skips", step.Skips)
	}
	if err := mover.Apply(ctx, plan); err != nil {
		fmt.Println(err)
		return
	}
	work()
	// Output:
	// handled /lamps
	// shardId-000000000000 move repeats 1 skips -
	// handled /lamps
}

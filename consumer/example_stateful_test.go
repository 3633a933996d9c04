package consumer_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"strconv"
	"sync"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// clickCount counts the records of each shard, and goes on counting where another
// worker left off.
type clickCount struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *clickCount) Handle(_ context.Context, b *batching.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[b.Shard] += len(b.Records)
	return nil
}

func (c *clickCount) Restore(_ context.Context, r batching.Restored) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[r.Shard], _ = strconv.Atoi(string(r.State))
	fmt.Println("goes on from", c.counts[r.Shard])
	return nil
}

func (c *clickCount) State(shardID string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strconv.AppendInt(nil, int64(c.counts[shardID]), 10), nil
}

// What a handler keeps for a shard is written with the position, and given to the
// next worker.
func ExampleStateful() {
	stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
	for run := range 2 {
		for i := range 5 {
			stream.Put("key", fmt.Append(nil, run, i))
		}
		count := &clickCount{counts: map[string]int{}}
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: table, Handler: count,
			Until: consumer.CaughtUp(), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := c.Run(context.Background()); err != nil {
			log.Fatal(err)
		}
		fmt.Println("counted", count.counts["shardId-000000000000"])
	}
	// Output:
	// goes on from 0
	// counted 5
	// goes on from 5
	// counted 10
}

// A handler that has a database of its own commits effects and position there in
// one transaction. A worker that has lost the shard is refused by its fence.
func ExampleConfig_positions() {
	stream, database := shardtest.NewStream(1), checkpointtest.NewPositions()
	for i := range 5 {
		stream.Put("key", fmt.Append(nil, i))
	}
	sum := 0
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Positions: database,
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			fence := b.Fence()
			return database.Commit(ctx, b.Shard, [2]int64{fence.Stream, fence.Counter}, b.Last().Position(), func(shard.Position) {
				sum += len(b.Records)
			})
		}),
		Until: consumer.CaughtUp(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	at, found := database.At("shardId-000000000000")
	fmt.Println(sum, found, at == stream.Records()[4].Position())
	// Output: 5 true true
}

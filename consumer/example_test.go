package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/codec/msgpackcodec"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// quiet keeps the log out of the examples.
var quiet = slog.New(slog.DiscardHandler)

// clicks is a stream in memory with one shard and some records of one key. A
// service opens kinesisshards instead, and dynamocheckpoint for its table.
func clicks(payloads ...string) *shardtest.Stream {
	stream := shardtest.NewStream(1)
	for _, p := range payloads {
		stream.Put("ada", []byte(p))
	}
	return stream
}

// run makes a consumer and runs it until it has caught up.
func run(cfg consumer.Config) {
	cfg.Name, cfg.Leases, cfg.Logger, cfg.Until = "clickstream", checkpointtest.NewTable(), quiet, consumer.CaughtUp()
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
}

// Records one by one, decoded from JSON.
func ExampleEach() {
	type Click struct{ Visitor, Page string }
	run(consumer.Config{
		Source: clicks(`{"Visitor":"ada","Page":"/lamps"}`, `{"Visitor":"ada","Page":"/basket"}`),
		Handler: consumer.Each(func(ctx context.Context, c Click) error {
			fmt.Println(c.Visitor, c.Page)
			return nil
		}),
	})
	// Output:
	// ada /lamps
	// ada /basket
}

// Another codec, and the record beside its payload.
func ExampleEachRecord() {
	type Click struct{ Page string }
	lamps, _ := msgpackcodec.Codec{}.Encode(Click{Page: "/lamps"})
	run(consumer.Config{
		Source: clicks(string(lamps)),
		Handler: consumer.EachRecord(msgpackcodec.Codec{}, func(ctx context.Context, r *shard.Record, c Click) error {
			fmt.Println(r.PartitionKey, c.Page)
			return nil
		}),
	})
	// Output:
	// ada /lamps
}

// A handler of whole batches says with its error which records are done: those
// before FailFrom, and all but a Reject. RetryAfter blames the surroundings.
func ExampleHandlerFunc() {
	failed := &destinationtest.Recorder{}
	seen := 0
	run(consumer.Config{
		Source:    clicks("a", "bad", "c", "later"),
		OnFailure: failed,
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			var data []string
			for _, r := range b.Records {
				data = append(data, string(r.Data))
			}
			fmt.Printf("attempt %d: %s\n", b.Attempt, strings.Join(data, " "))
			switch seen++; seen {
			case 1:
				return errors.Join(
					batching.Reject(&b.Records[1], errors.New("no such page")),
					batching.FailFrom(&b.Records[2], errors.New("the store is full")),
				)
			case 2:
				return batching.RetryAfter(time.Millisecond, errors.New("the store is restarting"))
			}
			return nil
		}),
		MinimumBackoff: time.Millisecond, MaximumBackoff: time.Millisecond,
	})
	for _, f := range failed.Accepted() {
		fmt.Printf("%s: %s\n", f.Condition, f.Records[0].Data)
	}
	// Output:
	// attempt 1: a bad c later
	// attempt 2: c later
	// attempt 2: c later
	// Rejected: bad
}

// A batch that fails is split until the record at fault stands alone, and that
// one goes to the destination.
func ExampleConfig_bisectBatchOnError() {
	failed := &destinationtest.Recorder{} // sqsdestination.Open in a service
	run(consumer.Config{
		Source: clicks("a", "b", "poison", "d"),
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			for _, r := range b.Records {
				if string(r.Data) == "poison" {
					return errors.New("cannot swallow that")
				}
			}
			fmt.Println("handled", len(b.Records))
			return nil
		}),
		BisectBatchOnError:   true,
		MaximumRetryAttempts: batching.AtMost(0),
		OnFailure:            failed,
	})
	f := failed.Accepted()[0]
	fmt.Println(f.Condition, string(f.Records[0].Data))
	// Output:
	// handled 2
	// handled 1
	// RetryAttemptsExhausted poison
}

// Several batches of one shard run at once, and the records of one tenant stay
// in order, whatever their partition keys.
func ExampleConfig_key() {
	order := map[string]chan string{"ada": make(chan string, 3), "ben": make(chan string, 3)}
	run(consumer.Config{
		Source:                clicks("ada 1", "ben 1", "ada 2", "ben 2", "ada 3", "ben 3"),
		ParallelizationFactor: 8,
		BatchSize:             1,
		Key:                   tenant,
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			order[tenant(b.First())] <- string(b.First().Data)
			return nil
		}),
	})
	for _, name := range []string{"ada", "ben"} {
		fmt.Println(<-order[name], <-order[name], <-order[name])
	}
	// Output:
	// ada 1 ada 2 ada 3
	// ben 1 ben 2 ben 3
}

func tenant(r *shard.Record) string {
	name, _, _ := strings.Cut(string(r.Data), " ")
	return name
}

// A job: it handles what is there and ends. The next run goes on behind it.
func ExampleCaughtUp() {
	stream := clicks("a", "b")
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: quiet,
		Until: consumer.CaughtUp(),
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			fmt.Println(len(b.Records), "records")
			return nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		fmt.Println("ended:", c.Run(context.Background()))
		stream.Put("ada", []byte("c"))
	}
	// Output:
	// 2 records
	// ended: <nil>
	// 1 records
	// ended: <nil>
}

// A job for what had arrived by midnight; the rest is left for the next.
func ExampleArrival() {
	stream := clicks("yesterday")
	time.Sleep(time.Millisecond)
	midnight := time.Now()
	time.Sleep(time.Millisecond)
	stream.Put("ada", []byte("today"))
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: quiet,
		Until: consumer.Arrival(midnight),
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			for _, r := range b.Records {
				fmt.Println(string(r.Data))
			}
			return nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Run(context.Background()))
	// Output:
	// yesterday
	// <nil>
}

// A shard is handed over to another worker, such as before a long maintenance.
// Alone, a worker keeps it.
func ExampleConsumer_Release() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	started := make(chan string, 1)
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: clicks(), Leases: checkpointtest.NewTable(), Logger: quiet,
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		Hooks:   consumer.Hooks{ShardStarted: func(e consumer.ShardStartedEvent) { started <- e.Shard }},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	id := <-started
	err = c.Release(ctx, id)
	fmt.Println(err)
	fmt.Println(errors.Is(err, consumer.ErrNobodyElse))
	stop()
	fmt.Println(<-done)
	// Output:
	// release shardId-000000000000: no other worker is there to take the shard
	// true
	// <nil>
}

// Hooks are told what happens, for metrics and alarms.
func ExampleHooks() {
	run(consumer.Config{
		Source:  clicks("a", "b", "c"),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		Hooks: consumer.Hooks{
			ShardStarted: func(e consumer.ShardStartedEvent) { fmt.Println("started after", e.After) },
			BatchDone:    func(e consumer.BatchEvent) { fmt.Println("handled", e.Handled, "at attempt", e.Attempt) },
			ShardLeft:    func(e consumer.ShardLeftEvent) { fmt.Println("left:", e.Cause) },
		},
	})
	// Output:
	// started after TRIM_HORIZON
	// handled 3 at attempt 1
	// left: consumer is stopping
}

// Status is what a health check or a dashboard asks.
func ExampleConsumer_Status() {
	var c *consumer.Consumer
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: clicks("a", "b"), Leases: checkpointtest.NewTable(), Logger: quiet,
		Until: consumer.CaughtUp(),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			status := c.Status()
			fmt.Println("session valid:", status.Valid)
			for _, s := range status.Shards {
				fmt.Println(s.Shard, "finished up to", s.Mark, "and behind by", s.Behind)
			}
			return nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = c.Run(context.Background())
	fmt.Println("shards after the end:", len(c.Status().Shards))
	// Output:
	// session valid: true
	// shardId-000000000000 finished up to TRIM_HORIZON and behind by 0s
	// shards after the end: 0
}

// A batch waits until it is full or its first record has waited for the window.
func ExampleConfig_maximumBatchingWindow() {
	run(consumer.Config{
		Source:                clicks("a", "b", "c", "d", "e"),
		BatchSize:             2,
		MaximumBatchingWindow: 20 * time.Millisecond,
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			fmt.Println(len(b.Records), "records")
			return nil
		}),
	})
	// Output:
	// 2 records
	// 2 records
	// 1 records
}

// counter counts the records of each shard, for as long as it has the shard.
type counter struct{ records map[string]int }

func (c *counter) ShardStarted(ctx context.Context, s consumer.ShardStart) error {
	fmt.Println(s.Shard, "starts after", s.After)
	c.records[s.Shard] = 0
	return nil
}

func (c *counter) Handle(ctx context.Context, b *batching.Batch) error {
	c.records[b.Shard] += len(b.Records)
	return nil
}

func (c *counter) ShardLost(id string, cause error) {
	fmt.Println(id, "had", c.records[id], "records:", cause)
	delete(c.records, id)
}

// A handler that keeps something for each shard is told when one comes and goes.
func ExampleShardStarter() {
	run(consumer.Config{Source: clicks("a", "b"), Handler: &counter{records: map[string]int{}}})
	// Output:
	// shardId-000000000000 starts after TRIM_HORIZON
	// shardId-000000000000 had 2 records: consumer is stopping
}

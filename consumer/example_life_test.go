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
	"github.com/towpath/towpath/shard/shardtest"
)

// Records that were trimmed before they were read are told of, and end the run:
// nothing behind them is handled until somebody has decided.
func ExampleConfig_onLoss() {
	stream := clicks("a", "b", "c")
	leases := checkpointtest.NewTable()
	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: leases, Logger: quiet, Until: consumer.CaughtUp(),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		OnLoss:  consumer.StopOnLoss,
		Hooks: consumer.Hooks{
			Loss: func(e consumer.LossEvent) { fmt.Println("lost:", e.Loss.Shard) },
		},
	}
	work := func() error {
		c, err := consumer.New(cfg)
		if err != nil {
			return err
		}
		return c.Run(context.Background())
	}
	fmt.Println(work())
	for range 4 { // while nobody works
		stream.Put("ada", []byte("late"))
	}
	if err := stream.Trim("shardId-000000000000", 5); err != nil {
		fmt.Println(err)
	}
	fmt.Println(errors.Is(work(), consumer.ErrLoss))
	// Output:
	// <nil>
	// lost: shardId-000000000000
	// true
}

// What a handler says of a record is not for the log: only what kind of error it
// was is told.
func ExampleConfig_redactError() {
	errAccount := errors.New("no such account")
	var told strings.Builder
	failed := 0
	run(consumer.Config{
		Source: clicks("ada@example.org"),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if failed++; failed > 1 {
				return nil
			}
			return fmt.Errorf("charge %s: %w", b.First().Data, errAccount)
		}),
		RedactError: func(err error) string {
			if errors.Is(err, errAccount) {
				told.WriteString(errAccount.Error())
				return errAccount.Error()
			}
			return "an error"
		},
		MinimumBackoff: time.Millisecond, MaximumBackoff: time.Millisecond,
	})
	fmt.Println(told.String())
	// Output: no such account
}

// A worker that is told to stop lets calls end that run: here in the middle of
// one, which has up to DrainTimeout. Its position is written before Run returns.
func ExampleConfig_drainTimeout() {
	stream, leases := clicks("a"), checkpointtest.NewTable()
	ctx, stop := context.WithCancel(context.Background())
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: stream, Leases: leases, Logger: quiet,
		DrainTimeout: 20 * time.Second, // less than the platform grants before it kills
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			stop() // as SIGTERM does, by signal.NotifyContext
			fmt.Println("handled to its end:", string(b.First().Data), ctx.Err())
			return nil
		}),
		Hooks: consumer.Hooks{
			ShardLeft: func(e consumer.ShardLeftEvent) { fmt.Println("left:", e.Cause) },
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Run(ctx))
	// Output:
	// handled to its end: a <nil>
	// left: consumer is stopping
	// <nil>
}

// Metrics of one's own stand beside those of an adapter.
func ExampleJoinHooks() {
	adapter := consumer.Hooks{
		BatchDone: func(e consumer.BatchEvent) { fmt.Println("adapter: a call has returned") },
	}
	own := consumer.Hooks{
		BatchDone: func(e consumer.BatchEvent) { fmt.Println("own: a call has returned") },
	}
	run(consumer.Config{
		Source:  clicks("a"),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		Hooks:   consumer.JoinHooks(adapter, own),
	})
	// Output:
	// adapter: a call has returned
	// own: a call has returned
}

// A parked key is called again at once, when whoever mended its cause says so.
func ExampleConsumer_Unpark() {
	stream := shardtest.NewStream(1)
	stream.Put("anna", []byte("anna 1"))
	stream.Put("anna", []byte("anna 2"))
	parked, released := make(chan struct{}), make(chan struct{})
	mended := make(chan struct{})
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: quiet,
		BisectBatchOnError: true,
		SetAside:           batching.SetAside{After: 1, Delays: []time.Duration{10 * time.Millisecond}},
		Park:               consumer.Park{Keys: 100, RetryEvery: time.Hour},
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			select {
			case <-mended:
				fmt.Println(string(b.First().Data))
				return nil
			default:
				return batching.FailFrom(b.First(), errors.New("no such account"))
			}
		}),
		Hooks: consumer.Hooks{
			KeyParked:   func(consumer.KeyParkedEvent) { close(parked) },
			KeyReleased: func(consumer.KeyReleasedEvent) { close(released) },
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	<-parked
	close(mended)
	if err := c.Unpark(ctx, "shardId-000000000000", "anna"); err != nil {
		fmt.Println(err)
	}
	<-released
	stop()
	fmt.Println(<-ended)
	// Output:
	// anna 1
	// anna 2
	// <nil>
}

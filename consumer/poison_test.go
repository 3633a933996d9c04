package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard/shardtest"
)

// config is a worker over fakes of a stream and a table.
func config(stream *shardtest.Stream, table *checkpointtest.Table) consumer.Config {
	return consumer.Config{
		Name: "clickstream", Source: stream, Leases: table,
		Logger: slog.New(slog.DiscardHandler), WorkerPrefix: "w",
	}
}

// runToTip runs a consumer until everything has been handled.
func runToTip(t *testing.T, cfg consumer.Config) {
	t.Helper()
	cfg.Until = consumer.CaughtUp()
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// One poison record in a batch of 10,000 puts exactly one record on the
// destination and handles 9,999, in at most 29 handler calls with one attempt
// each: 14 halvings, each with a half that succeeds, and the first call.
func TestOnePoisonRecordAmongTenThousandCostsTwentyNineCalls(t *testing.T) {
	for _, poison := range []int{0, 1, 4_999, 5_000, 9_998, 9_999} {
		t.Run(fmt.Sprint(poison), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// One read brings them all, so that they are one batch.
				stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = 10_000 })
				for i := range 10_000 {
					stream.Put("key", fmt.Append(nil, i))
				}
				failed := &destinationtest.Recorder{}
				var mu sync.Mutex
				calls, handled := 0, 0
				cfg := config(stream, checkpointtest.NewTable())
				cfg.BatchSize, cfg.BisectBatchOnError, cfg.OnFailure = 10_000, true, failed
				cfg.MaximumRetryAttempts = batching.AtMost(0)
				cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
					mu.Lock()
					defer mu.Unlock()
					calls++
					for _, r := range b.Records {
						if string(r.Data) == fmt.Sprint(poison) {
							return errors.New("poison")
						}
					}
					handled += len(b.Records)
					return nil
				})
				runToTip(t, cfg)
				if handled != 9_999 || calls > 29 {
					t.Errorf("handled %d records in %d calls, want 9999 in at most 29", handled, calls)
				}
				accepted := failed.Accepted()
				if len(accepted) != 1 || len(accepted[0].Records) != 1 || string(accepted[0].Records[0].Data) != fmt.Sprint(poison) {
					t.Fatalf("the destination accepted %d failures, want the poison record alone", len(accepted))
				}
				if got := accepted[0]; got.Condition != destination.RetryAttemptsExhausted || got.Attempts != 1 {
					t.Errorf("given up for %s after %d attempts, want %s after 1", got.Condition, got.Attempts, destination.RetryAttemptsExhausted)
				}
			})
		})
	}
}

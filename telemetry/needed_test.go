package telemetry_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

// Two shards bring ten records a second each, and the handler takes 30 ms for each:
// that is 0.6 of a call at work, or, of a worker with two and a quarter kept free,
// 0.4 workers.
func TestWorkersNeededFollowFromWhatIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		cfg := config(stream, consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			time.Sleep(time.Duration(len(b.Records)) * 30 * time.Millisecond)
			return nil
		}))
		r := telemetry.New(telemetry.Options{Sizing: autoscale.Sizing{PerWorker: 2}})
		plain := telemetry.New(telemetry.Options{})
		cfg.Hooks = consumer.JoinHooks(r.Hooks(), plain.Hooks())
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.Watch(c.Status)
		plain.Watch(c.Status)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		for i := range 3000 {
			time.Sleep(100 * time.Millisecond)
			for _, id := range []string{"shardId-000000000000", "shardId-000000000001"} {
				if _, err := stream.PutTo(id, "key", []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			if i%100 == 0 {
				read(r)
			}
		}
		got := read(r)["towpath.workers.needed"].Value
		if math.Abs(got-.4) > .04 {
			t.Errorf("%.3f workers are needed, want 0.4", got)
		}
		if read(plain).has("towpath.workers.needed") {
			t.Error("without a Sizing it says how many are needed")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Two shards bring five records a second each, of which their lanes can do two:
// each asks for its whole lane, though reading waits for the handler most of the
// time and its last read said that it was not behind. Whether shards have series of
// their own makes no difference.
func TestWorkersNeededByAnOverloadedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		cfg := config(stream, consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			select {
			case <-time.After(time.Duration(len(b.Records)) * 600 * time.Millisecond):
			case <-ctx.Done():
			}
			return ctx.Err()
		}))
		cfg.BatchSize, cfg.MaximumInFlight = 100, 200
		r := telemetry.New(telemetry.Options{Shards: batching.AtMost(0), Sizing: autoscale.Sizing{PerWorker: 2}})
		cfg.Hooks = r.Hooks()
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.Watch(c.Status)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		for second := range 330 {
			time.Sleep(time.Second)
			for i := range 10 {
				if _, err := stream.PutTo(fmt.Sprintf("shardId-%012d", i%2), "key", []byte("x")); err != nil {
					t.Error(err)
				}
			}
			if second%15 != 0 {
				continue
			}
			// Both lanes of a worker with two, of which a quarter is kept free.
			if got := read(r)["towpath.workers.needed"].Value; second > 200 && math.Abs(got-4./3) > .01 {
				t.Errorf("after %d s %.3f workers are needed, want 1.333", second, got)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

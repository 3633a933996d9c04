package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
)

// A tool limits a whole fleet to forty calls at once, holds one shard back, and
// stops everything; the fleet need not run on the same host.
func ExampleSteer() {
	table := checkpointtest.NewTable() // as dynamocheckpoint.Open(client, "clickstream")
	ctx := context.Background()
	fleet := consumer.Steer(table)
	err := errors.Join(
		fleet.SetFleetConcurrency(ctx, batching.AtMost(40)),
		fleet.Pause(ctx, consumer.PauseOf{Shard: "shardId-000000000003"}),
	)
	told, readErr := fleet.Control(ctx)
	fmt.Println(told.Limit, told.Pauses, errors.Join(err, readErr))

	err = errors.Join(
		fleet.SetFleetConcurrency(ctx, batching.AtMost(0)),
		fleet.Resume(ctx, consumer.PauseOf{Shard: "shardId-000000000003"}),
	)
	told, readErr = fleet.Control(ctx)
	fmt.Println(told.Limit, told.Pauses, errors.Join(err, readErr))
	// Output:
	// 40 [shard shardId-000000000003] <nil>
	// 0 [] <nil>
}

// When the database refuses connections no call is made but one a cooldown, and
// no attempt is burnt.
func ExampleConfig_breaker() {
	errRefused := errors.New("connection refused")
	down := 3 // calls for which the database is
	run(consumer.Config{
		Source: clicks("a", "b"),
		Breaker: consumer.Breaker{
			Failures:     1,
			Cooldown:     20 * time.Millisecond,
			Surroundings: func(err error) bool { return errors.Is(err, errRefused) },
		},
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			if down--; down >= 0 {
				return fmt.Errorf("write clicks: %w", errRefused)
			}
			fmt.Println(len(b.Records), "records handled at attempt", b.Attempt)
			return nil
		}),
		Hooks: consumer.Hooks{BreakerChanged: func(e consumer.BreakerEvent) {
			if e.State != batching.BreakerProbing {
				fmt.Println(e.State)
			}
		}},
	})
	// Output:
	// open
	// open
	// open
	// 2 records handled at attempt 1
	// closed
}

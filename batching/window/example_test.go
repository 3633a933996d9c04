package window_test

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/shard"
)

// Clicks are counted for each visitor and minute, by when they happened. The
// aggregate is the Handler of a consumer.Config, whose EmitTo takes what Close
// emits.
func ExampleAggregate() {
	type click struct {
		At time.Time `json:"at"`
	}
	clicks, err := window.New(window.Spec[click, int]{
		Size:           time.Minute,
		EventTime:      func(_ *shard.Record, c click) time.Time { return c.At },
		OutOfOrderness: 10 * time.Second,
		Add: func(_ context.Context, n *int, _ *shard.Record, _ click) error {
			*n++
			return nil
		},
		Close: func(_ context.Context, c *window.Closed[int]) error {
			c.Emit(batching.Emitted{Data: fmt.Appendf(nil, "%s clicked %d times from %s on", c.Key, c.State, c.Start.Format("15:04"))})
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	batch := &batching.Batch{Shard: "shardId-000000000000"}
	for i, c := range []struct {
		visitor string
		at      time.Duration
	}{{"ada", 5 * time.Second}, {"bob", 58 * time.Second}, {"ada", 63 * time.Second}, {"ada", 59 * time.Second}, {"bob", 71 * time.Second}} {
		at := noon.Add(c.at)
		batch.Records = append(batch.Records, shard.Record{
			Shard: batch.Shard, Sequence: fmt.Sprint(i + 1), PartitionKey: c.visitor, Keyed: true, ArrivedAt: at.Add(time.Second),
			Data: fmt.Appendf(nil, `{"at":%q}`, at.Format(time.RFC3339)),
		})
	}
	fmt.Println(clicks.Handle(context.Background(), batch))
	for _, e := range batch.Call.Emitted() {
		fmt.Println(string(e.Data))
	}
	// Output:
	// <nil>
	// ada clicked 2 times from 12:00 on
	// bob clicked 1 times from 12:00 on
}

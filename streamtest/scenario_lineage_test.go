package streamtest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
)

// Two shards are merged, and what came of it is merged with a third before any
// worker has looked at the stream again. The third ends first, so that the row of
// the grandchild stands before that of its other parent, of which the worker
// knows nothing yet. The grandchild waits for it all the same.
func TestGrandchildWaitsForAParentThatHasNoRowYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 3)
		defer rig.Close()
		rig.PutN(300, 40)
		stuck := make(chan struct{})
		rig.Start("w1", func(c *consumer.Config) {
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				if !strings.HasSuffix(b.Shard, "0") && b.Records[0].ArrivedAt.After(time.Date(2000, 1, 1, 0, 0, 5, 0, time.UTC)) {
					<-stuck
				}
				return nil
			})
		})
		rig.Await("the first records", rig.AllDone)
		time.Sleep(10 * time.Second)
		rig.PutN(40, 40) // shards 1 and 2 hold on to their parts
		time.Sleep(2 * time.Second)
		first, err := rig.AWS.Kinesis().Merge(streamtest.Stream, "shardId-000000000001", "shardId-000000000002")
		if err != nil {
			t.Fatal(err)
		}
		rig.PutN(40, 40)
		if _, err := rig.AWS.Kinesis().Merge(streamtest.Stream, "shardId-000000000000", first); err != nil {
			t.Fatal(err)
		}
		rig.PutN(40, 40)
		time.Sleep(20 * time.Second) // the checker looks: I2, I6
		close(stuck)
		rig.Await("all generations", rig.AllDone)
	})
}

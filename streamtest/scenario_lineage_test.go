package streamtest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// Two shards are merged, and what came of it is merged with a third before any
// worker has looked at the stream again. The third ends first, so that the row of
// the grandchild stands before that of its other parent, of which the worker
// knows nothing yet. The grandchild waits for it all the same, and as a worker of KCL
// would not, rows of its parents stand before its own does.
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
		second, err := rig.AWS.Kinesis().Merge(streamtest.Stream, "shardId-000000000000", first)
		if err != nil {
			t.Fatal(err)
		}
		rig.PutN(40, 40)
		has := func(id string) bool {
			return slices.ContainsFunc(rig.Rows(), func(l shard.Lease) bool { return l.Shard == id })
		}
		for rowsAt := time.Now(); time.Since(rowsAt) < 20*time.Second; time.Sleep(time.Millisecond) { // the checker looks: I2, I6
			if has(second) && !has(first) {
				t.Errorf("%s has a row %v after the merges, and its parent %s has none: KCL would take that for read", second, time.Since(rowsAt), first)
				break
			}
		}
		close(stuck)
		rig.Await("all generations", rig.AllDone)
	})
}

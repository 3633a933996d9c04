package streamtest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
)

// A fleet that collects loses a worker, a shard is split, and the bucket refuses
// for a while: in the end every record lies in an object, and a stop leaves
// nothing behind the checkpoint.
func TestFleetThatCollectsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		var mu sync.Mutex
		written, objects, closed := map[string]bool{}, 0, false
		collect := func(worker string) func(*consumer.Config) {
			return func(c *consumer.Config) {
				c.LeaseDuration, c.CheckpointInterval, c.BatchSize = 5*time.Second, time.Second, 10
				c.Handler = &consumer.Collect{MaxAge: 5 * time.Second, MaxRecords: 60, Flush: func(ctx context.Context, got *consumer.Collected) error {
					time.Sleep(200 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					if closed || worker == "dead" || ctx.Err() != nil {
						return errors.New("the bucket is closed")
					}
					objects++
					for i := range got.Records {
						written[string(got.Records[i].Data)] = true
					}
					return nil
				}}
			}
		}
		// The dead one collects, and writes nothing before it dies.
		dead := rig.Start("dead", collect("dead"))
		rig.PutN(100, 9)
		rig.Await("a collection", func() bool {
			for _, s := range dead.Consumer.Status().Shards {
				if s.Deferred > 0 {
					return true
				}
			}
			return false
		})
		dead.Kill()
		alive := rig.Start("alive", collect("alive"))
		rig.PutN(100, 9)
		if _, _, err := rig.AWS.Kinesis().Split(streamtest.Stream, "shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		refuse := func(on bool) { mu.Lock(); defer mu.Unlock(); closed = on }
		refuse(true)
		time.Sleep(20 * time.Second)
		rig.PutN(100, 9)
		refuse(false)
		count := func() int { mu.Lock(); defer mu.Unlock(); return len(written) }
		rig.Await("every record in an object", func() bool { return count() == 300 })
		rig.PutN(50, 9)
		rig.Await("the last ones", func() bool {
			n := 0
			for _, s := range alive.Consumer.Status().Shards {
				n += s.Deferred
			}
			return n == 50 || count() == 350
		})
		if took, err := alive.Stop(); err != nil || took > 3*time.Second {
			t.Errorf("the stop took %v: %v", took, err)
		}
		if n := count(); n != 350 {
			t.Errorf("%d records lie in objects after the stop, want 350", n)
		}
		if objects < 6 || objects > 40 {
			t.Errorf("350 records make %d objects", objects)
		}
	})
}

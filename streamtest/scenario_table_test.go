package streamtest_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// onTable runs a scenario over the stream of a table.
func onTable(t *testing.T, partitions int, scenario func(t *testing.T, rig *streamtest.Rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.NewTable(t, partitions)
		defer rig.Close()
		scenario(t, rig)
	})
}

func roll(t *testing.T, rig *streamtest.Rig) {
	t.Helper()
	if err := rig.AWS.DynamoDB().Rollover(streamtest.Table); err != nil {
		t.Fatal(err)
	}
}

// Workers come, go and die while the shards of a table roll over and split: the
// changes of each item are handled in order, parents before children.
func TestTableItemsKeepTheirOrderAcrossRollOvers(t *testing.T) {
	onTable(t, 4, func(t *testing.T, rig *streamtest.Rig) {
		lanes := func(c *consumer.Config) { c.ParallelizationFactor, c.BatchSize = 4, 10 }
		rig.PutN(200, 20)
		w1 := rig.Start("w1", lanes)
		w2 := rig.Start("w2", lanes)
		for range 6 {
			rig.PutN(100, 20)
			time.Sleep(3 * time.Second)
			roll(t, rig)
			rig.PutN(100, 20)
		}
		rig.Await("what came before the split", rig.AllDone)
		if err := rig.AWS.DynamoDB().SplitShard(streamtest.Table, lastShard(rig)); err != nil {
			t.Fatal(err)
		}
		rig.PutN(200, 20)
		if _, err := w1.Stop(); err != nil {
			t.Error(err)
		}
		rig.Start("w3", lanes)
		roll(t, rig)
		rig.PutN(200, 20)
		rig.Await("what came after the stop", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d changes were repeated without a crash", n)
		}
		w2.Kill()
		roll(t, rig)
		rig.PutN(100, 20)
		rig.Await("what came after the kill", rig.AllDone)
	})
}

// polling has a worker read its shards less often, so that hours and hundreds of
// shards cost the test little.
func polling(rig *streamtest.Rig, worker string, floor, ceiling time.Duration) func(*consumer.Config) {
	return func(c *consumer.Config) {
		c.Source = dynamoshards.Open(dynamodbstreams.NewFromConfig(rig.AWS.Config(worker)), streamtest.Table, func(o *dynamoshards.Options) {
			o.PollFloor, o.PollCeiling = floor, ceiling
		})
	}
}

// lastShard is the youngest shard of the rig's table.
func lastShard(rig *streamtest.Rig) string {
	shards := rig.AWS.DynamoDB().StreamShards(streamtest.Table)
	return shards[len(shards)-1].ID
}

// Seven hundred shards, half of them closed, when the first workers start, and a
// service that grants ten pages of the listing a second to all: everything is
// read, and a roll-over of all shards at once is lived through.
func TestScenario29HundredsOfShardsAtAThrottledStart(t *testing.T) {
	partitions := 350
	if raceEnabled {
		partitions = 120
	}
	onTable(t, partitions, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(1000, 500)
		roll(t, rig)
		rig.PutN(1000, 500)
		var refused, second, granted atomic.Int64
		rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Operation != "DescribeStream" {
				return awsfake.Fault{}
			}
			if now := time.Now().Unix(); second.Swap(now) != now {
				granted.Store(0)
			}
			if granted.Add(1) > 10 {
				refused.Add(1)
				return awsfake.Fail("ThrottlingException", 400)
			}
			return awsfake.Fault{}
		})
		began := time.Now()
		rig.Start("a", polling(rig, "a", 2*time.Second, 5*time.Second))
		rig.Start("b", polling(rig, "b", 2*time.Second, 5*time.Second))
		rig.Await("all changes from before the start", rig.AllDone)
		if took := time.Since(began); took > 4*time.Minute || refused.Load() == 0 {
			t.Errorf("%d shards took %v, with %d refusals", 2*partitions, took, refused.Load())
		}
		began = time.Now()
		roll(t, rig)
		rig.PutN(1000, 500)
		rig.Await("all changes from after the roll-over", rig.AllDone)
		if took := time.Since(began); took > 4*time.Minute {
			t.Errorf("a roll-over of %d shards took %v", partitions, took)
		}
	})
}

// What retention passed while nobody ran is a declared loss: the rest of each
// shard that is gone, and what was trimmed of one that is still there. The
// children are read.
func TestTableRetentionIsADeclaredLoss(t *testing.T) {
	onTable(t, 2, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(40, 10)
		w := rig.Start("w1")
		rig.Await("the first changes", rig.AllDone)
		if _, err := w.Stop(); err != nil {
			t.Error(err)
		}
		// 32 hours: eight generations of shards, each with changes at its end, so
		// that a generation is either there with all of them or gone.
		for range 8 {
			time.Sleep(4*time.Hour - time.Minute)
			rig.PutN(20, 10)
			time.Sleep(time.Minute)
		}
		rig.Start("w2")
		rig.Await("what is still there", rig.AllDone)
		losses := rig.Ledger.Losses()
		if len(losses) != 2 {
			t.Errorf("got the losses %v, want one for each shard that was open at the stop", losses)
		}
		for _, l := range losses {
			if !l.Until.IsEnd() || !l.After.IsRecord() {
				t.Errorf("got the loss %v, want one from a record to the end", l)
			}
		}
		if n := rig.Ledger.Handled(); n != 40+6*20 {
			t.Errorf("%d changes were handled, want those of before and of the last day", n)
		}
	})
}

// A worker stands still until its iterator has expired and its shard is gone. It
// finds out, declares the loss, and goes on with the children.
func TestScenario29ShardIsDeletedWhileItsIteratorIsExpired(t *testing.T) {
	onTable(t, 1, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(10, 3)
		w := rig.Start("w1")
		rig.Await("the first changes", rig.AllDone)
		resume := w.Pause()
		rig.PutN(10, 3)
		time.Sleep(3 * time.Hour)
		roll(t, rig)
		rig.PutN(10, 3)
		first := rig.AWS.DynamoDB().StreamShards(streamtest.Table)[0]
		if err := rig.AWS.DynamoDB().DropShard(streamtest.Table, first.ID); err != nil {
			t.Fatal(err)
		}
		resume()
		rig.Await("the child", rig.AllDone)
		losses := rig.Ledger.Losses()
		if len(losses) != 1 || losses[0].Shard != first.ID || !losses[0].Until.IsEnd() {
			t.Errorf("got the losses %v, want the rest of %s", losses, first.ID)
		}
	})
}

// When the stream is disabled, all its shards are worked to their ends, and the
// consumer goes on without any.
func TestDisabledTableStreamIsWorkedToItsEnd(t *testing.T) {
	onTable(t, 3, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(30, 10)
		w := rig.Start("w1")
		rig.Await("the first changes", rig.AllDone)
		rig.PutN(30, 10)
		_, err := dynamodb.NewFromConfig(rig.AWS.Config("operator")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
			TableName: new(streamtest.Table), StreamSpecification: &types.StreamSpecification{StreamEnabled: new(false)},
		})
		if err != nil {
			t.Fatal(err)
		}
		rig.Await("all shards at their ends", func() bool {
			ended := 0
			for _, row := range rig.Rows() {
				if row.Finished() {
					ended++
				}
			}
			return ended == 3 && rig.AllDone()
		})
		time.Sleep(time.Minute)
		if _, err := w.Stop(); err != nil {
			t.Error(err)
		}
		if n := len(rig.Ledger.Losses()); n != 0 {
			t.Errorf("%d losses were declared", n)
		}
	})
}

// A consumer that starts at the tip delivers what comes after it was started, and
// of what came before at most a second.
func TestTableStartAtTheTip(t *testing.T) {
	onTable(t, 2, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(100, 10)
		time.Sleep(time.Hour)
		roll(t, rig)
		rig.PutN(100, 10)
		time.Sleep(10 * time.Minute)
		latest := func(c *consumer.Config) { c.StartingPosition = shard.Latest() }
		w := rig.Start("w1", latest)
		time.Sleep(time.Second) // the tip is pinned
		rig.PutN(50, 10)
		roll(t, rig)
		rig.PutN(50, 10)
		rig.Await("what came after the start", rig.AllDone)
		if n := rig.Ledger.Handled(); n != 100 {
			t.Errorf("%d changes were handled, want 100", n)
		}
		if _, err := w.Stop(); err != nil {
			t.Error(err)
		}
		rig.PutN(50, 10) // while nobody runs
		time.Sleep(time.Hour)
		rig.Start("w2", latest)
		rig.Await("what came while nobody ran", rig.AllDone)
	})
}

// As many roll-overs as a month has, in a stream that lives 240 times as fast:
// rows of shards that are gone are deleted, and neither the table nor the
// process grows.
func TestScenario54AMonthOfRollOversKeepsMemoryFlat(t *testing.T) {
	const (
		partitions = 3
		takes      = time.Minute // a real shard: 4 hours
		keeps      = 6 * time.Minute
	)
	month := 30 * 6
	if raceEnabled {
		month = 60
	}
	onTable(t, partitions, func(t *testing.T, rig *streamtest.Rig) {
		rig.AWS.DynamoDB().StreamTimes(takes, keeps)
		w := rig.Start("w1", polling(rig, "w1", 5*time.Second, 20*time.Second), func(c *consumer.Config) { c.LeaseDuration = time.Minute })
		var heap [2]uint64
		rows, goroutines := 0, 0
		for i := range month {
			rig.PutN(12, 12)
			time.Sleep(takes)
			rows = max(rows, len(rig.AWS.DynamoDB().Items(streamtest.Application)))
			if i == month/6 || i == month-1 {
				heap[i/(month-1)] = heapInUse()
				goroutines = runtime.NumGoroutine()
			}
		}
		rig.Await("everything", rig.AllDone)
		t.Logf("at most %d rows, %d goroutines, heap of %d KiB after five days and %d KiB after thirty; %d shards open in %d",
			rows, goroutines, heap[0]>>10, heap[1]>>10, partitions, len(rig.Rows()))
		// Listed are seven generations; as many as go in two minutes wait for
		// maintenance, and for the one after.
		if most := partitions * 13; rows > most {
			t.Errorf("the lease table had %d rows, want at most %d", rows, most)
		}
		if ever := len(rig.Rows()); ever < partitions*(month-1) {
			t.Errorf("there were rows for %d shards, want %d", ever, partitions*month)
		}
		// The ledger of the test itself keeps some 500 bytes of each record.
		if grown := int64(heap[1]) - int64(heap[0]); grown > 4<<20 {
			t.Errorf("the heap grew by %d KiB", grown>>10)
		}
		if n := len(w.Consumer.Status().Shards); n > partitions*2 {
			t.Errorf("the worker knows %d shards", n)
		}
		if n := len(rig.Ledger.Losses()); n != 0 {
			t.Errorf("%d losses were declared", n)
		}
	})
}

// heapInUse is what is reachable.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

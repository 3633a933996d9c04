package consumer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// A state that counts a record behind one that is deferred belongs to no position:
// the position before the deferred one would have it counted again, and any other
// would pass it. It is written when the record is finished.
func TestStateAheadOfWhatIsDeferredIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		for _, data := range []string{"1", "2", "3"} {
			stream.Put("k", []byte(data))
		}
		cfg := config(stream, table)
		cfg.BatchSize, cfg.CheckpointInterval = 1, 5*time.Second
		h := newCounts()
		var ack atomic.Pointer[batching.Ack]
		h.do = func(_ context.Context, b *batching.Batch) error {
			if string(b.First().Data) == "2" {
				ack.Store(b.Defer())
			}
			return nil
		}
		cfg.Handler = h
		r := start(t, cfg)
		records := stream.Records()
		await(t, "that only the second waits", func() bool {
			s := r.Status().Shards
			return len(s) == 1 && s[0].Deferred == 1 && s[0].Pending == 1
		})
		for range 30 {
			time.Sleep(time.Second)
			if at := onlyRow(t, table).Checkpoint; at.IsRecord() {
				t.Fatalf("the row is at %s with the state %q, which counts what is behind it", at, stateOf(t, table, zeroShard))
			}
		}
		ack.Load().Done()
		await(t, "the position of the last", func() bool { return onlyRow(t, table).Checkpoint.Compare(records[2].Position()) == 0 })
		if got := stateOf(t, table, zeroShard); !strings.HasSuffix(got, " k=3") {
			t.Errorf("the state at the last record is %q, want one that counts three", got)
		}
	})
}

// Effects are written with a position, and so not before what is deferred in front of
// their records is finished.
func TestEffectsWaitForWhatIsDeferredBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, e := shardtest.NewStream(1), checkpointtest.NewTable(), newEffects()
		for _, data := range []string{"1", "2"} {
			stream.Put("k", []byte(data))
		}
		cfg := config(stream, table)
		cfg.BatchSize, cfg.CheckpointInterval = 1, time.Second
		var open atomic.Bool
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if string(b.First().Data) == "2" {
				e.attach(b)
			} else if !open.Load() {
				b.Defer() // and never done
			}
			return nil
		})
		start(t, cfg)
		for range 30 {
			time.Sleep(time.Second)
			if done, _ := e.count(); done != 0 || onlyRow(t, table).Checkpoint.IsRecord() {
				t.Fatalf("the effects of %d records are written, and the row is at %s, over a record that is deferred", done, onlyRow(t, table).Checkpoint)
			}
		}
		open.Store(true)
		last := stream.Records()[1].Position()
		await(t, "the position", func() bool { return onlyRow(t, table).Checkpoint.Compare(last) == 0 })
		if done, twice := e.count(); done != 1 || len(twice) != 0 {
			t.Errorf("the effects of %d records are written, those of %v twice, want one, once", done, twice)
		}
	})
}

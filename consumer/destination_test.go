package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard/shardtest"
)

// shutter is a destination that accepts nothing, or nothing but the first, until it
// is opened.
type shutter struct {
	first    bool
	open     atomic.Bool
	tries    atomic.Int64
	accepted atomic.Int64
}

func (d *shutter) String() string { return "shutter" }

func (d *shutter) Send(_ context.Context, f destination.Failure) error {
	if n := d.tries.Add(1); !d.open.Load() && !(d.first && n == 1) {
		return errClosed
	}
	d.accepted.Add(int64(len(f.Records)))
	return nil
}

// Whatever the reason for which a record goes to a destination, and for however long
// that refuses it, the checkpoint stays before the record until it is accepted; and
// it passes what was handled before it.
func TestCheckpointWaitsForTheDestination(t *testing.T) {
	bad := errors.New("bad")
	for name, set := range map[string]func(*consumer.Config, *shutter){
		"attempts used up": func(c *consumer.Config, d *shutter) {
			c.OnFailure, c.MaximumRetryAttempts = d, batching.AtMost(1)
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if r := find(b, "b"); r != nil {
					return batching.FailFrom(r, bad)
				}
				return nil
			})
		},
		"rejected": func(c *consumer.Config, d *shutter) {
			c.OnFailure = d
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if r := find(b, "b"); r != nil {
					return batching.Reject(r, bad)
				}
				return nil
			})
		},
		"too old": func(c *consumer.Config, d *shutter) {
			// What is old is b: a waits for nothing.
			c.OnFailure, c.MaximumRecordAge = d, time.Minute
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if r := find(b, "b"); r != nil {
					return batching.FailFrom(r, batching.RetryAfter(2*time.Minute, bad))
				}
				return nil
			})
		},
		"handled": func(c *consumer.Config, d *shutter) {
			d.first, c.OnSuccess, c.BatchSize = true, d, 1 // the first is a
			c.Handler = consumer.HandlerFunc(busy)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table, d := shardtest.NewStream(1), checkpointtest.NewTable(), &shutter{}
				for _, data := range []string{"a", "b", "c"} {
					stream.Put("key", []byte(data))
				}
				cfg := config(stream, table)
				cfg.CheckpointInterval, cfg.MaximumBackoff = time.Second, 10*time.Second
				set(&cfg, d)
				start(t, cfg)
				records := stream.Records()
				await(t, "that it refuses", func() bool { return d.tries.Load() > 2 })
				for range 120 {
					time.Sleep(time.Second)
					if at := onlyRow(t, table).Checkpoint; at.IsRecord() && at.Compare(records[0].Position()) > 0 {
						t.Fatalf("the checkpoint is at %s, and the record at %s is accepted by nobody", at, records[1].Position())
					}
				}
				if at := onlyRow(t, table).Checkpoint; at.Compare(records[0].Position()) != 0 {
					t.Errorf("the checkpoint is at %s, want it behind what was handled before, %s", at, records[0].Position())
				}
				d.open.Store(true)
				await(t, "the checkpoint", func() bool { return onlyRow(t, table).Checkpoint.Compare(records[2].Position()) == 0 })
				if d.accepted.Load() == 0 {
					t.Error("the checkpoint has passed the record, and nothing was accepted")
				}
			})
		})
	}
}

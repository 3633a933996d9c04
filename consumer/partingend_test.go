package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// lateEnd is a table that answers nothing to a worker once it has asked to end a
// shard, until the worker has dropped it. The request itself is kept, to be applied
// when the test says so: it was held up on its way.
type lateEnd struct {
	*checkpointtest.Table
	asked   atomic.Pointer[func() error]
	dropped atomic.Bool
	first   atomic.Bool // the end arrives ahead of the first write after that
}

func (t *lateEnd) heldUp(ctx context.Context, write func() error) error {
	if t.dropped.Load() {
		return nil
	}
	t.asked.CompareAndSwap(nil, &write)
	<-ctx.Done()
	return ctx.Err()
}

func (t *lateEnd) End(ctx context.Context, held shard.Lease, me string, children []shard.Shard, lost bool) (shard.Lease, error) {
	err := t.heldUp(ctx, func() error {
		_, err := t.Table.End(context.Background(), held, me, children, lost)
		return err
	})
	if err != nil {
		return shard.Lease{}, err
	}
	return t.Table.End(ctx, held, me, children, lost)
}

func (t *lateEnd) Renew(ctx context.Context, held shard.Lease, me string) (shard.Lease, error) {
	if t.dropped.Load() && t.first.CompareAndSwap(true, false) {
		if err := (*t.asked.Load())(); err != nil {
			return shard.Lease{}, err
		}
	}
	return t.Table.Renew(ctx, held, me)
}

// opened is a source that tells whether a shard was opened behind its end, where
// there is nothing, and where a service has no better place than the beginning.
type opened struct {
	shard.Source
	behindEnd atomic.Bool
}

func (o *opened) Open(at shard.Start) shard.Reader {
	if at.After.IsEnd() {
		o.behindEnd.Store(true)
	}
	return o.Source.Open(at)
}

func (t *lateEnd) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	if t.asked.Load() != nil && !t.dropped.Load() {
		return shard.Session{}, errors.New("no answer")
	}
	return t.Table.Heartbeat(ctx, s)
}

// The end of a shard that was held up while its worker lost its session comes too
// late once the shard is worked again: its children would begin meanwhile.
func TestEndThatArrivesLateEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", nil)
		table := &lateEnd{Table: checkpointtest.NewTable()}
		cfg := config(stream, table.Table)
		cfg.Leases = table
		var anew atomic.Int64
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if b.Shard == "shardId-000000000000" && table.dropped.Load() && anew.Add(1) == 1 {
				if err := (*table.asked.Load())(); !errors.Is(err, checkpoint.ErrFenced) {
					t.Errorf("the end that was held up came to %v while the shard is worked again; want %v", err, checkpoint.ErrFenced)
				}
			}
			return nil
		})
		cfg.CheckpointInterval = time.Hour // so that it is read again
		cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) {
			if errors.Is(e.Cause, consumer.ErrLeaseLost) {
				table.dropped.Store(true)
			}
		}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		stream.Split("shardId-000000000000")
		await(t, "the children", func() bool { return table.dropped.Load() && r.holds() == 2 })
		if anew.Load() == 0 {
			t.Error("the shard was not begun anew")
		}
		r.end()
	})
}

// If it comes before the worker has written anything, the shard is at its end, and
// nothing of it is handled again.
func TestEndThatArrivesInTimeIsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", nil)
		table := &lateEnd{Table: checkpointtest.NewTable()}
		table.first.Store(true)
		source := &opened{Source: stream}
		cfg := config(stream, table.Table)
		cfg.Leases, cfg.Source = table, source
		var calls, ends atomic.Int64
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			calls.Add(1)
			return nil
		})
		cfg.CheckpointInterval = time.Hour
		cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) {
			switch {
			case errors.Is(e.Cause, consumer.ErrLeaseLost):
				table.dropped.Store(true)
			case e.Cause == nil:
				ends.Add(1)
			}
		}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		stream.Split("shardId-000000000000")
		await(t, "the children", func() bool { return table.dropped.Load() && r.holds() == 2 })
		if calls.Load() != 1 || ends.Load() != 1 || table.first.Load() {
			t.Errorf("%d calls and %d ends, want 1 of each", calls.Load(), ends.Load())
		}
		if source.behindEnd.Load() {
			t.Error("the shard was opened again behind its end")
		}
		r.end()
	})
}

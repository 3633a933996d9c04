package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// lateBeat is a table that answers no heartbeat from a moment on, but for one
// that is sent just before the session runs out and answered just behind it.
type lateBeat struct {
	*checkpointtest.Table
	from atomic.Int64 // Unix nanoseconds of the last heartbeat that was answered in time
	late atomic.Bool
}

func (t *lateBeat) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	from := t.from.Load()
	if from == 0 || t.late.Load() {
		return t.Table.Heartbeat(ctx, s)
	}
	since := time.Since(time.Unix(0, from))
	if since < 3800*time.Millisecond {
		return shard.Session{}, errors.New("no answer")
	}
	row, err := t.Table.Heartbeat(ctx, s)
	time.Sleep(4100*time.Millisecond - since)
	t.late.Store(true)
	return row, err
}

// A session that has run out for a moment, until the answer to a heartbeat comes
// that was under way, loses no record: a lane that found it run out gives up its
// batch, and so the shard is begun anew.
func TestSessionThatRanOutForAMomentLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		for i := range 400 {
			stream.Put(fmt.Sprint("key-", i%7), fmt.Append(nil, i))
		}
		table := &lateBeat{Table: checkpointtest.NewTable()}
		cfg := config(stream, table.Table)
		cfg.Leases, cfg.LeaseDuration, cfg.BatchSize = table, 5*time.Second, 400
		cfg.BisectBatchOnError = true
		seen := &tally{do: func(_ context.Context, b *batching.Batch) error {
			if len(b.Records) > 1 {
				return errors.New("one by one, please")
			}
			time.Sleep(30 * time.Millisecond)
			return nil
		}}
		cfg.Handler = seen
		cfg.MinimumBackoff, cfg.MaximumBackoff = time.Millisecond, time.Millisecond
		lost := 0
		cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) {
			if errors.Is(e.Cause, consumer.ErrLeaseLost) {
				lost++
			}
		}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 && r.Status().ValidFor > 3900*time.Millisecond })
		table.from.Store(time.Now().UnixNano() - int64(4*time.Second-r.Status().ValidFor))
		began := time.Now()
		await(t, "every record", func() bool { return seen.finished() == 400 })
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the rest was handled after %v, when the shard was found stalled", took)
		}
		r.end()
		if !table.late.Load() || lost == 0 {
			t.Errorf("the session did not run out: late %v, lost %d", table.late.Load(), lost)
		}
	})
}

// mute is a table that answers no heartbeat while it is told to.
type mute struct {
	*checkpointtest.Table
	on atomic.Bool
}

func (t *mute) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	if t.on.Load() {
		return shard.Session{}, errors.New("no answer")
	}
	return t.Table.Heartbeat(ctx, s)
}

// A session that has run out and was not revoked leaves its leases as they were,
// with the counters that the tenures before had, if those wrote no position. Each
// tenure has a greater fence all the same: what the one before sent to a store may
// arrive there late.
func TestShardThatIsFoundAgainHasAGreaterFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		table := &mute{Table: checkpointtest.NewTable()}
		cfg := config(stream, table.Table)
		cfg.Leases, cfg.CheckpointInterval, cfg.Handler = table, time.Hour, new(tally)
		var mu sync.Mutex
		last, begun := map[string]batching.Fence{}, 0
		cfg.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
			mu.Lock()
			defer mu.Unlock()
			begun++
			if before, ok := last[e.Shard]; ok && e.Fence.Compare(before) <= 0 {
				t.Errorf("%s begins with the fence %s after %s", e.Shard, e.Fence, before)
			}
			last[e.Shard] = e.Fence
		}
		r := start(t, cfg)
		for range 3 {
			await(t, "both shards", func() bool { return r.holds() == 2 })
			table.on.Store(true)
			await(t, "the session to run out", func() bool { return r.holds() == 0 })
			table.on.Store(false)
		}
		await(t, "both shards again", func() bool { return r.holds() == 2 })
		r.end()
		if begun != 8 {
			t.Errorf("%d tenures began, want four of each shard", begun)
		}
	})
}

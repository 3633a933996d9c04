package consumer_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// stuckRelease is a worker's view of a table from which it is cut off with its
// first release. That one is not lost: it is on its way, and arrives when arrive is
// called.
type stuckRelease struct {
	*checkpointtest.Table
	mu     sync.Mutex
	stuck  func() (shard.Lease, error)
	cutOff bool
}

func (t *stuckRelease) Release(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress, to string) (shard.Lease, error) {
	t.mu.Lock()
	first := t.stuck == nil
	if first {
		t.cutOff = true
		// It is beyond the sender, and so not subject to what the sender meets.
		t.stuck = func() (shard.Lease, error) { return t.Table.As("").Release(context.Background(), held, me, p, to) }
	}
	t.mu.Unlock()
	if first {
		return shard.Lease{}, errors.New("no answer")
	}
	return t.Table.Release(ctx, held, me, p, to)
}

func (t *stuckRelease) isCutOff() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cutOff
}

func (t *stuckRelease) heal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cutOff = false
}

// A release that arrives when its sender has given it up, has lost its session for
// a moment and goes on with the shard, does not give the shard to somebody else
// under the hands of its handler. (spec/LeaseSafe, run lease-noconfirm.)
func TestReleaseThatArrivesLateGivesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		for range 5 {
			stream.Put("key", []byte("early"))
		}
		table := checkpointtest.NewTable()
		cut := &stuckRelease{Table: table.As("first")}
		table.Interfere(func(_, caller string) error {
			if caller == "first" && cut.isCutOff() {
				return errors.New("cut off")
			}
			return nil
		}, nil)
		var slow, running atomic.Int64
		h := &tally{do: func(context.Context, *batching.Batch) error {
			running.Add(1)
			defer running.Add(-1)
			time.Sleep(time.Duration(slow.Load()))
			return nil
		}}
		cfg := config(stream, table)
		cfg.Handler, cfg.Leases, cfg.CheckpointInterval = h, cut, time.Second
		first := start(t, cfg)
		await(t, "the first records", func() bool { return h.finished() == 1 && running.Load() == 0 })
		cfg.Leases, cfg.WorkerPrefix = table.As("second"), "x"
		second := start(t, cfg)
		time.Sleep(2 * time.Second) // they know each other, and the position is saved
		slow.Store(int64(20 * time.Second))
		released := make(chan error, 1)
		go func() { released <- first.Release(t.Context(), "shardId-000000000000") }()
		await(t, "the cut", cut.isCutOff)
		time.Sleep(8200 * time.Millisecond) // the session has run out, and nobody has revoked it yet
		cut.heal()
		<-released
		stream.Put("key", []byte("late"))
		await(t, "the first worker goes on", func() bool { return first.holds() == 1 && running.Load() == 1 })
		if row, err := cut.stuck(); err == nil {
			t.Errorf("the release was applied: the row is now %s", row)
		}
		time.Sleep(time.Minute)
		if h.most() != 1 {
			t.Errorf("%d calls ran at once for one shard, want never more than one", h.most())
		}
		await(t, "the last record", func() bool { return h.finished() == 2 })
		if second.holds() != 0 {
			t.Error("the second worker has the shard, which nobody gave it")
		}
	})
}

package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// orphaned is a table that answers the first take with an error and applies it just
// before the second one comes.
type orphaned struct {
	*checkpointtest.Table
	takes  atomic.Int64
	second atomic.Int64 // when it was sent, in Unix nanoseconds
}

func (t *orphaned) Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error) {
	switch t.takes.Add(1) {
	case 1:
		return shard.Lease{}, errors.New("no answer")
	case 2:
		t.second.Store(time.Now().UnixNano())
		if row, err := t.Table.Take(ctx, seen, me, absent); err != nil {
			return row, err
		}
	}
	return t.Table.Take(ctx, seen, me, absent)
}

// A take whose answer was lost, and which is applied only when it is made again, is
// not a lost race: the row that refuses the second names this worker, which begins
// the shard at once.
func TestTakeWhoseAnswerWasLostIsRecognised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("a", []byte("a"))
		table := &orphaned{Table: checkpointtest.NewTable()}
		cfg := config(stream, table.Table)
		seen := &tally{}
		cfg.Leases, cfg.Handler = table, seen
		conflicts := 0
		cfg.Hooks.Conflict = func(consumer.ConflictEvent) { conflicts++ }
		r := start(t, cfg)
		await(t, "the record", func() bool { return seen.finished() == 1 })
		if took := time.Since(time.Unix(0, table.second.Load())); took > time.Second {
			t.Errorf("the shard was begun %v after the take was refused by its own row, want at once", took)
		}
		r.end()
		if n := table.takes.Load(); n != 2 || conflicts != 0 {
			t.Errorf("%d takes and %d conflicts were told, want 2 and none", n, conflicts)
		}
	})
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// slowly has every call of a table take its time, both ways, as the seed says, and
// some that let a lease go so long that whom it is given to has left by then.
func slowly(table *checkpointtest.Table, seed uint64) {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 0))
	wait := func(op, _ string) error {
		mu.Lock()
		d := time.Duration(dice.Int64N(int64(20 * time.Millisecond)))
		switch {
		case dice.IntN(10) == 0:
			d *= 10
		case op == "release" && dice.IntN(3) == 0:
			d *= 40
		}
		mu.Unlock()
		time.Sleep(d)
		return nil
	}
	table.Interfere(wait, wait)
}

// A fleet of which some are stopped at one instant, or all, leaves no lease under
// the name of a worker that is gone: whoever starts next, or stays, may take each at
// once. A worker that leaves gives its leases to others which may be leaving, too,
// and which of them knows that of which is a matter of moments.
func TestFleetStoppedAtOneInstantLeavesEveryLeaseFree(t *testing.T) {
	const workers, shards = 4, 8
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table := shardtest.NewStream(shards), checkpointtest.NewTable()
				cfg := config(stream, table)
				cfg.Handler = &tally{}
				var fleet []*running
				for range workers {
					fleet = append(fleet, start(t, cfg))
				}
				await(t, "the shards are shared", func() bool {
					sum := 0
					for _, r := range fleet {
						sum += r.holds()
					}
					return sum == shards && fleet[0].holds() < shards
				})
				time.Sleep(15 * time.Second)
				slowly(table, seed)
				time.Sleep(3*time.Second + time.Duration(seed)*17*time.Millisecond)
				for _, r := range fleet {
					r.cancel()
				}
				for _, r := range fleet {
					if _, err := r.end(); err != nil {
						t.Error(err)
					}
				}
				table.Interfere(nil, nil)
				rows, err := table.List(t.Context())
				if err != nil || len(rows) != shards {
					t.Fatalf("%d rows, %v; want %d", len(rows), err, shards)
				}
				for _, row := range rows {
					if row.Owner != "" || row.CheckpointOwner != "" {
						t.Errorf("%s is left behind, and nobody runs", row)
					}
				}
				if sessions, _ := table.Sessions(t.Context()); len(sessions) != 0 {
					t.Errorf("%d sessions are left behind, want none", len(sessions))
				}
			})
		})
	}
}

// unread is a table on which something stands in every inbox that cannot be read.
type unread struct {
	*checkpointtest.Table
	leaves atomic.Int64
}

func (t *unread) Leave(context.Context, string) error {
	t.leaves.Add(1)
	return checkpoint.ErrUnread
}

// What cannot be read in the inbox holds up no stop: the session is left to be missed.
func TestStopWithAnInboxThatCannotBeReadEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &unread{Table: checkpointtest.NewTable()}
		cfg := config(shardtest.NewStream(1), table.Table)
		cfg.Leases, cfg.Handler = table, &tally{}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		if took, err := r.end(); err != nil || took > time.Second {
			t.Errorf("the stop took %v (%v), want at once", took, err)
		}
		if n := table.leaves.Load(); n != 1 {
			t.Errorf("it tried to leave %d times, want once", n)
		}
		if row := onlyRow(t, table.Table); row.Owner != "" {
			t.Errorf("the lease is still %s's", row.Owner)
		}
	})
}

// A shard that is being left, whose handler could not be told so, waits until it may
// be told again: no loop turns without a pause when the session runs out meanwhile,
// unseen as its heartbeat has no answer yet. In virtual time such a loop never ends.
func TestLeavingWithoutASessionKeepsNoProcessorBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("key", []byte("a"))
		var silent atomic.Bool
		table.Interfere(func(op, _ string) error {
			if op == "heartbeat" && silent.Load() {
				time.Sleep(20 * time.Second)
				return errors.New("no answer")
			}
			return nil
		}, nil)
		var flushes atomic.Int64
		cfg := config(stream, table)
		cfg.DrainTimeout = time.Minute
		cfg.Handler = &consumer.Collect{MaxAge: time.Hour, Flush: func(context.Context, *consumer.Collected) error {
			flushes.Add(1)
			return errors.New("the bucket is down")
		}}
		r := start(t, cfg)
		await(t, "the record collected", func() bool { s := r.Status().Shards; return len(s) == 1 && s[0].Deferred == 1 })
		silent.Store(true)
		time.Sleep(3 * time.Second)
		if took, err := r.end(); err != nil || took >= cfg.DrainTimeout {
			t.Errorf("the stop took %v (%v), want it to end with the session", took, err)
		}
		if flushes.Load() == 0 {
			t.Error("the handler was not told that the shard is left")
		}
		if row := onlyRow(t, table); row.Checkpoint.IsRecord() {
			t.Errorf("the row is left as %s, want nothing finished", row)
		}
	})
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// inDatabase is a handler whose effects and position are one transaction of a
// database.
type inDatabase struct {
	*checkpointtest.Positions
	mu   sync.Mutex
	done map[string]int
}

func newDatabase() *inDatabase {
	return &inDatabase{Positions: checkpointtest.NewPositions(), done: map[string]int{}}
}

func (d *inDatabase) Handle(ctx context.Context, b *batching.Batch) error {
	fence := b.Fence()
	return d.Commit(ctx, b.Shard, [2]int64{fence.Stream, fence.Counter}, b.Last().Position(), func(after shard.Position) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for i := range b.Records {
			if b.Records[i].Position().Compare(after) > 0 {
				d.done[b.Records[i].ID()]++
			}
		}
	})
}

func (d *inDatabase) count() (once int, twice []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, n := range d.done {
		once++
		if n > 1 {
			twice = append(twice, id)
		}
	}
	return once, twice
}

// The position that the database has is where a shard begins, ahead of the row,
// which a death left behind: nothing is given out again that is done.
func TestPositionsAreBelievedBeforeTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, d := shardtest.NewStream(1), newMortal(), newDatabase()
		for i := range 100 {
			stream.Put("k", fmt.Append(nil, i))
		}
		cfg := config(stream, nil)
		cfg.Leases, cfg.WorkerPrefix = table.As("w0"), "w0"
		cfg.Handler, cfg.Positions, cfg.CheckpointInterval = d, d, time.Hour
		r := start(t, cfg)
		await(t, "the effects", func() bool { once, _ := d.count(); return once == 100 })
		table.kill("w0")
		r.end()
		table.expire(t)
		if row := onlyRow(t, table.Table); !row.Checkpoint.IsTrimHorizon() {
			t.Fatalf("the row is at %s", row.Checkpoint)
		}
		for i := range 10 {
			stream.Put("k", fmt.Append(nil, "later ", i))
		}
		var began []string
		cfg.Leases, cfg.WorkerPrefix = table.As("w1"), "w1"
		cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			began = append(began, string(b.First().Data))
			return d.Handle(ctx, b)
		})
		cfg.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
			if e.After != stream.Records()[99].Position() {
				t.Errorf("the shard began after %s", e.After)
			}
		}
		runToTip(t, cfg)
		if once, twice := d.count(); once != 110 || len(twice) > 0 || !strings.HasPrefix(began[0], "later 0") {
			t.Errorf("%d records are done, twice %v, and the first given out again was %q", once, twice, began[0])
		}
		if row := onlyRow(t, table.Table); row.Checkpoint != stream.Records()[109].Position() {
			t.Errorf("the row is at %s", row.Checkpoint)
		}
	})
}

// A database that is behind the row, such as one restored from a backup, is
// believed, too; the row waits where it is.
func TestPositionsBehindTheRowAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, d := shardtest.NewStream(1), checkpointtest.NewTable(), newDatabase()
		for i := range 50 {
			stream.Put("k", fmt.Append(nil, i))
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.Positions = d, d
		runToTip(t, cfg)
		at := onlyRow(t, table).Checkpoint
		restored := newDatabase()
		claim := checkpoint.Claim{Shard: zeroShard, Fence: [2]int64{0, 1}}
		if _, _, err := restored.Claim(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
		if err := restored.Commit(t.Context(), zeroShard, claim.Fence, stream.Records()[19].Position(), func(shard.Position) {}); err != nil {
			t.Fatal(err)
		}
		table.Interfere(nil, func(op, _ string) error {
			if op != "save" && op != "release" {
				return nil
			}
			if row := onlyRow(t, table); row.Checkpoint != at {
				t.Errorf("after a %s the row is at %s, want %s", op, row.Checkpoint, at)
			}
			return nil
		})
		cfg.Handler, cfg.Positions, cfg.CheckpointInterval, cfg.BatchSize = restored, restored, time.Millisecond, 7
		runToTip(t, cfg)
		if once, twice := restored.count(); once != 30 || len(twice) > 0 {
			t.Errorf("%d records are done, twice %v, want the 30 behind the backup", once, twice)
		}
	})
}

// A worker that is told of a later tenure has lost the shard, and an error of the
// database is waited out.
func TestClaimThatIsRefusedIsTheLossOfTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, d := shardtest.NewStream(1), checkpointtest.NewTable(), newDatabase()
		stream.Put("k", nil)
		if _, _, err := d.Claim(t.Context(), checkpoint.Claim{Shard: zeroShard, Fence: [2]int64{1 << 60, 1}}); err != nil {
			t.Fatal(err)
		}
		var claims atomic.Int64
		d.Interfere(func(op string) error {
			if op == "claim" {
				if claims.Add(1) < 3 {
					return errors.New("no connection")
				}
			}
			return nil
		}, nil)
		var cause atomic.Pointer[error] // why it was left first
		cfg := config(stream, table)
		cfg.Handler, cfg.Positions = d, d
		cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) { cause.CompareAndSwap(nil, &e.Cause) }
		r := start(t, cfg)
		await(t, "the loss", func() bool { return cause.Load() != nil })
		if why := *cause.Load(); why != consumer.ErrLeaseLost || claims.Load() < 3 {
			t.Errorf("the shard was left for %v after %d claims", why, claims.Load())
		}
		if once, _ := d.count(); once != 0 {
			t.Errorf("%d records are done by a worker that is not the last", once)
		}
		r.end()
	})
}

// A position that was moved by hand in the row is told by its generation.
func TestClaimTellsWhatWasMovedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, d := shardtest.NewStream(1), checkpointtest.NewTable(), newDatabase()
		for i := range 20 {
			stream.Put("k", fmt.Append(nil, i))
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.Positions = d, d
		runToTip(t, cfg)
		table.Edit(zeroShard, func(l *shard.Lease) {
			l.Checkpoint, l.SeekGen, l.Counter = stream.Records()[9].Position(), l.SeekGen+1, l.Counter+1
		})
		runToTip(t, cfg)
		if once, twice := d.count(); once != 20 || len(twice) != 10 {
			t.Errorf("%d records are done, %d of them twice, want 10", once, len(twice))
		}
	})
}

// A claim that takes long holds up its own shard alone, and a stop does not wait
// for it.
func TestStopDoesNotWaitForAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler, cfg.Positions = &tally{}, hanging{}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		if took, err := r.end(); err != nil || took > time.Second {
			t.Errorf("the stop took %s, %v", took, err)
		}
		if row := onlyRow(t, table); row.Owner != "" {
			t.Errorf("the row is %s", row)
		}
	})
}

// hanging is a database that does not answer.
type hanging struct{}

func (hanging) Claim(ctx context.Context, _ checkpoint.Claim) (shard.Position, bool, error) {
	<-ctx.Done()
	return shard.Position{}, false, ctx.Err()
}

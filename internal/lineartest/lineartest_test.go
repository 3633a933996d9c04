package lineartest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/internal/lineartest"
	"github.com/towpath/towpath/shard"
)

// table is the one in memory, and its hooks.
type table = checkpointtest.Table

// Each of these tables breaks one thing that the protocol relies on, and is
// found out by what its clients were told.
func TestBrokenTableIsFoundOut(t *testing.T) {
	for name, breaking := range map[string]func(*table, *rand.Rand) lineartest.Leases{
		"a condition that is checked before the write":   func(t *table, r *rand.Rand) lineartest.Leases { return checksFirst{t} },
		"reads that are stale":                           func(t *table, r *rand.Rand) lineartest.Leases { return &reading{table: t, Rand: r} },
		"a transaction whose parts are applied in turn":  func(t *table, r *rand.Rand) lineartest.Leases { return partwise{t} },
		"a write that is confirmed and was never made":   func(t *table, r *rand.Rand) lineartest.Leases { return &forgetful{table: t, Rand: r} },
		"a session that beats on after it was revoked":   func(t *table, r *rand.Rand) lineartest.Leases { return undead{t} },
		"a maintenance run that writes when it is over":  func(t *table, r *rand.Rand) lineartest.Leases { return &late{table: t} },
		"a refusal that shows the row of some time ago":  func(t *table, r *rand.Rand) lineartest.Leases { return &reading{table: t, Rand: r, refusals: true} },
		"a counter that does not move with a checkpoint": func(t *table, r *rand.Rand) lineartest.Leases { return standing{t} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 10 {
				history := new(lineartest.History)
				synctest.Test(t, func(t *testing.T) { play(t, uint64(seed), history, breaking) })
				if err := history.Check(5 * time.Second); err != nil {
					t.Logf("seed %d: %.400v", seed, err)
					if !strings.Contains(err.Error(), "none of these can be next") {
						t.Error("it is not said where no order goes on")
					}
					return
				}
			}
			t.Error("nobody noticed in ten histories")
		})
	}
}

// What is not broken is not found out: the same play over the table as it is.
func TestSoundTableIsNotFoundOut(t *testing.T) {
	for seed := range 3 {
		history := new(lineartest.History)
		synctest.Test(t, func(t *testing.T) {
			play(t, uint64(seed), history, func(t *table, _ *rand.Rand) lineartest.Leases { return t })
		})
		if err := history.Check(2 * time.Minute); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// play lets three workers loose upon a table; nothing is lost but what it breaks.
func play(t *testing.T, seed uint64, history *lineartest.History, breaking func(*table, *rand.Rand) lineartest.Leases) {
	names := []string{"anna", "bert", "cleo"}
	whole := checkpointtest.NewTable()
	roads := map[string]*rand.Rand{}
	for i, name := range names {
		roads[name] = rand.New(rand.NewPCG(seed, uint64(i)))
	}
	delay := func(_, caller string) error {
		time.Sleep(time.Duration(1 + roads[caller].Int64N(int64(10*time.Millisecond))))
		return nil
	}
	whole.Interfere(delay, delay)
	var workers sync.WaitGroup
	for i, name := range names {
		view := history.Record(breaking(whole.As(name), rand.New(rand.NewPCG(seed, uint64(50+i)))))
		workers.Go(func() {
			view.Play(t.Context(), rand.New(rand.NewPCG(seed, uint64(100+i))), names, i, 120)
		})
	}
	workers.Wait()
}

// checksFirst is a register that reads, compares and then writes.
type checksFirst struct{ *table }

func (b checksFirst) Take(ctx context.Context, seen shard.Lease, me, _ string) (shard.Lease, error) {
	row, err := b.Get(ctx, seen.Key)
	if err != nil {
		return row, &checkpoint.Conflict{Write: "take", Key: seen.Key}
	}
	if row.Counter != seen.Counter || row.Owner != seen.Owner || row.CheckpointOwner != seen.CheckpointOwner {
		return shard.Lease{}, &checkpoint.Conflict{Write: "take", Key: seen.Key, Exists: true, Row: row}
	}
	time.Sleep(time.Millisecond)
	row.Owner, row.CheckpointOwner = me, ""
	row.Counter++
	row.OwnerSwitches++
	b.Edit(seen.Key, func(l *shard.Lease) { *l = row })
	return row, nil
}

// reading answers, now and then, what it answered to the same question before.
type reading struct {
	*table
	*rand.Rand
	refusals bool
	before   shard.Lease
}

func (b *reading) Get(ctx context.Context, key string) (shard.Lease, error) {
	old := b.before
	now, err := b.table.Get(ctx, key)
	if err == nil {
		b.before = now
	}
	if !b.refusals && old.Key == key && b.IntN(3) == 0 {
		return old, nil
	}
	return now, err
}

func (b *reading) Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error) {
	now, err := b.table.Take(ctx, seen, me, absent)
	var refused *checkpoint.Conflict
	if errors.As(err, &refused) && b.refusals && b.before.Key == seen.Key {
		refused.Row = b.before
	}
	return now, err
}

// partwise ends a shard first and makes its children's rows afterwards.
type partwise struct{ *table }

func (b partwise) End(ctx context.Context, held shard.Lease, me string, children []shard.Shard, lost bool) (shard.Lease, error) {
	now, err := b.table.End(ctx, held, me, nil, lost)
	if err != nil || len(children) == 0 {
		return now, err
	}
	epoch, _ := b.Begin(ctx)
	for _, c := range children {
		b.Create(ctx, epoch, []shard.Lease{{Key: c.ID}})
	}
	return now, nil
}

// forgetful loses a checkpoint that it has confirmed.
type forgetful struct {
	*table
	*rand.Rand
}

func (b *forgetful) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	now, err := b.table.Save(ctx, held, me, p)
	if err == nil && b.IntN(5) == 0 {
		b.Edit(held.Key, func(l *shard.Lease) { *l = held })
	}
	return now, err
}

// undead lets every session beat.
type undead struct{ *table }

func (b undead) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	now, err := b.table.Heartbeat(ctx, s)
	if errors.Is(err, checkpoint.ErrSessionOver) {
		return shard.Session{ID: s.ID, Beat: s.Beat + 1}, nil
	}
	return now, err
}

// late creates rows whatever run has begun since.
type late struct{ *table }

func (b *late) Create(ctx context.Context, epoch int64, rows []shard.Lease) error {
	if err := b.table.Create(ctx, epoch, rows); !errors.Is(err, checkpoint.ErrEpochOver) {
		return err
	}
	return nil
}

// standing moves a checkpoint and leaves the counter.
type standing struct{ *table }

func (b standing) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	now, err := b.table.Save(ctx, held, me, p)
	if err == nil {
		b.Edit(held.Key, func(l *shard.Lease) { l.Counter = held.Counter })
	}
	return now, err
}

// The answer of a take is lost. Bert finds out that it was applied: there is an
// order, with the take at some time after it was sent.
func ExampleHistory_Check() {
	ctx, whole, history := context.Background(), checkpointtest.NewTable(), new(lineartest.History)
	anna, bert := history.Record(whole.As("anna")), history.Record(whole.As("bert"))
	run, _ := anna.Begin(ctx)
	anna.Create(ctx, run, []shard.Lease{{Key: "shardId-0"}})
	free, _ := anna.Get(ctx, "shardId-0")

	whole.Interfere(nil, func(op, _ string) error {
		if op == "take" {
			return errors.New("the answer was lost")
		}
		return nil
	})
	_, err := anna.Take(ctx, free, "anna", "")
	fmt.Println(err)
	fmt.Println(bert.Get(ctx, "shardId-0"))
	answered, open := history.Size()
	fmt.Println(answered, open, history.Check(time.Second))

	// A row that changes under everybody's hands cannot be explained.
	whole.Edit("shardId-0", func(l *shard.Lease) { l.Owner = "cleo" })
	fmt.Println(bert.Get(ctx, "shardId-0"))
	fmt.Println(history.Check(time.Second) != nil)
	// Output:
	// take: the answer was lost
	// shardId-0 anna #1 at TRIM_HORIZON <nil>
	// 4 1 <nil>
	// shardId-0 cleo #1 at TRIM_HORIZON <nil>
	// true
}

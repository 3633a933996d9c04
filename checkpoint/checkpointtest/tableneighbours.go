package checkpointtest

import (
	"context"
	"slices"
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

var (
	_ checkpoint.Neighbours = (*Table)(nil)
	_ checkpoint.Renewer    = (*Table)(nil)
)

// TableName implements checkpoint.Neighbours.
func (t *Table) TableName() string { return "leases" }

// SetNeighbours is what Neighbours answers from now on.
func (t *Table) SetNeighbours(all ...checkpoint.Neighbour) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.neighbours = slices.Clone(all)
}

// Neighbours implements checkpoint.Neighbours.
func (t *Table) Neighbours(ctx context.Context) ([]checkpoint.Neighbour, error) {
	var all []checkpoint.Neighbour // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "neighbours", "", func() error {
		all = slices.Clone(t.neighbours)
		return nil
	})
	if err != nil {
		var none []checkpoint.Neighbour
		return none, err
	}
	return all, nil
}

// Renew implements checkpoint.Renewer.
func (t *Table) Renew(ctx context.Context, held shard.Lease, me string) (shard.Lease, error) {
	return t.change(ctx, "renew", me, held.Key, canWrite(held, me), func(row *shard.Lease) { row.Counter++ })
}

// RunRenewer holds a lease table that is a checkpoint.Renewer against that
// contract. Open is called for each test and answers a table without rows.
func RunRenewer(t *testing.T, open func(t *testing.T) checkpoint.Leases) {
	for _, test := range renewTests {
		t.Run(test.name, func(t *testing.T) {
			b := &bench{T: t, Leases: open(t)}
			if _, ok := b.Leases.(checkpoint.Renewer); !ok {
				t.Fatalf("%T is no checkpoint.Renewer", b.Leases)
			}
			b.must(b.Prepare(t.Context(), stream))
			test.run(b)
		})
	}
}

func (b *bench) renew(held shard.Lease, me string) (shard.Lease, error) {
	return b.Leases.(checkpoint.Renewer).Renew(b.Context(), held, me)
}

var renewTests = []named{
	{name: "renew moves the counter and nothing else", run: func(b *bench) {
		held := b.owned(key, anna)
		held, err := b.Save(b.Context(), held, anna, checkpoint.Progress{Position: shard.After("50", 2), Suspect: shard.After("51", 0), SuspectCrashes: 1})
		b.must(err)
		want := held
		want.Counter++
		now, err := b.renew(held, anna)
		b.must(err)
		b.equal(now, want)
		stands, err := b.Get(b.Context(), key)
		b.must(err)
		b.equal(stands, want)
	}},
	{name: "renew does not count as a checkpoint", run: func(b *bench) {
		held, err := b.Take(b.Context(), b.free(key), anna, "")
		b.must(err)
		now, err := b.renew(held, anna)
		b.must(err)
		if now.OwnerSwitches != held.OwnerSwitches || held.OwnerSwitches == 0 {
			b.Errorf("the owner switches went from %d to %d", held.OwnerSwitches, now.OwnerSwitches)
		}
	}},
	{name: "renew is refused to whoever does not hold the lease", run: func(b *bench) {
		_, err := b.renew(b.owned(key, anna), bert)
		b.is(err, checkpoint.ErrFenced)
	}},
	{name: "renew is refused when the counter has moved", run: func(b *bench) {
		held := b.owned(key, anna)
		_, err := b.renew(held, anna)
		b.must(err)
		_, err = b.renew(held, anna)
		b.is(err, checkpoint.ErrFenced)
	}},
}

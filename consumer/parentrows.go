package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// otherParents has a row stand for every parent of the shards whose rows are made
// with the end of this one. After a merge, the other parent may have none yet, as
// its own parent is still read. A worker of this library waits for it all the same;
// one of KCL, beside it or after it, takes a parent without a row for one that is
// over, and would read the child first.
func (t *tenure) otherParents(children []shard.Shard) error {
	var others []string
	for _, child := range children {
		for _, parent := range child.Parents {
			if parent != t.branch.id {
				others = append(others, parent)
			}
		}
	}
	for try := 1; len(others) > 0; try++ {
		missing, err := t.worker.anyWithoutRow(t.life, others)
		if err == nil && missing {
			err = t.worker.createAbove(t.life, t.branch, children)
		}
		if err == nil {
			return nil
		}
		t.worker.log.Debug("rows of the other parents", "shard", t.branch.id, "error", err)
		if err := clock.Sleep(t.life, backoff(t.worker.dice, try, 100*time.Millisecond, 5*time.Second, "parents", t.branch.id)); err != nil {
			return err
		}
	}
	return nil
}

// anyWithoutRow reports whether one of these shards has no row.
func (w *worker) anyWithoutRow(ctx context.Context, ids []string) (bool, error) {
	for _, id := range ids {
		_, err := tableCall(ctx, w, func(ctx context.Context) (shard.Lease, error) { return w.cfg.Leases.Get(ctx, id) })
		if errors.Is(err, checkpoint.ErrNoLease) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// createAbove makes the rows that are missing above some shards. Those that may
// have stood before are left to the maintenance, which waits for their owners.
func (w *worker) createAbove(ctx context.Context, b branch, children []shard.Shard) error {
	epoch, err := tableCall(ctx, w, w.cfg.Leases.Begin)
	if err != nil {
		return err
	}
	listed, err := b.list(ctx)
	if err != nil {
		return err
	}
	rows, err := w.cfg.Leases.List(ctx) // after the listing: see shard.NewLineage
	if err != nil {
		return err
	}
	mine, _, _ := shard.SplitID(b.id)
	rows = slices.DeleteFunc(rows, func(row shard.Lease) bool {
		of, _, _ := shard.SplitID(row.Key)
		return of != mine
	})
	var first []shard.Lease
	for _, row := range shard.NewLineage(listed, rows).FirstOf(children, b.start, b.stream) {
		if row.CreatedFrom != "repair" {
			first = append(first, row)
		}
	}
	if len(first) == 0 {
		return nil
	}
	w.log.Info("lease rows created", "rows", len(first))
	return w.cfg.Leases.Create(ctx, epoch, first)
}

package checkpointtest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

var _ checkpoint.Moves = (*Table)(nil)

// movable says what is wrong with a place that no row can be moved to by hand.
func movable(key string, p checkpoint.Progress) error {
	if len(p.States)+len(p.Effects) > 0 || p.Suspect != (shard.Position{}) {
		return fmt.Errorf("move %s: a moved position has neither states, effects nor a suspect", key)
	}
	for _, at := range append(slices.Collect(maps.Values(p.Marks)), p.Position) {
		if err := at.Validate(); err != nil {
			return fmt.Errorf("move %s: %w", key, err)
		}
	}
	return nil
}

// relocate moves a position by hand.
func relocate(row *shard.Lease, p checkpoint.Progress) {
	row.Checkpoint, row.Marks = stored(p.Position), storedMarks(p.Marks)
	row.LastArrival, row.ReadUpTo = inMillis(p.Arrived), inMillis(p.ReadUpTo)
	row.Suspect, row.SuspectCrashes, row.SuspectHandler, row.OwnerSwitches = shard.Position{}, 0, "", 0
	row.Counter++
	row.SeekGen++
}

// Seek implements checkpoint.Moves.
func (t *Table) Seek(ctx context.Context, seen shard.Lease, to shard.Position) (shard.Lease, error) {
	p := checkpoint.Progress{Position: to}
	if err := movable(seen.Key, p); err != nil {
		return shard.Lease{}, err
	}
	if to.IsEnd() {
		return shard.Lease{}, fmt.Errorf("seek %s: the end of a shard is reached and not sought", seen.Key)
	}
	return t.change(ctx, "seek", "", seen.Key, func(row shard.Lease) bool {
		return row.Counter == seen.Counter && row.CheckpointOwner == "" && !row.Finished()
	}, func(row *shard.Lease) { relocate(row, p) })
}

// rewriteAtOnce is how many rows a Rewrite writes at a time, as in DynamoDB.
const rewriteAtOnce = 99

// seeks is how far the seek generation of a row that a move makes lies above
// those of the rows before it.
const seeks = 1_000_000

// Rewrite implements checkpoint.Moves.
func (t *Table) Rewrite(ctx context.Context, epoch int64, move string, rows []checkpoint.Rewrite) error {
	for _, r := range rows {
		if err := movable(r.Row.Key, r.To); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(rows, rewriteAtOnce) {
		if err := t.rewriteSome(ctx, epoch, move, some); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) rewriteSome(ctx context.Context, epoch int64, move string, rows []checkpoint.Rewrite) error {
	return t.call(ctx, "rewrite", "", func() error {
		switch {
		case move == "" || t.control.Move.ID != move:
			return fmt.Errorf("rewrite leases: %w", checkpoint.ErrMoveOver)
		case epoch != t.epoch:
			return fmt.Errorf("rewrite leases in run %d: %w", epoch, checkpoint.ErrEpochOver)
		}
		for _, r := range rows {
			row, there := t.rows[r.Row.Key]
			same := row.Counter == r.Row.Counter && row.Owner == r.Row.Owner && row.CheckpointOwner == r.Row.CheckpointOwner
			if r.Create == there || there && !same {
				return t.conflict("rewrite", r.Row.Key)
			}
		}
		for _, r := range rows {
			row := t.rows[r.Row.Key]
			if r.Create {
				row = storedLease(r.Row)
				row.Counter, row.SeekGen = max(row.Counter, epoch*tenures)-1, max(row.SeekGen, epoch*seeks)-1
				if row.CreatedFrom == "" {
					row.CreatedFrom = "repair"
				}
			}
			relocate(&row, r.To)
			row.Owner, row.CheckpointOwner, row.Lost = "", "", false
			t.put(r.Row.Key, row)
		}
		return nil
	})
}

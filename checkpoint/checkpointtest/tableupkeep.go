package checkpointtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Begin implements checkpoint.Upkeep.
func (t *Table) Begin(ctx context.Context) (int64, error) {
	var epoch int64 // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "begin", "", func() error {
		t.epoch++
		epoch = t.epoch
		return nil
	})
	if err != nil {
		return 0, err
	}
	return epoch, nil
}

// Create implements checkpoint.Upkeep.
func (t *Table) Create(ctx context.Context, epoch int64, rows []shard.Lease) error {
	return t.call(ctx, "create", "", func() error {
		if epoch != t.epoch && len(rows) > 0 {
			return fmt.Errorf("create %d leases in run %d: %w", len(rows), epoch, checkpoint.ErrEpochOver)
		}
		for _, l := range rows {
			if _, there := t.rows[l.Key]; there {
				continue
			}
			if l.CreatedFrom == "repair" {
				l.Counter = max(l.Counter, epoch*tenures)
			}
			t.put(l.Key, storedLease(l))
		}
		return nil
	})
}

// Delete implements checkpoint.Upkeep.
func (t *Table) Delete(ctx context.Context, epoch int64, seen shard.Lease) error {
	return t.callFor(ctx, Call{Op: "delete", Key: seen.Key}, func() error {
		if epoch != t.epoch {
			return fmt.Errorf("delete %s in run %d: %w", seen.Key, epoch, checkpoint.ErrEpochOver)
		}
		if row, there := t.rows[seen.Key]; !there || !row.Finished() || row.Counter != seen.Counter {
			return t.conflict("delete", seen.Key)
		}
		t.drop(seen.Key)
		return nil
	})
}

// Drop implements checkpoint.Upkeep.
func (t *Table) Drop(ctx context.Context, epoch int64, seen shard.Lease) error {
	return t.callFor(ctx, Call{Op: "drop", Key: seen.Key}, func() error {
		if epoch != t.epoch {
			return fmt.Errorf("drop %s in run %d: %w", seen.Key, epoch, checkpoint.ErrEpochOver)
		}
		row, there := t.rows[seen.Key]
		if !there || row.Counter != seen.Counter || row.Owner != seen.Owner || row.CheckpointOwner != seen.CheckpointOwner {
			return t.conflict("drop", seen.Key)
		}
		t.drop(seen.Key)
		return nil
	})
}

// Bury implements checkpoint.Upkeep.
func (t *Table) Bury(ctx context.Context, dead shard.Session) error {
	return t.callFor(ctx, Call{Op: "bury", Key: dead.ID}, func() error {
		if row, there := t.sessions[dead.ID]; there && row.Alive() {
			return &checkpoint.Conflict{Write: "bury", Key: dead.ID, Exists: true, Row: shard.Lease{Key: dead.ID}}
		}
		delete(t.sessions, dead.ID)
		return nil
	})
}

// storedLease is a lease as a table gives it back: positions in their written
// form, sets in order, times in milliseconds.
func storedLease(l shard.Lease) shard.Lease {
	if l.Shard == "" {
		l.Shard = l.Key
	}
	l.Checkpoint, l.Marks = stored(l.Checkpoint), storedMarks(l.Marks)
	if l.Suspect != (shard.Position{}) {
		l.Suspect = stored(l.Suspect)
	}
	l.Parents, l.Children = slices.Sorted(slices.Values(l.Parents)), slices.Sorted(slices.Values(l.Children))
	l.StreamCreated, l.LastArrival, l.ReadUpTo = inMillis(l.StreamCreated), inMillis(l.LastArrival), inMillis(l.ReadUpTo)
	return l
}

// stored is a position as a table gives it back.
func stored(p shard.Position) shard.Position {
	p.Sequence, p.At = sequenceOf(p), inMillis(p.At)
	if !p.IsLatest() && !p.IsAtTime() {
		p.At = time.Time{}
	}
	return p
}

// storedMarks are marks as a table gives them back: none is nil.
func storedMarks(marks map[string]shard.Position) map[string]shard.Position {
	if len(marks) == 0 {
		return nil
	}
	all := make(map[string]shard.Position, len(marks))
	for handler, at := range marks {
		all[handler] = stored(at)
	}
	return all
}

func sequenceOf(p shard.Position) string {
	if p.Sequence == "" {
		return shard.TrimHorizon().Sequence
	}
	return p.Sequence
}

func inMillis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// copied is a lease whose slices and maps nobody else has.
func copied(l shard.Lease) shard.Lease {
	l.Parents, l.Children, l.Marks = slices.Clone(l.Parents), slices.Clone(l.Children), maps.Clone(l.Marks)
	return l
}

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

// List implements checkpoint.Rows, in the order of the keys.
func (t *Table) List(ctx context.Context) ([]shard.Lease, error) {
	var all []shard.Lease // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "list", "", func() error {
		for _, key := range slices.Sorted(maps.Keys(t.rows)) {
			all = append(all, copied(t.rows[key]))
		}
		return nil
	})
	if err != nil {
		var none []shard.Lease
		return none, err
	}
	return all, nil
}

// Owned implements checkpoint.Rows. Like an index by owner it does not know
// checkpoint owners.
func (t *Table) Owned(ctx context.Context, worker string) ([]string, error) {
	var keys []string // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "owned", worker, func() error {
		for _, key := range slices.Sorted(maps.Keys(t.rows)) {
			if t.rows[key].Owner == worker {
				keys = append(keys, key)
			}
		}
		return nil
	})
	if err != nil {
		var none []string
		return none, err
	}
	return keys, nil
}

// Get implements checkpoint.Rows.
func (t *Table) Get(ctx context.Context, key string) (shard.Lease, error) {
	var l shard.Lease // not a result: a late call writes it when nobody reads any more
	err := t.callFor(ctx, Call{Op: "get", Key: key}, func() error {
		row, there := t.rows[key]
		if !there {
			return fmt.Errorf("read %s: %w", key, checkpoint.ErrNoLease)
		}
		l = copied(row)
		return nil
	})
	if err != nil {
		var none shard.Lease
		return none, err
	}
	return l, nil
}

// change writes one row, if it is there and may be written.
func (t *Table) change(ctx context.Context, op, caller, key string, may func(shard.Lease) bool, edit func(*shard.Lease)) (now shard.Lease, err error) {
	return t.advance(ctx, op, caller, key, may, edit, checkpoint.Progress{})
}

// advance writes one row, and what belongs to its progress in the same moment.
func (t *Table) advance(ctx context.Context, op, caller, key string, may func(shard.Lease) bool, edit func(*shard.Lease), p checkpoint.Progress) (shard.Lease, error) {
	var now shard.Lease // not a result: a late call writes it when nobody reads any more
	if err := possible(p); err != nil {
		return shard.Lease{}, fmt.Errorf("%s %s: %w", op, key, err)
	}
	err := t.callFor(ctx, Call{Op: op, Caller: caller, Key: key}, func() error {
		row, there := t.rows[key]
		if !there || !may(row) {
			return t.conflict(op, key)
		}
		if err := t.keep(key, p); err != nil {
			return fmt.Errorf("%s %s: %w", op, key, err)
		}
		edit(&row)
		t.put(key, row)
		now = copied(row)
		return nil
	})
	if err != nil {
		return shard.Lease{}, err
	}
	return now, nil
}

// Take implements checkpoint.Rows.
func (t *Table) Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error) {
	return t.change(ctx, "take", me, seen.Key, func(row shard.Lease) bool {
		if absent != "" {
			if _, there := t.sessions[absent]; there {
				return false
			}
		}
		return row.Counter == seen.Counter && row.Owner == seen.Owner && row.CheckpointOwner == seen.CheckpointOwner
	}, func(row *shard.Lease) {
		row.Owner, row.CheckpointOwner = me, ""
		row.Counter++
		row.OwnerSwitches++
	})
}

// canWrite is the right to write a lease's position.
func canWrite(held shard.Lease, me string) func(shard.Lease) bool {
	return func(row shard.Lease) bool {
		return row.Counter == held.Counter && sequenceOf(row.Checkpoint) == sequenceOf(held.Checkpoint) && row.Holder() == me
	}
}

// move writes progress.
func move(row *shard.Lease, held shard.Lease, p checkpoint.Progress) {
	was := row.Checkpoint
	row.Checkpoint = stored(p.Position)
	if (was.IsLatest() || was.IsAtTime()) && (row.Checkpoint.IsLatest() || row.Checkpoint.IsAtTime()) && row.Checkpoint.At.IsZero() {
		row.Checkpoint.At = was.At
	}
	switch {
	case !p.Arrived.IsZero():
		row.LastArrival = inMillis(p.Arrived)
	case p.Position.Compare(held.Checkpoint) != 0:
		row.LastArrival = time.Time{}
	}
	if !p.ReadUpTo.IsZero() {
		row.ReadUpTo = inMillis(p.ReadUpTo)
	}
	if p.Load > 0 {
		row.Load = p.Load
	}
	row.Marks = storedMarks(p.Marks)
	row.Suspect, row.SuspectCrashes, row.SuspectHandler = shard.Position{}, 0, ""
	if p.Suspect != (shard.Position{}) {
		row.Suspect, row.SuspectCrashes, row.SuspectHandler = stored(p.Suspect), p.SuspectCrashes, p.SuspectHandler
	}
	row.OwnerSwitches = 0
	row.Counter++
}

// sound says what is wrong with progress that no row may hold. AT_TIMESTAMP
// need not have a time: the row's own stays.
func sound(p checkpoint.Progress) error {
	for _, at := range slices.Concat([]shard.Position{p.Position, p.Suspect}, slices.Collect(maps.Values(p.Marks))) {
		if err := at.Validate(); err != nil && !at.IsAtTime() {
			return err
		}
	}
	return nil
}

// Save implements checkpoint.Rows.
func (t *Table) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	if err := sound(p); err != nil {
		return shard.Lease{}, fmt.Errorf("save %s: %w", held.Key, err)
	}
	return t.advance(ctx, "save", me, held.Key, canWrite(held, me), func(row *shard.Lease) { move(row, held, p) }, p)
}

// Ask implements checkpoint.Rows.
func (t *Table) Ask(ctx context.Context, seen shard.Lease, to string) (shard.Lease, error) {
	if seen.Owner == "" || to == "" {
		return shard.Lease{}, fmt.Errorf("ask for %s: a hand-over goes from an owner (%q) to another (%q)", seen.Key, seen.Owner, to)
	}
	return t.change(ctx, "ask", "", seen.Key, func(row shard.Lease) bool {
		return row.Owner == seen.Owner && row.CheckpointOwner == "" && !row.Finished()
	}, func(row *shard.Lease) { row.Owner, row.CheckpointOwner = to, seen.Owner })
}

// Withdraw implements checkpoint.Rows.
func (t *Table) Withdraw(ctx context.Context, seen shard.Lease) (shard.Lease, error) {
	if seen.CheckpointOwner == "" {
		return shard.Lease{}, fmt.Errorf("withdraw %s: no hand-over was asked for", seen.Key)
	}
	return t.change(ctx, "withdraw", "", seen.Key, func(row shard.Lease) bool {
		return row.Owner == seen.Owner && row.CheckpointOwner == seen.CheckpointOwner && row.Counter == seen.Counter
	}, func(row *shard.Lease) { row.Owner, row.CheckpointOwner = seen.CheckpointOwner, "" })
}

// Refuse implements checkpoint.Rows.
func (t *Table) Refuse(ctx context.Context, held shard.Lease, me string) (shard.Lease, error) {
	return t.change(ctx, "refuse", me, held.Key, func(row shard.Lease) bool {
		return row.Counter == held.Counter && row.CheckpointOwner == me
	}, func(row *shard.Lease) {
		row.Owner, row.CheckpointOwner = me, ""
		row.Counter++
	})
}

// Finish implements checkpoint.Rows.
func (t *Table) Finish(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	if err := sound(p); err != nil {
		return shard.Lease{}, fmt.Errorf("finish %s: %w", held.Key, err)
	}
	return t.advance(ctx, "finish", me, held.Key, func(row shard.Lease) bool {
		return row.Counter == held.Counter && row.CheckpointOwner == me
	}, func(row *shard.Lease) {
		move(row, held, p)
		row.CheckpointOwner = ""
	}, p)
}

// Release implements checkpoint.Rows.
func (t *Table) Release(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress, to string) (shard.Lease, error) {
	if err := sound(p); err != nil {
		return shard.Lease{}, fmt.Errorf("release %s: %w", held.Key, err)
	}
	return t.advance(ctx, "release", me, held.Key, canWrite(held, me), func(row *shard.Lease) {
		move(row, held, p)
		row.Owner, row.CheckpointOwner = to, ""
	}, p)
}

// End implements checkpoint.Rows.
func (t *Table) End(ctx context.Context, held shard.Lease, me string, children []shard.Shard, lost bool) (shard.Lease, error) {
	return t.change(ctx, "end", me, held.Key, canWrite(held, me), func(row *shard.Lease) {
		row.Checkpoint, row.Lost = shard.End(), row.Lost || lost
		row.Suspect, row.SuspectCrashes, row.SuspectHandler, row.OwnerSwitches = shard.Position{}, 0, "", 0
		row.Marks = nil
		row.Counter++
		if len(children) > 0 {
			row.Children = nil
		}
		for _, c := range children {
			row.Children = append(row.Children, c.ID)
			t.upsert(c.ID, c, held)
		}
		slices.Sort(row.Children)
	})
}

// upsert makes a child's row where there is none, and fills in what a row that
// is there lacks.
func (t *Table) upsert(key string, c shard.Shard, parent shard.Lease) {
	row, there := t.rows[key]
	if !there {
		row = shard.Lease{Key: key, Shard: c.ID, Checkpoint: shard.TrimHorizon()}
	}
	if row.CreatedFrom == "" {
		row.CreatedFrom = "child"
	}
	if len(row.Parents) == 0 {
		row.Parents = slices.Sorted(slices.Values(c.Parents))
	}
	if row.Hashes == (shard.HashRange{}) {
		row.Hashes = c.Hashes
	}
	if row.StreamCreated.IsZero() {
		row.StreamCreated = inMillis(parent.StreamCreated)
	}
	t.put(key, row)
}

// tenures is how far the counters of two rows put back lie apart.
const tenures = 1_000_000_000

// PutBack implements checkpoint.Rows.
func (t *Table) PutBack(ctx context.Context, lost shard.Lease, me string) (shard.Lease, error) {
	var now shard.Lease // not a result: a late call writes it when nobody reads any more
	err := t.callFor(ctx, Call{Op: "putback", Caller: me, Key: lost.Key}, func() error {
		if _, there := t.rows[lost.Key]; there {
			return t.conflict("put back", lost.Key)
		}
		if s, there := t.sessions[me]; !there || !s.Alive() {
			return fmt.Errorf("put back %s: %w", lost.Key, checkpoint.ErrSessionOver)
		}
		t.epoch = max(t.epoch, lost.Counter/tenures) + 1
		row := storedLease(lost)
		row.Owner, row.CheckpointOwner, row.OwnerSwitches, row.CreatedFrom = me, "", 0, "repair"
		row.Counter = t.epoch * tenures
		t.put(lost.Key, row)
		now = copied(row)
		return nil
	})
	if err != nil {
		return shard.Lease{}, err
	}
	return now, nil
}

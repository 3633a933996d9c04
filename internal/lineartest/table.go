package lineartest

import (
	"context"
	"errors"
	"fmt"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Leases is a lease table that can be recorded: with the move of one position by
// hand, as checkpoint.Moves has it.
type Leases interface {
	checkpoint.Leases
	// Seek moves the position of one row, as checkpoint.Moves says.
	Seek(ctx context.Context, seen shard.Lease, to shard.Position) (shard.Lease, error)
}

// Table is one client's view of a table, and records what it asks and is told.
// What it does not record (Prepare, Sessions, Owned, Tell, Forget) it passes on.
// A client asks one thing after the other.
type Table struct {
	Leases
	history *History
	client  int
}

// Record is a view for one client more.
func (h *History) Record(leases Leases) *Table {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients++
	return &Table{Leases: leases, history: h, client: h.clients - 1}
}

// conflictOf is the refusal that an error is.
func conflictOf(err error) (c *checkpoint.Conflict, refused bool) {
	refused = errors.As(err, &c)
	return c, refused
}

// told is what an error says.
func told(err error) (a answer, known bool) {
	conflict, isRefusal := conflictOf(err)
	switch {
	case err == nil:
		return answer{verdict: done}, true
	case isRefusal:
		a.verdict = refused
		if conflict.Exists && conflict.Row.Key != "" {
			r := rowOf(conflict.Row)
			a.row = &r
		}
		return a, true
	case errors.Is(err, checkpoint.ErrSessionOver):
		return answer{verdict: sessionOver}, true
	case errors.Is(err, checkpoint.ErrEpochOver):
		return answer{verdict: epochOver}, true
	case errors.Is(err, checkpoint.ErrNoLease), errors.Is(err, checkpoint.ErrNoSession):
		return answer{verdict: absent}, true
	}
	return answer{}, false
}

// write records a write. In a transaction all attempts have one token, so that
// a success means that one of them was applied, once.
func (t *Table) write(ctx context.Context, text, key string, transaction bool, do call, send func(context.Context) (shard.Lease, error)) (shard.Lease, error) {
	ctx, seen := watched(ctx)
	called := t.history.tick()
	now, err := send(ctx)
	a, known := told(err)
	if known && a.verdict == done && now.Key != "" {
		r := rowOf(now)
		a.row = &r
	}
	reread := known && seen.last == "GetItem"
	if reread {
		// The row was read behind the write, and belongs to an instant of its own.
		read := answer{verdict: absent}
		if a.row != nil {
			read = answer{verdict: done, row: a.row}
		}
		if a.verdict == refused || a.verdict == done {
			t.history.answered(t.client, called, "read "+key, get(key), read)
		}
		if seen.applied {
			a.verdict = done // whatever was read since
		}
		a.row = nil
	}
	switch {
	case !known && seen.applied:
		t.history.answered(t.client, called, text, do, answer{verdict: done})
	case !known && seen.sent == 0:
		t.history.lost(t.client, called, text, do, 1)
		return now, err
	case known:
		t.history.answered(t.client, called, text, do, a)
	}
	if !transaction || a.verdict != done && !seen.applied {
		t.history.lost(t.client, called, text, do, seen.unheard)
	}
	return now, err
}

// row is a write of one row.
func (t *Table) row(ctx context.Context, text string, as shard.Lease, transaction bool, do call, send func(context.Context) (shard.Lease, error)) (shard.Lease, error) {
	return t.write(ctx, fmt.Sprintf("%s, having seen %s", text, as), as.Key, transaction, do, send)
}

// other is a write that answers no row.
func (t *Table) other(ctx context.Context, text, key string, transaction bool, do call, send func(context.Context) error) error {
	_, err := t.write(ctx, text, key, transaction, do, func(ctx context.Context) (shard.Lease, error) { return shard.Lease{}, send(ctx) })
	return err
}

// Get implements checkpoint.Rows.
func (t *Table) Get(ctx context.Context, key string) (shard.Lease, error) {
	called := t.history.tick()
	l, err := t.Leases.Get(ctx, key)
	if a, known := told(err); known {
		if err == nil {
			r := rowOf(l)
			a.row = &r
		}
		t.history.answered(t.client, called, "read "+key, get(key), a)
	}
	return l, err
}

// List implements checkpoint.Rows. Each of the rows was read at an instant of its
// own, for a scan is no snapshot; that a row is missing proves nothing.
func (t *Table) List(ctx context.Context) ([]shard.Lease, error) {
	called := t.history.tick()
	all, err := t.Leases.List(ctx)
	for _, l := range all {
		r := rowOf(l)
		t.history.answered(t.client, called, "list "+l.Key, get(l.Key), answer{verdict: done, row: &r})
	}
	return all, err
}

// Take implements checkpoint.Rows.
func (t *Table) Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error) {
	text := me + " takes"
	if absent != "" {
		text += " from the absent " + absent
	}
	return t.row(ctx, text, seen, absent != "", take(seen, me, absent), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Take(ctx, seen, me, absent)
	})
}

// Save implements checkpoint.Rows.
func (t *Table) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	return t.row(ctx, fmt.Sprintf("%s saves %s", me, p.Position), held, len(p.States)+len(p.Effects) > 0, save(held, me, p), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Save(ctx, held, me, p)
	})
}

// Ask implements checkpoint.Rows.
func (t *Table) Ask(ctx context.Context, seen shard.Lease, to string) (shard.Lease, error) {
	return t.row(ctx, "asks for "+to, seen, false, ask(seen, to), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Ask(ctx, seen, to)
	})
}

// Withdraw implements checkpoint.Rows.
func (t *Table) Withdraw(ctx context.Context, seen shard.Lease) (shard.Lease, error) {
	return t.row(ctx, "withdraws", seen, false, withdraw(seen), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Withdraw(ctx, seen)
	})
}

// Refuse implements checkpoint.Rows.
func (t *Table) Refuse(ctx context.Context, held shard.Lease, me string) (shard.Lease, error) {
	return t.row(ctx, me+" refuses", held, false, refuse(held, me), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Refuse(ctx, held, me)
	})
}

// Finish implements checkpoint.Rows.
func (t *Table) Finish(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	return t.row(ctx, fmt.Sprintf("%s finishes at %s", me, p.Position), held, len(p.States)+len(p.Effects) > 0, finish(held, me, p), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Finish(ctx, held, me, p)
	})
}

// Release implements checkpoint.Rows.
func (t *Table) Release(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress, to string) (shard.Lease, error) {
	return t.row(ctx, fmt.Sprintf("%s releases at %s to %q", me, p.Position, to), held, len(p.States)+len(p.Effects) > 0, release(held, me, p, to), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Release(ctx, held, me, p, to)
	})
}

// End implements checkpoint.Rows.
func (t *Table) End(ctx context.Context, held shard.Lease, me string, children []shard.Shard, lost bool) (shard.Lease, error) {
	return t.row(ctx, me+" ends the shard", held, true, end(held, me, children, lost), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.End(ctx, held, me, children, lost)
	})
}

// PutBack implements checkpoint.Rows.
func (t *Table) PutBack(ctx context.Context, lost shard.Lease, me string) (shard.Lease, error) {
	return t.row(ctx, me+" puts back", lost, true, putBack(lost, me), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.PutBack(ctx, lost, me)
	})
}

// Seek implements checkpoint.Moves.
func (t *Table) Seek(ctx context.Context, seen shard.Lease, to shard.Position) (shard.Lease, error) {
	return t.row(ctx, fmt.Sprintf("seek %s", to), seen, false, seek(seen, to), func(ctx context.Context) (shard.Lease, error) {
		return t.Leases.Seek(ctx, seen, to)
	})
}

package lineartest

import (
	"context"
	"fmt"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Register implements checkpoint.Sessions.
func (t *Table) Register(ctx context.Context, s shard.Session) error {
	return t.session(ctx, "register "+s.ID, s.ID, register(s.ID), func(ctx context.Context) error {
		return t.Leases.Register(ctx, s)
	})
}

// Heartbeat implements checkpoint.Sessions.
func (t *Table) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	ctx, seen := watched(ctx)
	called := t.history.tick()
	now, err := t.Leases.Heartbeat(ctx, s)
	text, do := "heartbeat of "+s.ID, heartbeat(s.ID)
	a, known := told(err)
	switch {
	case err == nil:
		a.session = &session{beat: now.Beat, revokedBy: now.RevokedBy}
		fallthrough
	case known:
		t.history.answered(t.client, called, text, do, a)
	case seen.sent == 0:
		t.history.lost(t.client, called, text, do, 1)
	}
	t.history.lost(t.client, called, text, do, seen.unheard)
	return now, err
}

// Session implements checkpoint.Sessions.
func (t *Table) Session(ctx context.Context, id string) (shard.Session, error) {
	called := t.history.tick()
	s, err := t.Leases.Session(ctx, id)
	if a, known := told(err); known {
		if err == nil {
			a.session = &session{beat: s.Beat, revokedBy: s.RevokedBy}
		}
		t.history.answered(t.client, called, "read session "+id, readSession(id), a)
	}
	return s, err
}

// Revoke implements checkpoint.Sessions.
func (t *Table) Revoke(ctx context.Context, seen shard.Session, by string) error {
	return t.session(ctx, fmt.Sprintf("%s revokes %s, having seen beat %d", by, seen.ID, seen.Beat), seen.ID, revoke(seen, by), func(ctx context.Context) error {
		return t.Leases.Revoke(ctx, seen, by)
	})
}

// Leave implements checkpoint.Sessions.
func (t *Table) Leave(ctx context.Context, id string) error {
	return t.session(ctx, id+" leaves", id, leave(id), func(ctx context.Context) error { return t.Leases.Leave(ctx, id) })
}

// Bury implements checkpoint.Upkeep.
func (t *Table) Bury(ctx context.Context, dead shard.Session) error {
	return t.session(ctx, "bury "+dead.ID, dead.ID, bury(dead.ID), func(ctx context.Context) error { return t.Leases.Bury(ctx, dead) })
}

// session is a write to a session row that may read it again to say why it was
// refused. What it read is not told, so that the refusal alone counts.
func (t *Table) session(ctx context.Context, text, id string, do call, send func(context.Context) error) error {
	ctx, seen := watched(ctx)
	called := t.history.tick()
	err := send(ctx)
	a, known := told(err)
	switch {
	case known && err == nil && seen.last == "GetItem": // refused, and then there was none
		t.history.answered(t.client, called, text+", and finds none", readSession(id), answer{verdict: absent})
	case known:
		a.row = nil
		t.history.answered(t.client, called, text, do, a)
	case seen.sent == 0:
		t.history.lost(t.client, called, text, do, 1)
	}
	t.history.lost(t.client, called, text, do, seen.unheard)
	return err
}

// Begin implements checkpoint.Upkeep.
func (t *Table) Begin(ctx context.Context) (int64, error) {
	ctx, seen := watched(ctx)
	called := t.history.tick()
	epoch, err := t.Leases.Begin(ctx)
	switch {
	case err == nil:
		t.history.answered(t.client, called, "begin", begin, answer{verdict: done, epoch: epoch})
	case seen.sent == 0:
		t.history.lost(t.client, called, "begin", begin, 1)
	}
	t.history.lost(t.client, called, "begin", begin, seen.unheard)
	return epoch, err
}

// Create implements checkpoint.Upkeep. Rows are created some at a time, and those
// that exist are left out of the next attempt: each has an instant of its own.
func (t *Table) Create(ctx context.Context, epoch int64, rows []shard.Lease) error {
	ctx, seen := watched(ctx)
	called := t.history.tick()
	err := t.Leases.Create(ctx, epoch, rows)
	for i, l := range rows {
		text, do := fmt.Sprintf("create %s in run %d", l, epoch), create(epoch, l)
		a, known := told(err)
		switch {
		case err == nil:
			t.history.answered(t.client, called, text, do, a)
			continue
		case known && i == 0: // one of them met the end of the run, after others or before
			t.history.answered(t.client, called, text, do, a)
		}
		requests := seen.unheard
		if seen.sent == 0 || len(rows) > 1 {
			requests++ // it may be among those that came before the failure
		}
		t.history.lost(t.client, called, text, do, requests)
	}
	return err
}

// Delete implements checkpoint.Upkeep.
func (t *Table) Delete(ctx context.Context, epoch int64, seen shard.Lease) error {
	return t.other(ctx, fmt.Sprintf("delete %s in run %d", seen, epoch), seen.Key, true, remove(epoch, seen.Key, func(r row) bool {
		return r.finished() && r.counter == seen.Counter
	}), func(ctx context.Context) error { return t.Leases.Delete(ctx, epoch, seen) })
}

// Drop implements checkpoint.Upkeep.
func (t *Table) Drop(ctx context.Context, epoch int64, seen shard.Lease) error {
	return t.other(ctx, fmt.Sprintf("drop %s in run %d", seen, epoch), seen.Key, true, remove(epoch, seen.Key, func(r row) bool {
		return r.seen(seen)
	}), func(ctx context.Context) error { return t.Leases.Drop(ctx, epoch, seen) })
}

var _ checkpoint.Leases = (*Table)(nil)

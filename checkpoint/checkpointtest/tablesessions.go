package checkpointtest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Register implements checkpoint.Sessions.
func (t *Table) Register(ctx context.Context, s shard.Session) error {
	return t.callFor(ctx, Call{Op: "register", Caller: s.ID, Key: s.ID}, func() error {
		if _, taken := t.sessions[s.ID]; taken {
			return &checkpoint.Conflict{Write: "register", Key: s.ID, Exists: true, Row: shard.Lease{Key: s.ID}}
		}
		t.sessions[s.ID] = copiedSession(s)
		return nil
	})
}

// Heartbeat implements checkpoint.Sessions.
func (t *Table) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	var now shard.Session // not a result: a late call writes it when nobody reads any more
	err := t.callFor(ctx, Call{Op: "heartbeat", Caller: s.ID, Key: s.ID}, func() error {
		return t.changeSession("heartbeat", s.ID, false, func(row *shard.Session) {
			row.Beat++
			row.Load, row.Plans, row.Looks, row.Leaving, row.ShareGen = s.Load, s.Plans, s.Looks, s.Leaving, s.ShareGen
			now = copiedSession(*row)
		})
	})
	if err != nil {
		return shard.Session{}, err
	}
	return now, nil
}

// changeSession changes a session that exists and, unless even the revoked will
// do, lives.
func (t *Table) changeSession(write, id string, revoked bool, change func(*shard.Session)) error {
	row, there := t.sessions[id]
	if !there || !row.Alive() && !revoked {
		return fmt.Errorf("%s %s: %w", write, id, checkpoint.ErrSessionOver)
	}
	change(&row)
	t.sessions[id] = row
	return nil
}

// Session implements checkpoint.Sessions.
func (t *Table) Session(ctx context.Context, id string) (shard.Session, error) {
	var s shard.Session // not a result: a late call writes it when nobody reads any more
	err := t.callFor(ctx, Call{Op: "session", Key: id}, func() error {
		row, there := t.sessions[id]
		if !there {
			return fmt.Errorf("session %s: %w", id, checkpoint.ErrNoSession)
		}
		s = copiedSession(row)
		return nil
	})
	if err != nil {
		var none shard.Session
		return none, err
	}
	return s, nil
}

// Sessions implements checkpoint.Sessions, in the order of the ids.
func (t *Table) Sessions(ctx context.Context) ([]shard.Session, error) {
	var all []shard.Session // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "sessions", "", func() error {
		for _, id := range slices.Sorted(maps.Keys(t.sessions)) {
			all = append(all, copiedSession(t.sessions[id]))
		}
		return nil
	})
	if err != nil {
		var none []shard.Session
		return none, err
	}
	return all, nil
}

// Revoke implements checkpoint.Sessions.
func (t *Table) Revoke(ctx context.Context, seen shard.Session, by string) error {
	return t.callFor(ctx, Call{Op: "revoke", Caller: by, Key: seen.ID}, func() error {
		row, there := t.sessions[seen.ID]
		if !there || row.Beat != seen.Beat || !row.Alive() {
			return &checkpoint.Conflict{Write: "revoke", Key: seen.ID, Exists: there, Row: shard.Lease{Key: seen.ID}}
		}
		row.RevokedBy = by
		t.sessions[seen.ID] = row
		return nil
	})
}

// Leave implements checkpoint.Sessions.
func (t *Table) Leave(ctx context.Context, id string) error {
	return t.callFor(ctx, Call{Op: "leave", Caller: id, Key: id}, func() error {
		if row, there := t.sessions[id]; there && !row.Alive() {
			return fmt.Errorf("leave %s: %w", id, checkpoint.ErrSessionOver)
		}
		if len(t.sessions[id].Inbox) > 0 {
			return fmt.Errorf("leave %s: %w", id, checkpoint.ErrUnread)
		}
		delete(t.sessions, id)
		return nil
	})
}

// Tell implements checkpoint.Sessions.
func (t *Table) Tell(ctx context.Context, id string, h shard.Hint) error {
	return t.callFor(ctx, Call{Op: "tell", Key: id}, func() error {
		return t.changeSession("tell", id, false, func(row *shard.Session) {
			if !slices.Contains(row.Inbox, h) {
				row.Inbox = sortHints(append(slices.Clone(row.Inbox), h))
			}
		})
	})
}

// Forget implements checkpoint.Sessions.
func (t *Table) Forget(ctx context.Context, id string, hints []shard.Hint) error {
	return t.callFor(ctx, Call{Op: "forget", Caller: id, Key: id}, func() error {
		if len(hints) == 0 {
			return nil
		}
		return t.changeSession("forget", id, true, func(row *shard.Session) {
			row.Inbox = slices.DeleteFunc(slices.Clone(row.Inbox), func(h shard.Hint) bool { return slices.Contains(hints, h) })
			if len(row.Inbox) == 0 {
				row.Inbox = nil
			}
		})
	})
}

// sortHints gives hints the order of their text, as a set of strings has.
func sortHints(hints []shard.Hint) []shard.Hint {
	slices.SortFunc(hints, func(a, b shard.Hint) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return hints
}

func copiedSession(s shard.Session) shard.Session {
	s.Inbox = slices.Clone(s.Inbox)
	return s
}

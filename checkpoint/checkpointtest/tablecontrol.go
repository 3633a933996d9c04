package checkpointtest

import (
	"context"
	"maps"
	"slices"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Control implements checkpoint.Controls.
func (t *Table) Control(ctx context.Context) (shard.Control, error) {
	var c shard.Control // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "control", "", func() error {
		c = copiedControl(t.control)
		return nil
	})
	if err != nil {
		var none shard.Control
		return none, err
	}
	return c, nil
}

// SetControl implements checkpoint.Controls.
func (t *Table) SetControl(ctx context.Context, seen, next shard.Control) (shard.Control, error) {
	var now shard.Control // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "setcontrol", "", func() error {
		if t.control.Gen != seen.Gen {
			return &checkpoint.Conflict{Write: "set control", Key: "control", Exists: t.control.Gen > 0, Row: shard.Lease{Key: "control"}}
		}
		next.Gen = seen.Gen + 1
		t.control = copiedControl(next)
		now = copiedControl(next)
		return nil
	})
	if err != nil {
		return shard.Control{}, err
	}
	return now, nil
}

// SessionsNow implements checkpoint.Controls, in the order of the ids.
func (t *Table) SessionsNow(ctx context.Context) ([]shard.Session, error) {
	var all []shard.Session // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "sessionsnow", "", func() error {
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

// copiedControl shares nothing with c. What is empty is nil, as it is after it
// was read from a table.
func copiedControl(c shard.Control) shard.Control {
	c.Shares, c.Pauses = maps.Clone(c.Shares), slices.Clone(c.Pauses)
	if !c.Move.Active() {
		c.Move = shard.Move{}
	} else {
		c.Move.To, c.Move.Since = stored(c.Move.To), inMillis(c.Move.Since)
	}
	if len(c.Shares) == 0 {
		c.Shares = nil
	}
	if len(c.Pauses) == 0 {
		c.Pauses = nil
	}
	return c
}

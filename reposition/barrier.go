package reposition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// barrier is one go at a move of all shards:
//
//	announce   the move stands in the control row
//	wait       every live session says that it stands still, and no row is held
//	           by anybody who does not
//	rewrite    under a maintenance run that ends all others, some rows at a time
//	finish     the move is taken out of the control row
//
// Every write of it is conditional on its own id in the control row.
type barrier struct {
	*Mover
	id      string
	gen     int64 // from which on a session stands still
	rewrite func(context.Context) ([]checkpoint.Rewrite, error)
	watched map[string]watch
}

// watch is something that has not moved since it was first seen.
type watch struct {
	mark  string
	since time.Time
}

// begin makes a move from its beginning.
func (m *Mover) begin(ctx context.Context, kind Kind, what string, to shard.Position, rewrite func(context.Context) ([]checkpoint.Rewrite, error)) error {
	b := &barrier{Mover: m, id: string(kind) + "-" + newID(), rewrite: rewrite, watched: map[string]watch{}}
	move := shard.Move{ID: b.id, What: what, By: m.cfg.By, To: to, Since: time.Now()}
	err := b.announce(ctx, func(c shard.Control) (shard.Control, error) {
		if c.Move.Active() && c.Move.ID != b.id {
			return c, fmt.Errorf("%w: %s", ErrUnderway, c.Move)
		}
		c.Move = move
		return c, nil
	})
	return b.run(ctx, err)
}

// kindOf is what a move is, which its id tells.
func kindOf(move shard.Move) Kind {
	kind, _, _ := strings.Cut(move.ID, "-")
	return Kind(kind)
}

// takeOver goes on with somebody's move, who can write nothing more.
func (m *Mover) takeOver(ctx context.Context, move shard.Move, kind Kind, rewrite func(context.Context) ([]checkpoint.Rewrite, error)) error {
	b := &barrier{Mover: m, id: string(kind) + "-" + newID(), rewrite: rewrite, watched: map[string]watch{}}
	err := b.announce(ctx, func(c shard.Control) (shard.Control, error) {
		switch c.Move.ID {
		case b.id:
			return c, nil // the answer was lost
		case move.ID:
			c.Move.ID, c.Move.By = b.id, m.cfg.By
			return c, nil
		}
		return c, checkpoint.ErrMoveOver
	})
	return b.run(ctx, err)
}

// announce puts the move into the control row.
func (b *barrier) announce(ctx context.Context, change func(shard.Control) (shard.Control, error)) error {
	now, err := b.tell(ctx, change)
	b.gen = now.Gen
	b.report(now.Move)
	return err
}

func (b *barrier) report(move shard.Move) {
	if b.cfg.Report != nil && move.Active() {
		b.cfg.Report(move)
	}
}

// run does the rest of a move that is announced, or was not.
func (b *barrier) run(ctx context.Context, announced error) error {
	err := announced
	if err == nil {
		err = b.persist(ctx, b.still)
	}
	if err == nil {
		err = b.persist(ctx, b.write)
	}
	if err == nil {
		err = b.persist(ctx, b.finish)
	}
	if err == nil || errors.Is(err, ErrUnderway) || errors.Is(err, checkpoint.ErrMoveOver) {
		return err
	}
	// It may have been announced even if that was not answered.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch gaveUp := b.giveUp(late, b.id); {
	case gaveUp == nil:
		return fmt.Errorf("%w; the move was given up, and nothing has changed", err)
	case errors.Is(gaveUp, ErrHalfDone):
		return fmt.Errorf("%w: %w", ErrHalfDone, err)
	default:
		return fmt.Errorf("%w; the move could not be given up, and the fleet may stand still: %w", err, gaveUp)
	}
}

// still waits until nobody works any shard.
func (b *barrier) still(ctx context.Context) error {
	for try := 0; ; try++ {
		waits, err := b.working(ctx)
		if err == nil && waits == "" {
			return nil
		}
		if err != nil && final(err) {
			return err
		}
		if pause(ctx, try) != nil {
			if err != nil {
				return err
			}
			return fmt.Errorf("%w: %s", ErrNotStill, waits)
		}
	}
}

// working names somebody who may still work a shard; empty is nobody. Whoever
// comes later reads the control row before it takes anything.
func (b *barrier) working(ctx context.Context) (string, error) {
	c, err := b.table.Control(ctx)
	if err != nil {
		return "", err
	}
	if c.Move.ID != b.id {
		return "", checkpoint.ErrMoveOver
	}
	sessions, err := b.table.SessionsNow(ctx)
	if err != nil {
		return "", err
	}
	known, waits := map[string]bool{}, ""
	for _, s := range sessions {
		known[s.ID] = true
		if !s.Alive() || s.Version >= 2 && s.ShareGen >= b.gen {
			continue
		}
		waits = "worker " + s.ID + " has not said that it does"
		switch silent := b.silent("session "+s.ID, fmt.Sprint(s.Beat)); {
		case silent:
			err := b.rows.Revoke(ctx, s, b.cfg.By)
			if err != nil && !errors.Is(err, checkpoint.ErrFenced) {
				return "", err
			}
		case s.Version < 2:
			waits = "worker " + s.ID + " is of a version that does not know moves of all positions: stop it"
		}
	}
	if waits != "" {
		return waits, nil
	}
	rows, err := b.rows.List(ctx)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		// A holder with a session stands still or is dead.
		if holder := row.Holder(); holder != "" && !row.Finished() && !known[holder] && !b.silent("row "+row.Key, holder+" "+fmt.Sprint(row.Counter)) {
			waits = fmt.Sprintf("%s is held by %s, which has no session and may work it: stop it", row.Shard, holder)
		}
	}
	return waits, nil
}

// silent reports whether something has not moved for Config.Silence.
func (b *barrier) silent(what, mark string) bool {
	seen, ok := b.watched[what]
	if !ok || seen.mark != mark {
		b.watched[what] = watch{mark, time.Now()}
		return false
	}
	return time.Since(seen.since) >= b.cfg.Silence
}

// write rewrites the rows. What it finds written already, by itself or by whoever
// was at it before, it writes again: nobody has read from there since.
func (b *barrier) write(ctx context.Context) error {
	epoch, err := b.rows.Begin(ctx)
	if err != nil {
		return err
	}
	rows, err := b.rewrite(ctx)
	if err != nil {
		return err
	}
	done := 0
	for some := range slices.Chunk(rows, b.cfg.atOnce) {
		if err := b.note(ctx, done, len(rows)); err != nil {
			return err
		}
		if err := b.table.Rewrite(ctx, epoch, b.id, some); err != nil {
			return err
		}
		done += len(some)
	}
	return nil
}

// note says in the control row how far the move is. From the first time on it can
// not be given up.
func (b *barrier) note(ctx context.Context, done, total int) error {
	now, err := b.tell(ctx, func(c shard.Control) (shard.Control, error) {
		if c.Move.ID != b.id {
			return c, checkpoint.ErrMoveOver
		}
		c.Move.Writing, c.Move.Done, c.Move.Total = true, done, total
		return c, nil
	})
	b.report(now.Move)
	return err
}

// finish takes the move out of the control row.
func (b *barrier) finish(ctx context.Context) error {
	_, err := b.tell(ctx, func(c shard.Control) (shard.Control, error) {
		switch c.Move.ID {
		case b.id, "": // done, though the answer was lost
			c.Move = shard.Move{}
			return c, nil
		}
		return c, checkpoint.ErrMoveOver
	})
	return err
}

// tell changes the control row, as often as it takes, and returns what stands.
func (m *Mover) tell(ctx context.Context, change func(shard.Control) (shard.Control, error)) (now shard.Control, err error) {
	err = m.persist(ctx, func(ctx context.Context) error {
		seen, err := m.table.Control(ctx)
		if err != nil {
			return err
		}
		next, err := change(seen)
		if err != nil {
			return err
		}
		if now = seen; next.Move == seen.Move {
			return nil
		}
		now, err = m.table.SetControl(ctx, seen, next)
		return err
	})
	return now, err
}

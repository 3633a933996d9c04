package reposition

import (
	"context"
	"errors"
	"fmt"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Apply carries a plan out. It is ErrChanged if somebody moved a position since
// the plan was made, or if what was to be skipped would be repeated by now or the
// other way round; that the fleet got on meanwhile does not matter otherwise.
//
// One shard is moved by one write. For all shards the fleet is brought to a
// stand, which takes as long as its handlers run. If that does not come about, or
// ctx ends before a row was rewritten, the move is given up and nothing has
// changed; after that it is ErrHalfDone, and Resume goes on.
func (m *Mover) Apply(ctx context.Context, p *Plan) error {
	var err error
	switch {
	case p.Kind == KindFork:
		err = m.applyFork(ctx, p)
	case p.Shard != "":
		err = m.applyOne(ctx, p)
	default:
		err = m.applyAll(ctx, p)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.What(), err)
	}
	return nil
}

// applyOne moves one shard, live.
func (m *Mover) applyOne(ctx context.Context, p *Plan) error {
	step := p.Steps[0]
	var moved shard.Lease
	unsure := false
	err := m.persist(ctx, func(ctx context.Context) error {
		now, err := m.look(ctx)
		if err != nil {
			return err
		}
		if now.move.Active() {
			return fmt.Errorf("%w: %s", ErrUnderway, now.move)
		}
		row, there := now.byID[step.Shard]
		if there && unsure && row.SeekGen == step.seen.SeekGen+1 {
			moved = row // the answer was lost, and nothing else
			return nil
		}
		if err := same(step, row, there); err != nil {
			return err
		}
		if row.Finished() {
			return ErrFinished
		}
		// A hand-over that is asked for is over in a moment; until then this is a
		// conflict.
		moved, err = m.table.Seek(ctx, row, step.To)
		var conflict *checkpoint.Conflict
		switch {
		case !errors.As(err, &conflict):
			unsure = unsure || err != nil
		case conflict.Exists && conflict.Row.Counter == row.Counter+1 && conflict.Row.SeekGen == row.SeekGen+1 && conflict.Row.Checkpoint == step.To:
			moved = conflict.Row // the client's own retry met what it had written
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if holder := moved.Holder(); holder != "" {
		// Nothing hangs on it: the next save finds out.
		_ = m.rows.Tell(ctx, holder, shard.Hint{Kind: shard.HintSeek, Key: moved.Key, Counter: moved.Counter})
	}
	return nil
}

// same says whether a row is still the one that a step was planned for, in what
// matters.
func same(s Step, row shard.Lease, there bool) error {
	switch {
	case s.Row && !there:
		return fmt.Errorf("%w: the row of %s is gone", ErrChanged, s.Shard)
	case s.Row && row.SeekGen != s.seen.SeekGen:
		return fmt.Errorf("%w: somebody moved %s, which is at %s now", ErrChanged, s.Shard, row.Checkpoint)
	case s.Row && s.To.IsRecord() && s.From.IsRecord() && row.Checkpoint.IsRecord() && s.From.Compare(s.To) < 0 && row.Checkpoint.Compare(s.To) > 0:
		return fmt.Errorf("%w: %s was to skip to %s, and has come past it, to %s", ErrChanged, s.Shard, s.To, row.Checkpoint)
	}
	return nil
}

// applyAll moves every shard, with the fleet standing still.
func (m *Mover) applyAll(ctx context.Context, p *Plan) error {
	now, err := m.look(ctx)
	if err != nil {
		return err
	}
	if now.stream.ARN != p.stream.ARN || !now.stream.CreatedAt.Equal(p.stream.CreatedAt) {
		return fmt.Errorf("%w: it was made for another stream", ErrChanged)
	}
	for _, s := range p.Steps {
		row, there := now.byID[s.Shard]
		if err := same(s, row, there); err != nil {
			return err
		}
	}
	return m.begin(ctx, p.Kind, p.What(), p.To, m.rewriteAll(p.Kind, p.To))
}

// rewriteAll is what is written of every row, from what there is when the fleet
// stands still: shards that came since the plan begin there as well. The tip is
// that of this moment: a shard that was closed since the plan is taken for one that
// ended before the tip, and its records would be asked for and never read.
func (m *Mover) rewriteAll(kind Kind, to shard.Position) func(context.Context) ([]checkpoint.Rewrite, error) {
	return func(ctx context.Context) ([]checkpoint.Rewrite, error) {
		now, err := m.look(ctx)
		if err != nil {
			return nil, err
		}
		if to.IsLatest() {
			to.At = now.stream.Now
		}
		var rows []checkpoint.Rewrite
		for _, s := range stepsOf(kind, to, now) {
			if s.Do != ActLeave {
				rows = append(rows, checkpoint.Rewrite{Row: s.seen, Create: s.Do == ActCreate, To: checkpoint.Progress{Position: s.To}})
			}
		}
		return rows, nil
	}
}

// Resume goes on with a move of all shards that somebody left half done, or whose
// mover is still at it and is stopped by this. It is ErrNoMove if there is none. A
// fork is not resumed: it is made again, with force.
func (m *Mover) Resume(ctx context.Context) error {
	move, err := m.Underway(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("resume a move: %w", err)
	case !move.Active():
		return fmt.Errorf("resume a move: %w", ErrNoMove)
	}
	kind := kindOf(move)
	if kind == KindFork {
		return fmt.Errorf("resume %s: fork again, with force: the positions come from there", move.What)
	}
	if err := m.takeOver(ctx, move, kind, m.rewriteAll(kind, move.To)); err != nil {
		return fmt.Errorf("resume %s: %w", move.What, err)
	}
	return nil
}

// Abort gives up a move of all shards of which no row has been rewritten; the
// fleet goes on where it stood. It is ErrHalfDone if rows have been, and ErrNoMove
// if there is no move.
func (m *Mover) Abort(ctx context.Context) error {
	move, err := m.Underway(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("give up a move: %w", err)
	case !move.Active():
		return fmt.Errorf("give up a move: %w", ErrNoMove)
	}
	if err := m.giveUp(ctx, move.ID); err != nil {
		return fmt.Errorf("give up %s: %w", move.What, err)
	}
	return nil
}

// giveUp takes a move out of the control row if nothing has been rewritten.
func (m *Mover) giveUp(ctx context.Context, id string) error {
	_, err := m.tell(ctx, func(c shard.Control) (shard.Control, error) {
		switch {
		case c.Move.ID != id:
			return c, checkpoint.ErrMoveOver
		case c.Move.Writing:
			return c, ErrHalfDone
		}
		c.Move = shard.Move{}
		return c, nil
	})
	if errors.Is(err, checkpoint.ErrMoveOver) {
		return nil // given up already, or somebody else's
	}
	return err
}

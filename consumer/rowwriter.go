package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// rowWriter makes the conditional writes of one lease, one at a time, and turns
// every refusal and every lost answer into what it means.
type rowWriter struct {
	me    string
	table checkpoint.Leases
	limit time.Duration // for one call
	hooks *Hooks
	shard string
	right *right // counts the saves that were answered
	// parting is told of a write that is about to be sent, with the row it is made
	// of, after which that is not mine any more, or done.
	parting func(held shard.Lease)
}

// result is what a write came to.
type result struct {
	// row is the row that now stands, if it is still mine.
	row shard.Lease
	// verdict is Adopted if the worker may go on, with row, whether or not the
	// write was applied.
	verdict checkpoint.Verdict
	// gone is set with Lost if the row was deleted by somebody's hand.
	gone bool
	// answered tells that this very write was, and applied.
	answered bool
	// err is why the write was not answered, where the row says that it may not
	// have been applied.
	err error
	// refused is why the table took nothing of a save, where that has nothing to
	// do with the row: one of its effects was refused.
	refused error
}

// applied reports whether a save of p, made of the row held, was written: it was
// answered, or the row says so.
func (r result) applied(held shard.Lease, p checkpoint.Progress) bool {
	return r.answered || r.refused == nil && r.verdict == checkpoint.Adopted && checkpoint.Applied(held, r.row, p)
}

// write makes one conditional write of held. Only the end of ctx is an error:
// everything else is resolved by reading the row until it can be read.
func (w *rowWriter) write(ctx context.Context, name string, held shard.Lease, f func(context.Context) (shard.Lease, error)) (result, error) {
	row, err := w.once(ctx, f)
	if err == nil {
		return w.judgeOwn(row), nil
	}
	var effect *checkpoint.EffectError
	if errors.As(err, &effect) || errors.Is(err, checkpoint.ErrEffect) {
		return result{row: held, verdict: checkpoint.Adopted, refused: err}, nil
	}
	var conflict *checkpoint.Conflict
	if errors.As(err, &conflict) {
		fire(w.hooks.Conflict, ConflictEvent{Worker: w.me, Shard: w.shard, Write: name})
		return w.judge(held, conflict.Row, conflict.Exists), nil
	}
	// Applied or not: nobody knows but the row.
	for try := 1; ; try++ {
		row, readErr := w.once(ctx, func(ctx context.Context) (shard.Lease, error) { return w.table.Get(ctx, held.Key) })
		switch {
		case readErr == nil:
			res := w.judge(held, row, true)
			res.err = err
			return res, nil
		case errors.Is(readErr, checkpoint.ErrNoLease):
			return w.judge(held, shard.Lease{}, false), nil
		case errors.Is(readErr, checkpoint.ErrNoTable):
			// Whoever holds a lease of a table that is gone holds nothing.
			return result{verdict: checkpoint.Lost}, nil
		}
		if clock.Sleep(ctx, backoff(w.right.worker.dice, try, 50*time.Millisecond, 2*time.Second, "row", w.shard)) != nil {
			return result{}, fmt.Errorf("%s %s: %w", name, held.Key, errors.Join(err, context.Cause(ctx)))
		}
	}
}

func (w *rowWriter) once(ctx context.Context, f func(context.Context) (shard.Lease, error)) (shard.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	return f(ctx)
}

// judgeOwn is what an answered write came to. The row is mine, unless it has
// been spoilt in a part that the write does not touch.
func (w *rowWriter) judgeOwn(row shard.Lease) result {
	if row.Fault != nil {
		return result{verdict: checkpoint.Lost}
	}
	return result{row: row, verdict: checkpoint.Adopted, answered: true}
}

// judge asks Adopt what a row means that did not come from a write that was
// answered.
func (w *rowWriter) judge(held, now shard.Lease, exists bool) result {
	if !exists {
		return result{verdict: checkpoint.Lost, gone: true}
	}
	return result{row: now, verdict: checkpoint.Adopt(held, now, w.me)}
}

func (w *rowWriter) save(ctx context.Context, held shard.Lease, p checkpoint.Progress) (result, error) {
	return w.write(ctx, "save", held, w.counted(func(ctx context.Context) (shard.Lease, error) {
		return w.table.Save(ctx, held, w.me, p)
	}))
}

func (w *rowWriter) end(ctx context.Context, held shard.Lease, children []shard.Shard, lost bool) (result, error) {
	return w.persist(ctx, "end", held, func(ctx context.Context, held shard.Lease) (shard.Lease, error) {
		w.parting(held)
		return w.table.End(ctx, held, w.me, children, lost)
	}, func(row shard.Lease) bool { return row.Finished() })
}

// keep writes states with a position, and goes on until it is known that they are
// written.
func (w *rowWriter) keep(ctx context.Context, held shard.Lease, p checkpoint.Progress) (result, error) {
	for try := 1; ; try++ {
		res, err := w.save(ctx, held, p)
		if err != nil || res.verdict != checkpoint.Adopted || res.applied(held, p) {
			return res, err
		}
		if checkpoint.Further(res.row, p) {
			res.verdict = checkpoint.Restart
			return res, nil
		}
		held = res.row
		if clock.Sleep(ctx, backoff(w.right.worker.dice, try, 50*time.Millisecond, 2*time.Second, "row", w.shard)) != nil {
			return result{}, fmt.Errorf("save %s: %w", held.Key, context.Cause(ctx))
		}
	}
}

func (w *rowWriter) release(ctx context.Context, held shard.Lease, p checkpoint.Progress, to string) (result, error) {
	return w.persist(ctx, "release", held, func(ctx context.Context, held shard.Lease) (shard.Lease, error) {
		w.parting(held)
		return w.table.Release(ctx, held, w.me, checkpoint.NotBehind(held, p), to)
	}, func(row shard.Lease) bool { return row.Holder() != w.me })
}

// finish ends a hand-over. The row is still mine if it was withdrawn meanwhile.
func (w *rowWriter) finish(ctx context.Context, held shard.Lease, p checkpoint.Progress) (result, error) {
	return w.persist(ctx, "finish", held, func(ctx context.Context, held shard.Lease) (shard.Lease, error) {
		w.parting(held)
		return w.table.Finish(ctx, held, w.me, checkpoint.NotBehind(held, p))
	}, func(row shard.Lease) bool {
		// No hand-over stands any more if it was withdrawn; then there is nothing
		// to finish, however often it is tried.
		return row.CheckpointOwner != w.me
	})
}

func (w *rowWriter) refuse(ctx context.Context, held shard.Lease) (result, error) {
	return w.persist(ctx, "refuse", held, func(ctx context.Context, held shard.Lease) (shard.Lease, error) {
		return w.table.Refuse(ctx, held, w.me)
	}, func(row shard.Lease) bool { return row.CheckpointOwner == "" })
}

// persist repeats a write for as long as the row is still mine and not yet as
// it should be: an answer was lost and the write with it, or an earlier save
// whose answer was lost was applied in its stead.
func (w *rowWriter) persist(ctx context.Context, name string, held shard.Lease, f func(context.Context, shard.Lease) (shard.Lease, error), done func(shard.Lease) bool) (result, error) {
	for try := 1; ; try++ {
		res, err := w.write(ctx, name, held, func(ctx context.Context) (shard.Lease, error) { return f(ctx, held) })
		if err != nil || res.verdict != checkpoint.Adopted || done(res.row) {
			return res, err
		}
		held = res.row
		if err := clock.Sleep(ctx, backoff(w.right.worker.dice, try, 50*time.Millisecond, 2*time.Second, "row", w.shard)); err != nil {
			return result{}, fmt.Errorf("%s %s: %w", name, held.Key, context.Cause(ctx))
		}
	}
}

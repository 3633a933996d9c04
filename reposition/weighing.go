package reposition

import (
	"context"
	"fmt"
	"io"

	"github.com/towpath/towpath/shard"
)

// weighing finds out what a step repeats or skips, by reading a little of its
// shard: which of the two places comes first, and what lies between.
type weighing struct {
	mover   *Mover
	stream  shard.Stream
	step    *Step
	warning string
}

// Reads of one shard for a plan: how many with records, and how many without,
// which an answer at the horizon of a quiet shard can have.
const (
	fullReads  = 3
	emptyReads = 20
)

func (w *weighing) weigh(ctx context.Context) {
	from, to := w.step.From, w.step.To
	if w.mover.cfg.Unread {
		return
	}
	switch back, known := w.backwards(ctx, from, to); {
	case !known:
	case back:
		w.step.Skips, w.step.Repeats = none, w.between(ctx, to, from)
	default:
		w.step.Repeats, w.step.Skips = none, w.between(ctx, from, to)
	}
}

// backwards tells whether to comes before from. Two places of different kinds are
// compared by the first records behind them.
func (w *weighing) backwards(ctx context.Context, from, to shard.Position) (back, known bool) {
	switch {
	case from.IsEnd() || to.IsTrimHorizon():
		return true, true
	case from.IsTrimHorizon() || to.IsLatest() || to.IsEnd():
		return false, true
	case from.IsRecord() && to.IsRecord():
		return to.Compare(from) < 0, true
	case !from.At.IsZero() && !to.At.IsZero():
		return to.At.Before(from.At), true
	}
	a, aThere, err := w.first(ctx, from)
	if err != nil {
		return false, false
	}
	b, bThere, err := w.first(ctx, to)
	if err != nil {
		return false, false
	}
	switch {
	case !aThere || !bThere:
		return bThere, true // behind the one there is nothing
	}
	return b.Compare(a) < 0, true
}

// first is the first record behind a place, if there is one.
func (w *weighing) first(ctx context.Context, at shard.Position) (first shard.Position, there bool, err error) {
	err = w.read(ctx, at, func(r *shard.Record) bool {
		first, there = r.Position(), true
		return false
	})
	if err == errUnfinished {
		err = nil
		if !there {
			err = errUnfinished
		}
	}
	return first, there, err
}

// between counts the records behind a place up to another one.
func (w *weighing) between(ctx context.Context, after, until shard.Position) Extent {
	e := none
	err := w.read(ctx, after, func(r *shard.Record) bool {
		switch {
		case until.IsRecord() && r.Position().Compare(until) > 0:
			return false
		case (until.IsAtTime() || until.IsLatest()) && !until.At.IsZero() && !r.ArrivedAt.Before(until.At):
			return false
		case until.IsTrimHorizon():
			return false
		}
		e.Records++
		return true
	})
	switch {
	case err == errUnfinished:
		e.More = true
	case err != nil:
		w.warning = fmt.Sprintf("%s could not be looked into: %v", w.step.Shard, err)
		return Extent{}
	}
	return e
}

// read gives the records behind a place to each until that says false, the tip or
// the end is reached, or enough has been read, which is errUnfinished.
func (w *weighing) read(ctx context.Context, after shard.Position, each func(*shard.Record) bool) error {
	reader := w.mover.cfg.Source.Open(shard.Start{Stream: w.stream, Shard: shard.PlainID(w.step.Shard), After: after})
	if c, ok := reader.(io.Closer); ok {
		defer func() { _ = c.Close() }() // it has read all it wants
	}
	full, empty := 0, 0
	for full < fullReads && empty < emptyReads {
		if err := reader.Ready(ctx); err != nil {
			return err
		}
		chunk, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		if chunk.Loss != nil && after == w.step.To {
			w.warning = fmt.Sprintf("%s: what lies right behind %s is not kept any more, or there is no such record", w.step.Shard, after)
		}
		for i := range chunk.Records {
			if !each(&chunk.Records[i]) {
				return nil
			}
		}
		if chunk.Ended || chunk.Behind == 0 {
			return nil
		}
		if len(chunk.Records) > 0 {
			full++
		} else {
			empty++
		}
	}
	return errUnfinished
}

type unfinished struct{}

func (unfinished) Error() string { return "there is more to read" }

// errUnfinished ends a look into a shard that has been long enough.
var errUnfinished error = unfinished{}

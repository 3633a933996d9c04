package dynamocheckpoint

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

var _ checkpoint.Moves = (*Table)(nil)

// Seek implements checkpoint.Moves.
func (t *Table) Seek(ctx context.Context, seen shard.Lease, to shard.Position) (shard.Lease, error) {
	if to.IsEnd() {
		return shard.Lease{}, fmt.Errorf("seek %s: the end of a shard is reached and not sought", seen.Key)
	}
	w, v, err := relocate(seek, seen, checkpoint.Progress{Position: to})
	if err != nil {
		return shard.Lease{}, err
	}
	return t.change(ctx, w, seen.Key, seenBy(seen, "").and(v))
}

// relocate is a write that moves a position by hand: what the row says beside the
// position goes unless p says it anew.
func relocate(w write, seen shard.Lease, p checkpoint.Progress) (write, values, error) {
	if len(p.States)+len(p.Effects) > 0 || p.Suspect != (shard.Position{}) {
		return w, nil, fmt.Errorf("%s %s: a moved position has neither states, effects nor a suspect", w.name, seen.Key)
	}
	places := []shard.Position{p.Position}
	for _, at := range p.Marks {
		places = append(places, at)
	}
	for _, at := range places {
		if err := at.Validate(); err != nil {
			return w, nil, fmt.Errorf("%s %s: %w", w.name, seen.Key, err)
		}
	}
	v := values{":seq": text(sequenceOf(p.Position)), ":sub": number(p.Position.Sub)}
	for name, at := range map[string]int64{
		"lastArrivalMs": millis(p.Arrived), "readUpToMs": millis(p.ReadUpTo), "startAtMs": startAt(p.Position),
	} {
		if at > 0 {
			w.set += ", " + name + " = :" + name
			v[":"+name] = number(at)
		} else {
			w.remove += ", " + name
		}
	}
	if marks := marksOf(p.Marks); marks != nil {
		w.set += ", marks = :marks"
		v[":marks"] = marks
	} else {
		w.remove += ", marks"
	}
	return w, v, nil
}

// seeks is how far the seek generation of a row that is created by a move lies
// above every one that such a row had: the epoch is used once, and no row is
// moved by hand so often between two maintenance runs.
const seeks = 1_000_000

// Rewrite implements checkpoint.Moves.
func (t *Table) Rewrite(ctx context.Context, epoch int64, move string, rows []checkpoint.Rewrite) error {
	for some := range slices.Chunk(rows, perTransaction) {
		if err := t.rewriteSome(ctx, epoch, move, some); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) rewriteSome(ctx context.Context, epoch int64, move string, rows []checkpoint.Rewrite) error {
	parts := []types.TransactWriteItem{
		checking(sameMove, t.sessions, "id", controlRow, values{":move": text(move), ":epoch": number(epoch)}),
	}
	for _, r := range rows {
		w, v, err := relocate(rewrite, r.Row, r.To)
		switch {
		case err != nil:
			return err
		case r.Create:
			parts = append(parts, putting(putLease, t.leases, rowOf(created(r, epoch))))
		default:
			parts = append(parts, updating(w, t.leases, "leaseKey", r.Row.Key, seenBy(r.Row, "").and(v)))
		}
	}
	err := t.transact(ctx, parts...)
	if err == nil {
		return nil
	}
	refused := refusals(err)
	if _, over := refused[0]; over {
		return t.moveOver(ctx, epoch, move)
	}
	for i, r := range rows {
		if row, ok := refused[i+1]; ok {
			return t.conflict(ctx, rewrite.name, r.Row.Key, row)
		}
	}
	return t.failed(fmt.Sprintf("rewrite %d leases from", len(rows)), rows[0].Row.Key, t.leases, err)
}

// created is the row that a move makes where there is none.
func created(r checkpoint.Rewrite, epoch int64) shard.Lease {
	l := r.Row
	l.Owner, l.CheckpointOwner, l.OwnerSwitches, l.Lost = "", "", 0, false
	l.Suspect, l.SuspectCrashes, l.SuspectHandler = shard.Position{}, 0, ""
	l.Checkpoint, l.Marks, l.LastArrival, l.ReadUpTo = r.To.Position, r.To.Marks, r.To.Arrived, r.To.ReadUpTo
	l.Counter, l.SeekGen = max(l.Counter, epoch*tenures), max(l.SeekGen, epoch*seeks)
	if l.CreatedFrom == "" {
		l.CreatedFrom = "repair"
	}
	return l
}

// moveOver tells why a move may not write any more.
func (t *Table) moveOver(ctx context.Context, epoch int64, move string) error {
	c, err := t.Control(ctx)
	if err != nil {
		return fmt.Errorf("rewrite leases: refused: %w", err)
	}
	if c.Move.ID != move || move == "" {
		return fmt.Errorf("rewrite leases: %w", checkpoint.ErrMoveOver)
	}
	return fmt.Errorf("rewrite leases in run %d: %w", epoch, checkpoint.ErrEpochOver)
}

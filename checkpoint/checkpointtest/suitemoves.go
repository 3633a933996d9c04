package checkpointtest

import (
	"reflect"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// moves is the table as a tool sees it that moves positions.
func (b *bench) moves() checkpoint.Moves { return b.Leases.(checkpoint.Moves) }

// laden makes a row that anna holds, with everything on it that belongs to its
// position.
func (b *bench) laden() shard.Lease {
	b.Helper()
	l := b.got(b.Take(b.Context(), b.free(key), anna, ""))
	return b.got(b.Save(b.Context(), l, anna, checkpoint.Progress{
		Position: shard.After("100", 2), Arrived: created.Add(time.Minute), ReadUpTo: created.Add(time.Hour),
		Suspect: shard.After("101", 0), SuspectCrashes: 2, SuspectHandler: "mail",
		Marks: map[string]shard.Position{"mail": shard.After("100", 2), "bill": shard.After("140", 0)},
	}))
}

// moving puts a move into the control row and begins a maintenance run.
func (b *bench) moving(id string) (epoch int64) {
	b.Helper()
	seen, err := b.controls().Control(b.Context())
	b.must(err)
	next := seen
	next.Move = shard.Move{ID: id, What: "seek", By: "somebody", To: shard.TrimHorizon(), Since: created}
	b.told(seen, next)
	epoch, err = b.Begin(b.Context())
	b.must(err)
	return epoch
}

// ended makes a row that is at its end, and those of its children.
func (b *bench) endedRow() shard.Lease {
	b.Helper()
	return b.got(b.End(b.Context(), b.owned(key, anna), anna, []shard.Shard{{ID: other, Parents: []string{key}}}, true))
}

// somewhere is every kind of place that a position can be moved to by hand.
var somewhere = []shard.Position{
	shard.TrimHorizon(), shard.AtTime(created.Add(time.Minute)), {Sequence: shard.Latest().Sequence, At: created.Add(time.Minute)},
	shard.After("7", 0), shard.After("70000000000000000000000000000000000000000000000000000000", 3),
}

// sought is a row as it stands after its position was moved by hand.
func sought(l shard.Lease, to shard.Position) shard.Lease {
	l.Checkpoint, l.Marks, l.LastArrival, l.ReadUpTo = to, nil, time.Time{}, time.Time{}
	l.Suspect, l.SuspectCrashes, l.SuspectHandler, l.OwnerSwitches = shard.Position{}, 0, "", 0
	l.Counter++
	l.SeekGen++
	return l
}

var moveTests = append([]named{
	{name: "seek moves the position, and takes away what belonged to the old one", run: func(b *bench) {
		row := b.laden()
		for _, to := range somewhere {
			want := sought(row, to)
			now := b.got(b.moves().Seek(b.Context(), row, to))
			b.equal(now, want)
			b.stands(want)
			row = now
		}
	}},
	{name: "seek moves a row that nobody holds", run: func(b *bench) {
		row := b.free(key)
		b.equal(b.got(b.moves().Seek(b.Context(), row, shard.After("7", 0))), sought(row, shard.After("7", 0)))
	}},
	{name: "seek leaves nothing of its holder's to be written", run: func(b *bench) {
		held := b.owned(key, anna)
		now := b.got(b.moves().Seek(b.Context(), held, held.Checkpoint)) // where it is, which a save could take for its own
		_, err := b.Save(b.Context(), held, anna, at200)
		b.refused(err, now)
		_, err = b.Release(b.Context(), held, anna, at200, bert)
		b.refused(err, now)
		_, err = b.End(b.Context(), held, anna, nil, false)
		b.refused(err, now)
		if v := checkpoint.Adopt(held, now, anna); v != checkpoint.Restart {
			b.Fatalf("to its holder the row means %s, want restart", v)
		}
		b.stands(b.got(b.Save(b.Context(), now, anna, at200)))
	}},
	{name: "seek to nowhere is refused", run: func(b *bench) {
		row := b.owned(key, anna)
		for _, to := range []shard.Position{shard.End(), shard.AtTime(time.Time{}), {Sequence: "east"}, {Sequence: "7", Sub: -1}} {
			if _, err := b.moves().Seek(b.Context(), row, to); err == nil {
				b.Errorf("a seek to %q was written", to)
			}
		}
		b.stands(row)
	}},
	{name: "rewrite moves rows and makes those that are missing, in one transaction", run: func(b *bench) {
		ended := b.endedRow()
		child := b.got(b.Get(b.Context(), other))
		epoch := b.moving("0011")
		at := checkpoint.Progress{
			Position: shard.After("50", 0), Arrived: created.Add(time.Minute), ReadUpTo: created.Add(time.Hour),
			Marks: map[string]shard.Position{"mail": shard.After("50", 0), "bill": shard.After("60", 0)},
		}
		third := shard.Lease{Key: "shardId-000000000002", Shard: "shardId-000000000002", StreamCreated: created, Parents: []string{other}}
		b.must(b.moves().Rewrite(b.Context(), epoch, "0011", []checkpoint.Rewrite{
			{Row: ended, To: checkpoint.Progress{Position: shard.AtTime(created)}},
			{Row: child, To: at},
			{Row: third, Create: true, To: checkpoint.Progress{Position: shard.AtTime(created)}},
		}))
		want := sought(ended, shard.AtTime(created))
		want.Owner, want.Lost = "", false
		b.stands(want)
		want = sought(child, at.Position)
		want.LastArrival, want.ReadUpTo, want.Marks = at.Arrived, at.ReadUpTo, at.Marks
		b.stands(want)
		made := b.got(b.Get(b.Context(), third.Key))
		if !made.Checkpoint.IsAtTime() || made.Owner != "" || made.Counter < 1_000_000_000 || made.SeekGen < 1_000_000 || !reflect.DeepEqual(made.Parents, third.Parents) {
			b.Fatalf("the row that was made is %+v: want it above every counter that one of its key can have had", made)
		}
	}},
	{name: "rewrite is refused when the move is somebody else's, or over", run: func(b *bench) {
		row := b.owned(key, anna)
		rows := []checkpoint.Rewrite{{Row: row, To: at100}}
		epoch, err := b.Begin(b.Context())
		b.must(err)
		b.is(b.moves().Rewrite(b.Context(), epoch, "0011", rows), checkpoint.ErrMoveOver)
		b.is(b.moves().Rewrite(b.Context(), epoch, "", rows), checkpoint.ErrMoveOver)
		epoch = b.moving("2233")
		b.is(b.moves().Rewrite(b.Context(), epoch, "0011", rows), checkpoint.ErrMoveOver)
		b.stands(row)
	}},
	{name: "rewrite is refused when another maintenance run has begun", run: func(b *bench) {
		row := b.owned(key, anna)
		epoch := b.moving("0011")
		_, err := b.Begin(b.Context())
		b.must(err)
		b.is(b.moves().Rewrite(b.Context(), epoch, "0011", []checkpoint.Rewrite{{Row: row, To: at100}}), checkpoint.ErrEpochOver)
		b.stands(row)
	}},
	{name: "rewrite of a row that is there, or not, as it was not seen is refused, and writes none", run: func(b *bench) {
		row := b.owned(key, anna)
		epoch := b.moving("0011")
		err := b.moves().Rewrite(b.Context(), epoch, "0011", []checkpoint.Rewrite{{Row: shard.Lease{Key: other}, Create: true, To: at200}, {Row: row, Create: true, To: at200}})
		b.refused(err, row)
		err = b.moves().Rewrite(b.Context(), epoch, "0011", []checkpoint.Rewrite{{Row: row, To: at200}, {Row: shard.Lease{Key: other}, To: at200}})
		b.refusedNoRow(err)
		b.stands(row)
		if _, err := b.Get(b.Context(), other); err == nil {
			b.Fatal("a part of what was refused is written")
		}
	}},
	{name: "a move in the control row is whole, and goes", run: func(b *bench) {
		b.moving("0011")
		seen, err := b.controls().Control(b.Context())
		b.must(err)
		if !seen.Move.Active() || seen.Move.ID != "0011" {
			b.Fatalf("the control row is %+v, want one with the move", seen)
		}
		next := seen
		next.Move = shard.Move{}
		b.told(seen, next)
		b.controlIs(shard.Control{Gen: seen.Gen + 1})
	}},
}, append(
	refusals("seek",
		refusal{"the counter moved", ownedRow, func(b *bench, row shard.Lease) error {
			_, err := b.moves().Seek(b.Context(), with(row, func(l *shard.Lease) { l.Counter-- }), shard.After("7", 0))
			return err
		}},
		refusal{"a hand-over is asked for", askedRow, func(b *bench, row shard.Lease) error {
			_, err := b.moves().Seek(b.Context(), row, shard.After("7", 0))
			return err
		}},
		refusal{"the shard is at its end", (*bench).endedRow, func(b *bench, row shard.Lease) error {
			_, err := b.moves().Seek(b.Context(), row, shard.After("7", 0))
			return err
		}},
	),
	refusals("rewrite",
		refusal{"the counter moved", ownedRow, func(b *bench, row shard.Lease) error {
			return b.moves().Rewrite(b.Context(), b.moving("0011"), "0011", []checkpoint.Rewrite{{Row: with(row, func(l *shard.Lease) { l.Counter-- }), To: at200}})
		}},
		refusal{"the owner is another", ownedRow, func(b *bench, row shard.Lease) error {
			return b.moves().Rewrite(b.Context(), b.moving("0011"), "0011", []checkpoint.Rewrite{{Row: with(row, func(l *shard.Lease) { l.Owner = "" }), To: at200}})
		}},
		refusal{"a hand-over was asked for since", askedRow, func(b *bench, row shard.Lease) error {
			return b.moves().Rewrite(b.Context(), b.moving("0011"), "0011", []checkpoint.Rewrite{{Row: with(row, func(l *shard.Lease) { l.CheckpointOwner = "" }), To: at200}})
		}},
	)...)...)

package checkpointtest

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

var readTests = []named{
	{name: "get of no row is ErrNoLease", run: func(b *bench) {
		_, err := b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
	}},
	{name: "list reads every row", run: func(b *bench) {
		all, err := b.List(b.Context())
		b.must(err)
		if len(all) != 0 {
			b.Fatalf("an empty table lists %v", all)
		}
		want := []shard.Lease{b.owned(key, anna), b.free(other)}
		all, err = b.List(b.Context())
		b.must(err)
		slices.SortFunc(all, func(x, y shard.Lease) int { return strings.Compare(x.Key, y.Key) })
		if len(all) != 2 {
			b.Fatalf("got %v, want two rows", all)
		}
		b.equal(all[0], want[0])
		b.equal(all[1], want[1])
	}},
	{name: "owned lists what a worker owns", run: func(b *bench) {
		b.owned(key, anna)
		b.owned(other, bert)
		var keys []string
		for range 100 { // an index may be a little late
			var err error
			if keys, err = b.Owned(b.Context(), anna); err != nil {
				b.Fatal(err)
			}
			if len(keys) > 0 {
				break
			}
		}
		if !slices.Equal(keys, []string{key}) {
			b.Fatalf("anna owns %v, want %s", keys, key)
		}
	}},
	{name: "rows come back as they were created", run: func(b *bench) {
		multi := many + other
		rows := []shard.Lease{
			{Key: key, Shard: key, Checkpoint: shard.AtTime(created.Add(time.Millisecond)), CreatedFrom: "initial",
				Hashes: shard.HashRange{Start: "0", End: "340282366920938463463374607431768211455"}, StreamCreated: created},
			{Key: multi, Shard: multi, Checkpoint: shard.Position{Sequence: shard.Latest().Sequence, At: created},
				Parents: []string{many + "shardId-a", many + "shardId-b"}, Children: []string{many + "shardId-c"}, CreatedFrom: "repair", Counter: 5_000_000_000},
			{Key: "shardId-x", Shard: "shardId-x", Owner: anna, CheckpointOwner: bert, Counter: 7,
				Checkpoint: shard.After("49590338271490256608559692538361571095921575989136588898", 12), OwnerSwitches: 3,
				Children: []string{"c", "d"}, SeekGen: 2, LastArrival: created, ReadUpTo: created.Add(time.Hour), Lost: true, Load: 0.125,
				Suspect: shard.After("8", 1), SuspectCrashes: 2, SuspectHandler: "mail",
				Marks: map[string]shard.Position{
					"mail": shard.After("49590338271490256608559692538361571095921575989136588898", 12), "sums": shard.After("9", 0),
					"new": shard.TrimHorizon(), "tip": {Sequence: shard.Latest().Sequence, At: created.Add(time.Millisecond)},
				}},
		}
		b.create(rows...)
		for _, want := range rows {
			b.stands(want)
		}
	}},
}

var takeTests = append(refusals("take",
	refusal{"the counter differs", ownedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.Counter-- }), bert, "")
		return err
	}},
	refusal{"the owner differs", ownedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.Owner = cleo }), bert, "")
		return err
	}},
	refusal{"there is an owner and none was seen", ownedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.Owner = "" }), bert, "")
		return err
	}},
	refusal{"there is no owner and one was seen", freeRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.Owner = anna }), bert, "")
		return err
	}},
	refusal{"there is a checkpoint owner and none was seen", askedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.CheckpointOwner = "" }), cleo, "")
		return err
	}},
	refusal{"the checkpoint owner differs", askedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.CheckpointOwner = cleo }), cleo, "")
		return err
	}},
	refusal{"there is no checkpoint owner and one was seen", ownedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.CheckpointOwner = anna }), cleo, "")
		return err
	}},
	refusal{"the absent owner has a session", ownedRow, func(b *bench, row shard.Lease) error {
		b.live(anna)
		_, err := b.Take(b.Context(), row, bert, anna)
		return err
	}},
	refusal{"the absent owner has a revoked session", ownedRow, func(b *bench, row shard.Lease) error {
		b.dead(anna)
		_, err := b.Take(b.Context(), row, bert, anna)
		return err
	}},
	refusal{"the counter differs, from an absent owner", ownedRow, func(b *bench, row shard.Lease) error {
		_, err := b.Take(b.Context(), with(row, func(l *shard.Lease) { l.Counter-- }), bert, anna)
		return err
	}},
),
	named{name: "of a free row", run: func(b *bench) {
		seen := b.free(key)
		got := b.got(b.Take(b.Context(), seen, anna, ""))
		want := with(seen, func(l *shard.Lease) { l.Owner, l.Counter, l.OwnerSwitches = anna, seen.Counter+1, 1 })
		b.equal(got, want)
		b.stands(want)
	}},
	named{name: "from an owner ends a hand-over and keeps the position", run: func(b *bench) {
		seen := b.asked()
		want := with(seen, func(l *shard.Lease) {
			l.Owner, l.CheckpointOwner, l.Counter, l.OwnerSwitches = cleo, "", seen.Counter+1, 1
		})
		b.equal(b.got(b.Take(b.Context(), seen, cleo, "")), want)
		b.stands(want)
	}},
	named{name: "from an absent owner", run: func(b *bench) {
		seen := b.owned(key, anna)
		want := with(seen, func(l *shard.Lease) { l.Owner, l.Counter, l.OwnerSwitches = bert, seen.Counter+1, 1 })
		b.equal(b.got(b.Take(b.Context(), seen, bert, anna)), want)
		b.stands(want)
	}},
	named{name: "of no row", run: func(b *bench) {
		_, err := b.Take(b.Context(), shard.Lease{Key: key}, anna, "")
		b.refusedNoRow(err)
		_, err = b.Take(b.Context(), shard.Lease{Key: key}, anna, bert)
		b.refusedNoRow(err)
		_, err = b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
	}},
)

// position is a write that moves a position, with the condition of save.
type position func(b *bench, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error)

func doSave(b *bench, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	return b.Save(b.Context(), held, me, p)
}

func doRelease(b *bench, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	return b.Release(b.Context(), held, me, p, "")
}

func doEnd(b *bench, held shard.Lease, me string, _ checkpoint.Progress) (shard.Lease, error) {
	return b.End(b.Context(), held, me, []shard.Shard{{ID: other}}, false)
}

// canWriteRefusals are the parts of the right to write a position.
func canWriteRefusals(name string, write position) []named {
	of := func(when string, row func(*bench) shard.Lease, me string, change func(*shard.Lease)) refusal {
		return refusal{when, row, func(b *bench, row shard.Lease) error {
			_, err := write(b, with(row, change), me, at200)
			return err
		}}
	}
	same := func(*shard.Lease) {}
	tests := refusals(name,
		of("the counter is an older one", ownedRow, anna, func(l *shard.Lease) { l.Counter-- }),
		of("the counter is a newer one", ownedRow, anna, func(l *shard.Lease) { l.Counter++ }),
		of("the checkpoint differs", ownedRow, anna, func(l *shard.Lease) { l.Checkpoint = shard.After("99", 0) }),
		of("somebody else owns it", ownedRow, bert, same),
		of("nobody owns it", freeRow, anna, same),
		of("the writer is only to get it", askedRow, bert, same),
		of("the writer has no part in the hand-over", askedRow, cleo, same),
	)
	return append(tests, named{name: name + " refused when there is no row", run: func(b *bench) {
		_, err := write(b, shard.Lease{Key: key, Owner: anna}, anna, at100)
		b.refusedNoRow(err)
		_, err = b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
	}})
}

var saveTests = slices.Concat(
	canWriteRefusals("save", doSave),
	[]named{
		{name: "moves the position", run: func(b *bench) {
			held := b.got(b.Take(b.Context(), b.free(key), anna, ""))
			got := b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{
				Position: shard.After("300", 4), Arrived: created.Add(1500 * time.Microsecond), ReadUpTo: created.Add(time.Minute),
			}))
			want := with(held, func(l *shard.Lease) {
				l.Checkpoint, l.Counter, l.OwnerSwitches = shard.After("300", 4), held.Counter+1, 0
				l.LastArrival, l.ReadUpTo = created.Add(time.Millisecond), created.Add(time.Minute)
			})
			b.equal(got, want)
			b.stands(want)
		}},
		{name: "in place counts all the same", run: func(b *bench) {
			held := b.owned(key, anna)
			want := with(held, func(l *shard.Lease) { l.Counter++ })
			b.equal(b.got(b.Save(b.Context(), held, anna, at100)), want)
			b.stands(want)
		}},
		{name: "by the holder during a hand-over", run: func(b *bench) {
			held := b.asked()
			want := with(held, func(l *shard.Lease) { l.Checkpoint, l.Counter = at200.Position, held.Counter+1 })
			b.equal(b.got(b.Save(b.Context(), held, anna, at200)), want)
			b.stands(want)
		}},
		{name: "keeps what it is not told", run: func(b *bench) {
			p := at100
			p.Arrived, p.ReadUpTo, p.Load = created, created.Add(time.Minute), 12.5
			held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, p))
			if held.Load != 12.5 {
				b.Errorf("the load is %v, want 12.5", held.Load)
			}
			same := b.got(b.Save(b.Context(), held, anna, at100))
			b.equal(same, with(held, func(l *shard.Lease) { l.Counter++ }))
			moved := b.got(b.Save(b.Context(), same, anna, at200))
			b.equal(moved, with(same, func(l *shard.Lease) {
				l.Checkpoint, l.LastArrival, l.Counter = at200.Position, time.Time{}, same.Counter+1
			}))
		}},
		{name: "marks a suspect and clears it", run: func(b *bench) {
			p := at100
			p.Suspect, p.SuspectCrashes, p.SuspectHandler = shard.After("101", 2), 1, "mail"
			held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, p))
			if held.Suspect != p.Suspect || held.SuspectCrashes != 1 || held.SuspectHandler != "mail" {
				b.Fatalf("suspect is %v of %q after %d crashes, want %v after 1", held.Suspect, held.SuspectHandler, held.SuspectCrashes, p.Suspect)
			}
			b.stands(held)
			held = b.got(b.Save(b.Context(), held, anna, at100))
			if held.Suspect != (shard.Position{}) || held.SuspectCrashes != 0 || held.SuspectHandler != "" {
				b.Fatalf("suspect is still %v", held.Suspect)
			}
			b.stands(held)
		}},
		{name: "replaces the marks of the handlers with every write", run: func(b *bench) {
			p := at100
			p.Marks = map[string]shard.Position{"mail": at100.Position, "sums": shard.After("150", 7)}
			held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, p))
			if !reflect.DeepEqual(held.Marks, p.Marks) {
				b.Fatalf("the marks are %v, want %v", held.Marks, p.Marks)
			}
			b.stands(held)
			p.Marks = map[string]shard.Position{"sums": at100.Position}
			held = b.got(b.Save(b.Context(), held, anna, p))
			if !reflect.DeepEqual(held.Marks, p.Marks) {
				b.Fatalf("the marks are %v, want %v", held.Marks, p.Marks)
			}
			b.stands(held)
			held = b.got(b.Save(b.Context(), held, anna, at200))
			if held.Marks != nil {
				b.Fatalf("the marks are still %v", held.Marks)
			}
			p.Position, p.Marks = at200.Position, map[string]shard.Position{"mail": shard.After("x", 0)}
			if _, err := b.Save(b.Context(), held, anna, p); err == nil {
				b.Fatal("saved a mark that is no position")
			}
			b.stands(held)
			p.Marks = map[string]shard.Position{"mail": at200.Position}
			held = b.got(b.Save(b.Context(), held, anna, p))
			if held = b.got(b.End(b.Context(), held, anna, nil, false)); held.Marks != nil {
				b.Fatalf("the marks of a finished shard are %v", held.Marks)
			}
			b.stands(held)
		}},
		{name: "pins a word to its time until a record takes its place", run: func(b *bench) {
			held := b.got(b.Take(b.Context(), b.free(key), anna, ""))
			pinned := shard.Position{Sequence: shard.Latest().Sequence, At: created}
			held = b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{Position: pinned}))
			held = b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{Position: shard.Latest()}))
			if held.Checkpoint != pinned {
				b.Fatalf("the position is %v, want %v", held.Checkpoint, pinned)
			}
			held = b.got(b.Save(b.Context(), held, anna, at100))
			held = b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{Position: shard.Latest()}))
			if held.Checkpoint != shard.Latest() {
				b.Fatalf("the position is %v, want LATEST without a time", held.Checkpoint)
			}
		}},
		{name: "writes nothing that is no position", run: func(b *bench) {
			held := b.owned(key, anna)
			for _, sequence := range []string{"?", "-1", "١٢٣"} {
				if _, err := b.Save(b.Context(), held, anna, checkpoint.Progress{Position: shard.After(sequence, 0)}); err == nil {
					b.Errorf("saved %q", sequence)
				}
			}
			b.stands(held)
		}},
		{name: "leaves attributes it does not know", run: func(b *bench) {
			editor, can := b.Leases.(Editor)
			if !can {
				return // this table has no others
			}
			held := b.owned(key, anna)
			b.must(editor.SetAttribute(b.Context(), key, "throughputKBps2", "somebody's"))
			held = b.got(b.Save(b.Context(), held, anna, at200))
			held = b.got(b.Ask(b.Context(), held, bert))
			held = b.got(b.Finish(b.Context(), held, anna, at200))
			held = b.got(b.Release(b.Context(), held, bert, at200, ""))
			held = b.got(b.Take(b.Context(), held, anna, cleo))
			b.got(b.End(b.Context(), held, anna, nil, false))
			got, err := editor.Attribute(b.Context(), key, "throughputKBps2")
			b.must(err)
			if got != "somebody's" {
				b.Errorf("the attribute is %q, want it untouched", got)
			}
		}},
		{name: "ends a two-phase checkpoint", run: func(b *bench) {
			editor, can := b.Leases.(Editor)
			if !can {
				return // this table has no such attributes
			}
			held := b.owned(key, anna)
			b.must(editor.SetAttribute(b.Context(), key, "pendingCheckpoint", "150"))
			b.got(b.Save(b.Context(), held, anna, at200))
			got, err := editor.Attribute(b.Context(), key, "pendingCheckpoint")
			b.must(err)
			if got != "" {
				b.Errorf("pendingCheckpoint is %q, want it gone", got)
			}
		}},
	},
)

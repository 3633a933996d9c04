package checkpointtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// The children of a merge of key and other.
const merged = "shardId-000000000002"

var mergeChild = []shard.Shard{{ID: merged, Parents: []string{key, other}, Hashes: shard.HashRange{Start: "0", End: "99"}}}

// noChild wants that the end that was refused made no row.
func noChild(tests []named) []named {
	for i, test := range tests {
		tests[i].run = func(b *bench) {
			test.run(b)
			_, err := b.Get(b.Context(), other)
			b.is(err, checkpoint.ErrNoLease)
		}
	}
	return tests
}

var endTests = slices.Concat(
	noChild(canWriteRefusals("end", doEnd)),
	[]named{
		{name: "marks the end and makes the children", run: func(b *bench) {
			held := b.owned(key, anna)
			children := []shard.Shard{
				{ID: "shardId-b", Parents: []string{key}, Hashes: shard.HashRange{Start: "5", End: "9"}},
				{ID: "shardId-a", Parents: []string{key}, Hashes: shard.HashRange{Start: "0", End: "4"}},
			}
			want := with(held, func(l *shard.Lease) {
				l.Checkpoint, l.Counter, l.Children = shard.End(), held.Counter+1, []string{"shardId-a", "shardId-b"}
			})
			b.equal(b.got(b.End(b.Context(), held, anna, children, false)), want)
			b.stands(want)
			for _, c := range children {
				b.stands(shard.Lease{Key: c.ID, Shard: c.ID, Checkpoint: shard.TrimHorizon(), Parents: c.Parents,
					Hashes: c.Hashes, CreatedFrom: "child", StreamCreated: created})
			}
		}},
		{name: "leaves a child that is at work", run: func(b *bench) {
			one, two := b.owned(key, anna), b.owned(other, bert)
			b.got(b.End(b.Context(), one, anna, mergeChild, false))
			row := b.got(b.Get(b.Context(), merged))
			if !slices.Equal(row.Parents, []string{key, other}) {
				b.Fatalf("the child's parents are %v, want both", row.Parents)
			}
			row = b.got(b.Take(b.Context(), row, cleo, ""))
			row = b.got(b.Save(b.Context(), row, cleo, at200))
			b.got(b.End(b.Context(), two, bert, mergeChild, false))
			b.stands(row)
		}},
		{name: "by the holder during a hand-over", run: func(b *bench) {
			got := b.got(b.End(b.Context(), b.asked(), anna, nil, false))
			if !got.Finished() {
				b.Fatalf("got %v, want it finished", got)
			}
		}},
		{name: "says that the rest was lost", run: func(b *bench) {
			got := b.got(b.End(b.Context(), b.owned(key, anna), anna, nil, true))
			if !got.Lost || !got.Finished() {
				b.Fatalf("got %v, lost %v", got, got.Lost)
			}
			b.stands(got)
		}},
		{name: "clears a suspect", run: func(b *bench) {
			p := at100
			p.Suspect, p.SuspectCrashes = shard.After("101", 0), 2
			held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, p))
			got := b.got(b.End(b.Context(), held, anna, nil, false))
			if got.Suspect != (shard.Position{}) || got.SuspectCrashes != 0 {
				b.Fatalf("suspect is still %v", got.Suspect)
			}
		}},
		{name: "names children in a table of many streams as KCL does", run: func(b *bench) {
			parent, child := many+key, many+other
			b.create(shard.Lease{Key: parent, Shard: parent})
			held := b.got(b.Take(b.Context(), b.got(b.Get(b.Context(), parent)), anna, ""))
			ended := b.got(b.End(b.Context(), held, anna, []shard.Shard{{ID: child, Parents: []string{parent}}}, false))
			if !slices.Equal(ended.Children, []string{child}) {
				b.Fatalf("the children are %v, want %s", ended.Children, child)
			}
			b.stands(shard.Lease{Key: child, Shard: child, Parents: []string{parent}, Checkpoint: shard.TrimHorizon(), CreatedFrom: "child"})
		}},
	},
)

// deleted is a row of anna's that somebody deleted by hand.
func deleted() shard.Lease {
	return shard.Lease{Key: key, Shard: key, Owner: anna, Counter: 41, Checkpoint: shard.After("100", 1), OwnerSwitches: 1,
		SeekGen: 2, CreatedFrom: "initial", StreamCreated: created, Hashes: shard.HashRange{Start: "0", End: "9"}, ReadUpTo: created}
}

var putBackTests = append(refusals("put back",
	refusal{"there is a row", ownedRow, func(b *bench, row shard.Lease) error {
		b.live(anna)
		_, err := b.PutBack(b.Context(), row, anna)
		return err
	}}),
	named{name: "writes the owner's own position, above every counter", run: func(b *bench) {
		b.live(anna)
		lost := with(deleted(), func(l *shard.Lease) { l.CheckpointOwner, l.Owner = anna, bert })
		got := b.got(b.PutBack(b.Context(), lost, anna))
		if got.Counter <= lost.Counter+1_000_000 {
			b.Fatalf("the counter is %d, behind a row of %d", got.Counter, lost.Counter)
		}
		want := deleted()
		want.Counter, want.OwnerSwitches, want.CreatedFrom = got.Counter, 0, "repair"
		b.equal(got, want)
		b.stands(want)
		b.got(b.Save(b.Context(), got, anna, at200))
	}},
	named{name: "counts on from a row that was put back before", run: func(b *bench) {
		b.live(anna)
		lost := with(deleted(), func(l *shard.Lease) { l.Counter = 77_000_000_123 })
		if got := b.got(b.PutBack(b.Context(), lost, anna)); got.Counter <= lost.Counter {
			b.Fatalf("the counter is %d, behind a row of %d", got.Counter, lost.Counter)
		}
	}},
	named{name: "gives no two rows one counter", run: func(b *bench) {
		b.live(anna)
		first := b.got(b.PutBack(b.Context(), deleted(), anna))
		second := b.got(b.PutBack(b.Context(), with(deleted(), func(l *shard.Lease) { l.Key, l.Shard = other, other }), anna))
		if second.Counter <= first.Counter {
			b.Fatalf("the counters are %d and %d", first.Counter, second.Counter)
		}
	}},
	named{name: "is refused when the session is revoked", run: func(b *bench) {
		b.dead(anna)
		_, err := b.PutBack(b.Context(), deleted(), anna)
		b.is(err, checkpoint.ErrSessionOver)
		_, err = b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
	}},
	named{name: "is refused when there is no session", run: func(b *bench) {
		_, err := b.PutBack(b.Context(), deleted(), anna)
		b.is(err, checkpoint.ErrSessionOver)
		_, err = b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
	}},
	named{name: "ends the maintenance run that has begun", run: func(b *bench) {
		b.live(anna)
		epoch, err := b.Begin(b.Context())
		b.must(err)
		b.got(b.PutBack(b.Context(), deleted(), anna))
		b.is(b.Create(b.Context(), epoch, []shard.Lease{{Key: other}}), checkpoint.ErrEpochOver)
	}},
)

var upkeepTests = append(refusals("delete",
	refusal{"it is not finished", ownedRow, func(b *bench, row shard.Lease) error {
		epoch, err := b.Begin(b.Context())
		b.must(err)
		return b.Delete(b.Context(), epoch, row)
	}},
	refusal{"the counter moved", ended, func(b *bench, row shard.Lease) error {
		epoch, err := b.Begin(b.Context())
		b.must(err)
		return b.Delete(b.Context(), epoch, with(row, older))
	}}),
	named{name: "begin counts", run: func(b *bench) {
		first, err := b.Begin(b.Context())
		b.must(err)
		second, err := b.Begin(b.Context())
		b.must(err)
		if first < 1 || second != first+1 {
			b.Fatalf("the runs are %d and %d", first, second)
		}
	}},
	named{name: "create leaves a row that exists", run: func(b *bench) {
		was := b.owned(key, anna)
		b.create(shard.Lease{Key: key, Shard: key, Checkpoint: shard.Latest()}, shard.Lease{Key: other, Shard: other})
		b.stands(was)
		b.stands(shard.Lease{Key: other, Shard: other, Checkpoint: shard.TrimHorizon()})
		b.create(shard.Lease{Key: key})
	}},
	named{name: "create makes any number of rows", run: func(b *bench) {
		var rows []shard.Lease
		for i := range 205 {
			rows = append(rows, shard.Lease{Key: fmt.Sprintf("shardId-%012d", i)})
		}
		b.create(rows[100])
		b.create(append(rows, rows[0])...)
		all, err := b.List(b.Context())
		b.must(err)
		if len(all) != len(rows) {
			b.Fatalf("got %d rows, want %d", len(all), len(rows))
		}
	}},
	named{name: "create is refused when another run has begun", run: func(b *bench) {
		epoch, err := b.Begin(b.Context())
		b.must(err)
		b.create()
		b.is(b.Create(b.Context(), epoch, []shard.Lease{{Key: key}}), checkpoint.ErrEpochOver)
		_, err = b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
	}},
	named{name: "a row created again counts on above the one before it", run: func(b *bench) {
		epoch := b.create(shard.Lease{Key: key, CreatedFrom: "repair"})
		first := b.got(b.Get(b.Context(), key))
		if first.Counter < 1_000_000_000 {
			b.Fatalf("the counter is %d", first.Counter)
		}
		held := b.got(b.Take(b.Context(), first, anna, ""))
		held = b.got(b.End(b.Context(), held, anna, nil, false))
		b.must(b.Delete(b.Context(), epoch, held))
		b.create(shard.Lease{Key: key, CreatedFrom: "repair"})
		if second := b.got(b.Get(b.Context(), key)); second.Counter <= held.Counter+1_000_000 {
			b.Fatalf("the counter is %d behind %d", second.Counter, held.Counter)
		}
	}},
	named{name: "delete removes a finished row", run: func(b *bench) {
		row := ended(b)
		epoch, err := b.Begin(b.Context())
		b.must(err)
		b.must(b.Delete(b.Context(), epoch, row))
		_, err = b.Get(b.Context(), key)
		b.is(err, checkpoint.ErrNoLease)
		b.refusedNoRow(b.Delete(b.Context(), epoch, row))
	}},
	named{name: "delete is refused when another run has begun", run: func(b *bench) {
		row := ended(b)
		epoch, err := b.Begin(b.Context())
		b.must(err)
		b.create()
		b.is(b.Delete(b.Context(), epoch, row), checkpoint.ErrEpochOver)
		b.stands(row)
	}},
	named{name: "drop removes a row wherever it stands, of whoever was its owner", run: func(b *bench) {
		for _, row := range []shard.Lease{b.free(other), b.asked()} {
			epoch, err := b.Begin(b.Context())
			b.must(err)
			b.must(b.Drop(b.Context(), epoch, row))
			_, err = b.Get(b.Context(), row.Key)
			b.is(err, checkpoint.ErrNoLease)
			b.refusedNoRow(b.Drop(b.Context(), epoch, row))
		}
	}},
	named{name: "drop is refused when the row has moved, or another run has begun", run: func(b *bench) {
		row := b.asked()
		epoch, err := b.Begin(b.Context())
		b.must(err)
		for _, change := range []func(*shard.Lease){
			func(l *shard.Lease) { l.Counter-- },
			func(l *shard.Lease) { l.Owner = cleo },
			func(l *shard.Lease) { l.CheckpointOwner = "" },
		} {
			b.refused(b.Drop(b.Context(), epoch, with(row, change)), row)
		}
		b.create()
		b.is(b.Drop(b.Context(), epoch, row), checkpoint.ErrEpochOver)
		b.stands(row)
	}},
)

// racers is how many workers do a thing at once.
const racers = 8

// race does something racers times at once and counts how often it succeeded.
// Nothing but a refusal, or an error that says the write was not applied, may
// come of the rest.
func race(b *bench, do func(worker string) error) (won int) {
	b.Helper()
	var mu sync.Mutex // protects won
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() {
			if do(fmt.Sprintf("worker-%d/0", i)) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return won
}

var raceTests = []named{
	{name: "one of many takes a row", run: func(b *bench) {
		seen := b.free(key)
		if won := race(b, func(w string) error { _, err := b.Take(b.Context(), seen, w, ""); return err }); won != 1 {
			b.Fatalf("%d workers took one row", won)
		}
	}},
	{name: "one of many takes a row from an absent owner", run: func(b *bench) {
		seen := b.owned(key, anna)
		if won := race(b, func(w string) error { _, err := b.Take(b.Context(), seen, w, anna); return err }); won > 1 {
			b.Fatalf("%d workers took one row", won)
		}
	}},
	{name: "one of many revokes a session", run: func(b *bench) {
		s := b.live(anna)
		if won := race(b, func(w string) error { return b.Revoke(b.Context(), s, w) }); won != 1 {
			b.Fatalf("%d workers revoked one session", won)
		}
	}},
	{name: "no heartbeat is lost", run: func(b *bench) {
		s := b.live(anna)
		won := race(b, func(string) error { _, err := b.Heartbeat(b.Context(), s); return err })
		now, err := b.Session(b.Context(), anna)
		b.must(err)
		if won != racers || now.Beat != racers {
			b.Fatalf("%d of %d heartbeats held and the beat is %d", won, racers, now.Beat)
		}
	}},
	{name: "runs that begin at once have epochs of their own", run: func(b *bench) {
		var mu sync.Mutex // protects seen
		seen := map[int64]bool{}
		race(b, func(string) error {
			epoch, err := b.Begin(b.Context())
			mu.Lock()
			defer mu.Unlock()
			seen[epoch] = true
			return err
		})
		if len(seen) != racers {
			b.Fatalf("%d runs have %d epochs", racers, len(seen))
		}
	}},
	{name: "rows put back at once have counters of their own", run: func(b *bench) {
		var mu sync.Mutex // protects seen
		seen := map[int64]string{}
		race(b, func(w string) error {
			if err := b.Register(b.Context(), shard.Session{ID: w}); err != nil {
				return err
			}
			got, err := b.PutBack(b.Context(), with(deleted(), func(l *shard.Lease) { l.Key = w }), w)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if twin := seen[got.Counter]; twin != "" {
				b.Errorf("the rows of %s and %s both have counter %d", w, twin, got.Counter)
			}
			seen[got.Counter] = w
			return nil
		})
		if len(seen) == 0 {
			b.Error("no row was put back")
		}
	}},
	{name: "one of many streams claims the tables", unprepared: true, run: func(b *bench) {
		won := race(b, func(w string) error {
			err := b.Prepare(b.Context(), shard.Stream{ARN: "arn:aws:kinesis:eu-central-1:123456789012:stream/" + w})
			if err != nil && !errors.Is(err, checkpoint.ErrOtherStream) {
				b.Error(err)
			}
			return err
		})
		if won != 1 {
			b.Errorf("%d streams claimed the tables", won)
		}
	}},
}

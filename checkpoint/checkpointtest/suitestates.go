package checkpointtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// EffectMaker is what a table under test implements beside checkpoint.Leases, so
// that the suite can write effects with a save.
type EffectMaker interface {
	// MakeEffect is an effect that counts how often it was applied under a name;
	// it is refused by its own condition if refused is set.
	MakeEffect(name string, refused bool) any
	// Applied is how often the effects of a name were applied.
	Applied(t testing.TB, name string) int
}

// RunStates proves that a table which is a checkpoint.States writes states and
// effects with the position or not at all. Open gives an empty table, ready to
// be prepared, for each subtest. A table that is an EffectMaker is tested with
// effects, too.
func RunStates(t *testing.T, open func(t *testing.T) checkpoint.Leases) {
	for _, group := range []struct {
		name  string
		tests []stateful
	}{{"states", stateTests}, {"effects", effectTests}} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					table := open(t)
					s := &stateBench{bench: &bench{T: t, Leases: table}}
					var ok bool
					if s.States, ok = table.(checkpoint.States); !ok {
						t.Fatalf("%T is no checkpoint.States", table)
					}
					if s.EffectMaker, ok = table.(EffectMaker); !ok && test.effects {
						return // this table has none
					}
					s.must(s.Prepare(t.Context(), stream))
					s.must(s.PrepareStates(t.Context()))
					test.run(s)
				})
			}
		})
	}
}

// stateful is one promise.
type stateful struct {
	name    string
	run     func(b *stateBench)
	effects bool
}

type stateBench struct {
	*bench
	checkpoint.States
	EffectMaker
}

// with200 is progress to 200 with states.
func with200(states map[string]string) checkpoint.Progress {
	p := at200
	p.States = map[string][]byte{}
	for handler, s := range states {
		p.States[handler] = []byte(s)
	}
	return p
}

// has wants the state of a handler beside a row.
func (b *stateBench) has(row shard.Lease, handler, want string) {
	b.Helper()
	got, err := b.State(b.Context(), row, handler)
	b.must(err)
	if got == nil || string(got) != want {
		b.Fatalf("the state of %q is %q (nil: %v), want %q", handler, got, got == nil, want)
	}
}

// hasNone wants that nothing was written.
func (b *stateBench) hasNone(row shard.Lease, handler string) {
	b.Helper()
	got, err := b.State(b.Context(), row, handler)
	b.must(err)
	if got != nil {
		b.Fatalf("the state of %q is %q, want none", handler, got)
	}
}

// advances are the writes that take progress, each of a row that anna holds.
var advances = []struct {
	name  string
	row   func(b *bench) shard.Lease
	write func(b *bench, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error)
}{
	{"save", ownedRow, doSave},
	{"release", ownedRow, doRelease},
	{"release to bert", ownedRow, func(b *bench, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
		return b.Release(b.Context(), held, me, p, bert)
	}},
	{"finish", askedRow, func(b *bench, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
		return b.Finish(b.Context(), held, me, p)
	}},
}

var stateTests = []stateful{
	{name: "of no row and of a row without one are none", run: func(b *stateBench) {
		b.hasNone(shard.Lease{Key: key}, "")
		b.hasNone(b.owned(key, anna), "sums")
	}},
	{name: "are written with the position", run: func(b *stateBench) {
		for i, w := range advances {
			b.must(b.DropStates(b.Context(), key))
			b.empty(i)
			held := w.row(b.bench)
			now, err := w.write(b.bench, held, anna, with200(map[string]string{"": "one", "sums": "two"}))
			b.must(err)
			if now.Checkpoint.Compare(at200.Position) != 0 || now.Counter != held.Counter+1 {
				b.Fatalf("%s: the row is %v", w.name, now)
			}
			b.stands(now)
			b.has(now, "", "one")
			b.has(now, "sums", "two")
			b.hasNone(now, "other")
		}
	}},
	{name: "are nobody's after the position was moved by hand, to wherever", run: func(b *stateBench) {
		table, ok := b.Leases.(checkpoint.Moves)
		if !ok {
			return
		}
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, with200(map[string]string{"": "one"})))
		b.has(held, "", "one")
		same := b.got(table.Seek(b.Context(), held, held.Checkpoint))
		b.hasNone(same, "")
		again := b.got(b.Save(b.Context(), same, anna, with200(map[string]string{"": "two"})))
		b.has(again, "", "two")
		back := b.got(table.Seek(b.Context(), again, shard.TrimHorizon()))
		b.hasNone(b.got(b.End(b.Context(), back, anna, nil, false)), "") // nor at an end that came without one
	}},
	{name: "are not written when the row refuses", run: func(b *stateBench) {
		for i, w := range advances {
			b.empty(i)
			held := w.row(b.bench)
			_, err := w.write(b.bench, with(held, older), anna, with200(map[string]string{"": "late"}))
			b.refused(err, held)
			_, err = w.write(b.bench, held, cleo, with200(map[string]string{"": "stranger"}))
			b.refused(err, held)
			b.hasNone(held, "")
			b.hasNone(with(held, func(l *shard.Lease) { l.Checkpoint = at200.Position }), "")
		}
	}},
	{name: "of other handlers stay", run: func(b *stateBench) {
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, with200(map[string]string{"a": "1", "b": "2"})))
		held = b.got(b.Save(b.Context(), held, anna, with200(map[string]string{"b": "3"})))
		b.has(held, "a", "1")
		b.has(held, "b", "3")
	}},
	{name: "may be empty, which is not none", run: func(b *stateBench) {
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, with200(map[string]string{"": "full"})))
		held = b.got(b.Save(b.Context(), held, anna, with200(map[string]string{"": ""})))
		b.has(held, "", "")
	}},
	{name: "belong to their position", run: func(b *stateBench) {
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, with200(map[string]string{"": "at 200"})))
		moved := b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{Position: shard.After("300", 0)}))
		b.hasNone(moved, "")
		back := b.got(b.Save(b.Context(), moved, anna, at200))
		b.has(back, "", "at 200")
		end := b.got(b.End(b.Context(), back, anna, nil, false))
		b.has(end, "", "at 200")
	}},
	{name: "belong to their handler's mark", run: func(b *stateBench) {
		p := at100
		p.Marks = map[string]shard.Position{"a": at100.Position, "b": at200.Position}
		p.States = map[string][]byte{"a": []byte("to 100"), "b": []byte("to 200")}
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, p))
		b.has(held, "a", "to 100")
		b.has(held, "b", "to 200")
		p.Marks, p.States = map[string]shard.Position{"a": at100.Position, "b": shard.After("300", 0)}, nil
		held = b.got(b.Save(b.Context(), held, anna, p))
		b.has(held, "a", "to 100")
		b.hasNone(held, "b")
	}},
	{name: "at a word are those of the beginning", run: func(b *stateBench) {
		held := b.got(b.Take(b.Context(), b.free(key), anna, ""))
		held = b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{
			Position: held.Checkpoint, States: map[string][]byte{"": []byte("inherited")},
		}))
		b.has(held, "", "inherited")
	}},
	{name: "of 300 kB come back as they were", run: func(b *stateBench) {
		large := make([]byte, 300_000)
		for i := range large {
			large[i] = byte(i * i >> 3)
		}
		p := at200
		p.States = map[string][]byte{"large": large}
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, p))
		got, err := b.State(b.Context(), held, "large")
		b.must(err)
		if !slices.Equal(got, large) {
			b.Fatalf("got %d bytes that differ", len(got))
		}
	}},
	{name: "are dropped with their lease alone", run: func(b *stateBench) {
		states := with200(map[string]string{"": "1", "sums": "2"})
		one := b.got(b.Save(b.Context(), b.owned(key, anna), anna, states))
		two := b.got(b.Save(b.Context(), b.owned(other, anna), anna, states))
		b.must(b.DropStates(b.Context(), key))
		b.must(b.DropStates(b.Context(), key))
		b.hasNone(one, "")
		b.hasNone(one, "sums")
		b.has(two, "", "1")
		b.has(two, "sums", "2")
	}},
	{name: "are still there when their table is prepared again", run: func(b *stateBench) {
		held := b.got(b.Save(b.Context(), b.owned(key, anna), anna, with200(map[string]string{"": "1"})))
		b.must(b.PrepareStates(b.Context()))
		b.has(held, "", "1")
	}},
}

// empty deletes the row of the round before.
func (b *stateBench) empty(round int) {
	b.Helper()
	if round == 0 {
		return
	}
	row := b.got(b.Get(b.Context(), key))
	me := "closer"
	row = b.got(b.Take(b.Context(), row, me, ""))
	row = b.got(b.End(b.Context(), row, me, nil, false))
	epoch, err := b.Begin(b.Context())
	b.must(err)
	b.must(b.Delete(b.Context(), epoch, row))
}

// applied wants how often effects of a name were applied.
func (b *stateBench) applied(name string, want int) {
	b.Helper()
	if got := b.Applied(b.T, name); got != want {
		b.Fatalf("%s was applied %d times, want %d", name, got, want)
	}
}

var effectTests = []stateful{
	{name: "are applied with the position", effects: true, run: func(b *stateBench) {
		for i, w := range advances {
			b.empty(i)
			p := with200(map[string]string{"": "state"})
			one, two := w.name+" one", w.name+" two"
			p.Effects = []any{b.MakeEffect(one, false), b.MakeEffect(two, false)}
			now, err := w.write(b.bench, w.row(b.bench), anna, p)
			b.must(err)
			b.stands(now)
			b.has(now, "", "state")
			b.applied(one, 1)
			b.applied(two, 1)
		}
	}},
	{name: "one that is refused leaves everything as it was", effects: true, run: func(b *stateBench) {
		for i, w := range advances {
			b.empty(i)
			held := w.row(b.bench)
			p := with200(map[string]string{"": "state"})
			one, two := w.name+" one", w.name+" two"
			p.Effects = []any{b.MakeEffect(one, false), b.MakeEffect(two, true), b.MakeEffect(w.name+" three", true)}
			_, err := w.write(b.bench, held, anna, p)
			var refused *checkpoint.EffectError
			if !errors.As(err, &refused) || refused.Index != 1 || refused.Err == nil {
				b.Fatalf("%s: got error %v, want an *EffectError of effect 1", w.name, err)
			}
			if errors.Is(err, checkpoint.ErrFenced) {
				b.Fatalf("%s: an effect that is refused fences: %v", w.name, err)
			}
			b.stands(held)
			b.hasNone(with(held, func(l *shard.Lease) { l.Checkpoint = at200.Position }), "")
			b.applied(one, 0)
			b.applied(two, 0)
		}
	}},
	{name: "none is applied when the row refuses, whatever else does", effects: true, run: func(b *stateBench) {
		for i, w := range advances {
			b.empty(i)
			held := w.row(b.bench)
			p := at200
			one := w.name + " one"
			p.Effects = []any{b.MakeEffect(one, false)}
			_, err := w.write(b.bench, with(held, older), anna, p)
			b.refused(err, held)
			p.Effects = append(p.Effects, b.MakeEffect(w.name+" two", true))
			_, err = w.write(b.bench, held, cleo, p)
			b.refused(err, held)
			b.applied(one, 0)
		}
	}},
	{name: "are 99 at most, and this is said before anything is written", effects: true, run: func(b *stateBench) {
		held := b.owned(key, anna)
		p := at200
		for i := range 100 {
			p.Effects = append(p.Effects, b.MakeEffect(fmt.Sprint("many ", i), false))
		}
		_, err := b.Save(b.Context(), held, anna, p)
		b.is(err, checkpoint.ErrEffect)
		b.stands(held)
		b.applied("many 0", 0)
		p.Effects = p.Effects[:99]
		b.stands(b.got(b.Save(b.Context(), held, anna, p)))
		b.applied("many 0", 1)
		b.applied("many 98", 1)
	}},
	{name: "of another driver are ErrEffect", effects: true, run: func(b *stateBench) {
		held := b.owned(key, anna)
		p := at200
		p.Effects = []any{b.MakeEffect("known", false), struct{ unknown int }{7}}
		_, err := b.Save(b.Context(), held, anna, p)
		b.is(err, checkpoint.ErrEffect)
		b.stands(held)
		b.applied("known", 0)
	}},
}

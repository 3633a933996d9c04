package modelcheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// Family is a shard that splits in two, which merge into one, and the rows of the
// four. Two hosts look after the rows: each lists the stream and reads the rows,
// and then creates and deletes by what it saw, however long ago that was. What it
// listed may be older than that, too.
//
// Invariants: Inv-7 parents first, Inv-8 no replay, Inv-9 no hole.
type Family struct {
	// Hosts is how many there are, 1 or 2.
	Hosts int
	// Runs is how many maintenance runs begin at most.
	Runs uint8
	// Rules are what is looked at; those of the library where they are not set.
	Rules FamilyRules
}

// FamilyRules are the decisions and conditions under which Family runs.
type FamilyRules struct {
	// Runnable, Missing and Deletable are those of a shard.Lineage; Missing and
	// Deletable name shards.
	Runnable func(l *shard.Lineage, id string, listed []shard.Shard, rows []shard.Lease) bool
	// Missing is the rows to create.
	Missing func(l *shard.Lineage, listed []shard.Shard, rows []shard.Lease) []shard.Lease
	// Deletable is the rows to delete.
	Deletable func(l *shard.Lineage, listed []shard.Shard, rows []shard.Lease) []shard.Lease
	// AnyRun has every run write, and not only the last that has begun.
	AnyRun bool
	// Childless has a shard end without its children's rows.
	Childless bool
}

func (r FamilyRules) withDefaults() FamilyRules {
	if r.Runnable == nil {
		r.Runnable = func(l *shard.Lineage, id string, _ []shard.Shard, _ []shard.Lease) bool { return l.Runnable(id) }
	}
	if r.Missing == nil {
		r.Missing = func(l *shard.Lineage, _ []shard.Shard, _ []shard.Lease) []shard.Lease {
			return l.Missing(shard.TrimHorizon(), shard.Stream{})
		}
	}
	if r.Deletable == nil {
		r.Deletable = func(l *shard.Lineage, _ []shard.Shard, _ []shard.Lease) []shard.Lease { return l.Deletable() }
	}
	return r
}

// kin are the shards: 0 splits into 1 and 2, which merge into 3.
var kin = [4]struct {
	id               string
	parents          []string
	above, below     uint8 // the shards next to it, as bits
	existsAt, closed uint8 // generation in which it opens, and is closed
}{
	{id: "root", below: 0b0110, closed: 1},
	{id: "left", parents: []string{"root"}, above: 0b0001, below: 0b1000, existsAt: 1, closed: 2},
	{id: "right", parents: []string{"root"}, above: 0b0001, below: 0b1000, existsAt: 1, closed: 2},
	{id: "merged", parents: []string{"left", "right"}, above: 0b0110, existsAt: 2, closed: 9},
}

// listing is what a listing of the stream shows: the shards up to a generation,
// but for those that retention has passed.
type listing struct{ generation, expired uint8 }

func (l listing) shows(i int) bool { return kin[i].existsAt <= l.generation && l.expired&(1<<i) == 0 }

// How far the row of a shard is.
const (
	noRow uint8 = iota
	atTrim
	started
	ended
)

// kinRow is one row: how far it is, by which counter, and whether it is worked.
type kinRow struct {
	state, counter uint8
	worked         bool
}

type kinRows [4]kinRow

// keeperPhase is what a host is about.
type keeperPhase uint8

const (
	resting  keeperPhase = iota
	begun                // it has begun a maintenance run
	listed               // it has listed the stream
	creating             // it has read the rows, and lacks some
	deleting             // it has read the rows, and has none too many but these
)

type upkeeper struct {
	phase  keeperPhase
	epoch  uint8
	listed listing
	// What it found in the rows: those to create, as bits, or those to delete.
	missing, repair uint8
	over            kinRows
}

// FamilyState is a state of Family.
type FamilyState struct {
	now   listing
	rows  kinRows
	epoch uint8
	done  uint8 // shards that were worked to their end, as bits
	made  bool  // the first rows have been created
	hosts [2]upkeeper
}

// FamilyModel looks at Family.
type FamilyModel struct {
	Family
	views  *memo[kinView, kinVerdict]
	writes *memo[kinWrite, kinRows]
}

type kinView struct {
	listed listing
	rows   kinRows
}

// kinVerdict is what the library says of a view, in bits.
type kinVerdict struct{ runnable, missing, repair, deletable uint8 }

type kinWrite struct {
	rows         kinRows
	kind, at     uint8
	epoch, mine  uint8
	seen         kinRow
	made, repair uint8
	now          listing
}

// Model is a new Model of it.
func (f Family) Model() Model[FamilyState] {
	f.Rules = f.Rules.withDefaults()
	return &FamilyModel{Family: f, views: newMemo[kinView, kinVerdict](15), writes: newMemo[kinWrite, kinRows](15)}
}

// Starts implements Model: a stream of one shard, and no rows.
func (m *FamilyModel) Starts() []FamilyState { return []FamilyState{{}} }

// shards is what a listing shows.
func (l listing) shards() (all []shard.Shard) {
	for i, k := range kin {
		if l.shows(i) {
			s := shard.Shard{ID: k.id, Parents: k.parents, FirstSequence: sequences[k.existsAt+1]}
			if k.closed <= l.generation {
				s.LastSequence = sequences[k.closed+1]
			}
			all = append(all, s)
		}
	}
	return all
}

func (r kinRow) lease(i int) shard.Lease {
	l := shard.Lease{
		Key: kin[i].id, Shard: kin[i].id, Parents: kin[i].parents, CreatedFrom: "child",
		Counter: int64(r.counter>>4)*deep + int64(r.counter&15),
	}
	if r.worked {
		l.Owner = "A"
	}
	switch r.state {
	case started:
		l.Checkpoint = shard.After("1", 0)
	case ended:
		l.Checkpoint = shard.End()
		for c := range kin {
			if kin[i].below&(1<<c) != 0 {
				l.Children = append(l.Children, kin[c].id)
			}
		}
	default:
		l.Checkpoint = shard.TrimHorizon()
	}
	return l
}

func (r kinRows) leases() (all []shard.Lease) {
	for i := range r {
		if r[i].state != noRow {
			all = append(all, r[i].lease(i))
		}
	}
	return all
}

func kinIndex(id string) int {
	for i := range kin {
		if kin[i].id == id {
			return i
		}
	}
	return -1
}

// judge asks the library about a view.
func (m *FamilyModel) judge(v kinView) (out kinVerdict) {
	shards, rows := v.listed.shards(), v.rows.leases()
	l := shard.NewLineage(shards, rows)
	for i := range kin {
		if m.Rules.Runnable(l, kin[i].id, shards, rows) {
			out.runnable |= 1 << i
		}
	}
	for _, row := range m.Rules.Missing(l, shards, rows) {
		out.missing |= 1 << kinIndex(row.Shard)
		if row.CreatedFrom == "repair" {
			out.repair |= 1 << kinIndex(row.Shard)
		}
	}
	for _, row := range m.Rules.Deletable(l, shards, rows) {
		out.deletable |= 1 << kinIndex(row.Shard)
	}
	return out
}

func (m *FamilyModel) view(l listing, rows kinRows) kinVerdict {
	v := kinView{listed: l, rows: rows}
	for i := range v.rows { // counters and owners have no bearing on it
		v.rows[i].counter, v.rows[i].worked = 0, false
	}
	return m.views.get(v, m.judge)
}

// apply has a table carry out a write.
func (m *FamilyModel) apply(w kinWrite) kinRows {
	ctx := context.Background()
	table := checkpointtest.NewTable()
	_ = table.Create(ctx, 0, w.rows.leases())
	for range w.epoch {
		_, _ = table.Begin(ctx)
	}
	mine := int64(w.mine)
	if m.Rules.AnyRun {
		mine = int64(w.epoch)
	}
	seen := w.seen.lease(int(w.at))
	switch w.kind {
	case kinCreate:
		var rows []shard.Lease
		for i := range kin {
			if w.made&(1<<i) != 0 {
				row := kinRow{state: atTrim}.lease(i)
				if w.repair&(1<<i) != 0 {
					row.CreatedFrom = "repair"
				}
				rows = append(rows, row)
			}
		}
		_ = table.Create(ctx, mine, rows)
	case kinDelete:
		_ = table.Delete(ctx, mine, seen)
	case kinTake:
		_, _ = table.Take(ctx, seen, "A", "")
	case kinGoOn:
		_, _ = table.Save(ctx, seen, "A", checkpointProgress(1))
	case kinEnd:
		var children []shard.Shard
		for _, s := range w.now.shards() {
			if slices.Contains(s.Parents, seen.Shard) && !m.Rules.Childless {
				children = append(children, s)
			}
		}
		_, _ = table.End(ctx, seen, "A", children, false)
	}
	var out kinRows
	all, _ := table.List(ctx)
	for _, l := range all {
		row := kinRow{state: atTrim, counter: uint8(l.Counter/deep)<<4 | uint8(l.Counter%deep), worked: l.Owner != ""}
		switch {
		case l.Finished():
			row.state, row.worked = ended, false
		case l.Checkpoint.IsRecord():
			row.state = started
		}
		out[kinIndex(l.Key)] = row
	}
	return out
}

// Show implements Model.
func (m *FamilyModel) Show(s *FamilyState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s rows %s", s.now, s.rows)
	for i := range m.Hosts {
		h := &s.hosts[i]
		fmt.Fprintf(&b, " | %s %s", names[i+1], [...]string{"rests", "begins", "has listed", "creates", "deletes"}[h.phase])
		if h.epoch > 0 {
			fmt.Fprintf(&b, " run %d of %d", h.epoch, s.epoch)
		}
		switch h.phase {
		case listed, creating:
			fmt.Fprintf(&b, " saw %s, creates %b", h.listed, h.missing)
		case deleting:
			fmt.Fprintf(&b, " %s", h.over)
		}
	}
	return b.String()
}

// String shows the shards that are listed.
func (l listing) String() string {
	var ids []string
	for i := range kin {
		if l.shows(i) {
			ids = append(ids, kin[i].id)
		}
	}
	return "[" + strings.Join(ids, " ") + "]"
}

// String shows the rows that there are.
func (r kinRows) String() string {
	var all []string
	for i := range r {
		if r[i].state != noRow {
			all = append(all, kin[i].id+" "+[...]string{"", "at trim", "started", "ended"}[r[i].state])
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}

package overview

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Parts is what a picture is made from, as it was read.
type Parts struct {
	// Stream is what the source says of itself, and Listed are its shards. Without
	// a source both are zero, and Unlisted is to be set.
	Stream   shard.Stream
	Listed   []shard.Shard
	Unlisted bool
	// Rows are the leases, read after the listing.
	Rows []shard.Lease
	// Sessions are the signs of life of this library's workers. NoSessions is set
	// if there is no table of them: the fleet is another library's.
	Sessions   []shard.Session
	NoSessions bool
	// Control is what the fleet is told, if ControlKnown.
	Control      shard.Control
	ControlKnown bool
	// Neighbours are the signs of life that workers of KCL 3 leave.
	Neighbours []checkpoint.Neighbour
	// Unread are the parts that could not be read, and why.
	Unread []error
}

// Join makes one picture. Before is the picture before, or nil: it tells since
// when a sign of life has not changed, and silence after how long without a change
// a worker is called silent. Now is this host's time.
func Join(p Parts, before *Fleet, now time.Time, silence time.Duration) *Fleet {
	f := &Fleet{
		At: now, Stream: Stream{
			ARN: p.Stream.ARN, Name: p.Stream.Name, CreatedAt: p.Stream.CreatedAt, Retention: Seconds(p.Stream.Retention),
		},
		Control: controlOf(p), Problems: []Problem{},
		memory: memory{shards: map[string]sighting{}},
	}
	if !p.Stream.Now.IsZero() {
		f.At = p.Stream.Now
	}
	was := memory{}
	if before != nil {
		was = before.memory
	}
	lineage := shard.NewLineage(p.Listed, p.Rows)
	ws := newWorkers(p.Sessions, p.Neighbours)
	holes := holesOf(p, lineage)
	f.Shards = newFamily(p, lineage, holes, ws).all(f.At)
	for i := range f.Shards {
		s := &f.Shards[i]
		if s.Row {
			seen := was.shards[s.Key].seen(s.Position, now)
			f.memory.shards[s.Key], s.Still = seen, Seconds(seen.still(now))
		}
		if s.Owner != "" {
			ws.of(s.Owner) // while it is handed over, nobody's holder yet
		}
		if s.Holder() != "" {
			ws.holds(*s)
		}
	}
	f.memory.workers = ws.judge(was.workers, now, silence)
	for _, id := range slices.Sorted(maps.Keys(ws.byID)) {
		w := *ws.byID[id]
		w.Share, w.Limited = p.Control.CallsOf(id)
		f.Workers = append(f.Workers, w)
	}
	f.Kind = kindOf(f.Workers, p.NoSessions && len(p.Rows) > 0)
	f.memory.gaps = slices.ContainsFunc(holes, func(h shard.Hole) bool { return h.Shard == "" })
	f.Problems = append(f.Problems, f.troubles(p, holes, was.gaps || before == nil)...)
	f.Totals = f.totals()
	return f
}

// holesOf are the holes of a table that was made from the listing; without a
// listing, and in a table without rows, there is nothing to say.
func holesOf(p Parts, l *shard.Lineage) []shard.Hole {
	if p.Unlisted || len(p.Rows) == 0 {
		return nil
	}
	return l.Holes()
}

// family is what the listing and the rows say, by the id of the shard.
type family struct {
	parts   Parts
	lineage *shard.Lineage
	holes   map[string]bool
	listed  map[string]*shard.Shard
	rows    map[string]*shard.Lease
	workers *workers
}

func newFamily(p Parts, l *shard.Lineage, holes []shard.Hole, ws *workers) *family {
	f := &family{parts: p, lineage: l, workers: ws, holes: map[string]bool{}, listed: map[string]*shard.Shard{}, rows: map[string]*shard.Lease{}}
	for _, h := range holes {
		f.holes[h.Shard] = true
	}
	for i := range p.Listed {
		if id := p.Listed[i].ID; f.listed[id] == nil {
			f.listed[id] = &p.Listed[i]
		}
	}
	for i := range p.Rows {
		id := p.Rows[i].Shard
		if f.rows[id] != nil {
			id = p.Rows[i].Key // two rows of one shard are both shown
		}
		f.rows[id] = &p.Rows[i]
	}
	return f
}

// all are all shards, parents before children.
func (f *family) all(now time.Time) []Shard {
	ids := map[string]bool{}
	for id := range f.listed {
		ids[id] = true
	}
	for id := range f.rows {
		ids[id] = true
	}
	all := make([]Shard, 0, len(ids))
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		s := shardOf(id, f.listed[id], f.rows[id], now)
		for _, child := range f.lineage.Children(id) {
			if plain := shard.PlainID(child.ID); !slices.Contains(s.Children, plain) {
				s.Children = append(s.Children, plain)
			}
		}
		s.Paused = f.parts.Control.Paused(id) || f.parts.Control.Paused(s.ID)
		if s.State = f.state(&s, id); s.State == StateWaiting || s.State == StateComing {
			s.WaitsFor = f.unfinished(s.Parents, id)
		}
		all = append(all, s)
	}
	return parentsFirst(all)
}

// state is what is the case with a shard.
func (f *family) state(s *Shard, id string) State {
	switch {
	case s.Fault != "":
		return StateFault
	case !s.Row && f.holes[id]:
		return StateHole
	case !s.Row && (len(f.rows) == 0 || f.leadsTo(s.listing.Parents, map[string]bool{})):
		return StateComing
	case !s.Row:
		return StatePassed
	case s.position.IsEnd():
		return StateEnded
	case !f.parts.Unlisted && len(f.listed) > 0 && !s.Listed:
		return StateGone
	case s.Holder() != "" && f.workers.orphaned(s.Holder(), f.parts.NoSessions):
		return StateOrphaned
	case s.From != "":
		return StateHandingOver
	case s.Owner != "":
		return StateHeld
	case f.lineage.Runnable(id):
		return StateFree
	}
	return StateWaiting
}

// orphaned reports whether an owner is known to be gone by the sessions alone.
func (ws *workers) orphaned(id string, noSessions bool) bool {
	w := ws.of(id)
	return !noSessions && (w.Life == LifeGone || w.Life == LifeRevoked)
}

// leadsTo reports whether one of some shards, or an ancestor of theirs, has a row
// that is not finished.
func (f *family) leadsTo(parents []string, seen map[string]bool) bool {
	for _, parent := range parents {
		if seen[parent] {
			continue
		}
		seen[parent] = true
		if row := f.rows[parent]; row != nil {
			if row.Fault != nil || !row.Finished() {
				return true
			}
			continue
		}
		if s := f.listed[parent]; s != nil && f.leadsTo(s.Parents, seen) {
			return true
		}
	}
	return false
}

// unfinished are those of a shard's parents whose rows are not at their end.
func (f *family) unfinished(parents []string, id string) []string {
	key, _, many := shard.SplitID(id)
	var open []string
	for _, parent := range parents {
		full := parent
		if many {
			full = key.ID(parent)
		}
		if row := f.rows[full]; row != nil && (row.Fault != nil || !row.Finished()) {
			open = append(open, parent)
		}
	}
	return open
}

// parentsFirst puts shards in the order of their descent, and beside each other by
// stream and id.
func parentsFirst(all []Shard) []Shard {
	depth := make(map[string]int, len(all))
	byID := make(map[string]*Shard, len(all))
	name := func(s *Shard) string { return s.Stream + "\x00" + s.ID }
	for i := range all {
		byID[name(&all[i])] = &all[i]
	}
	var deep func(s *Shard, below int) int
	deep = func(s *Shard, below int) int {
		if d, ok := depth[name(s)]; ok || below > len(all) {
			return d
		}
		depth[name(s)] = 0 // a shard that is its own ancestor ends here
		d := 0
		for _, parent := range s.Parents {
			if up := byID[s.Stream+"\x00"+parent]; up != nil {
				d = max(d, deep(up, below+1)+1)
			}
		}
		depth[name(s)] = d
		return d
	}
	for i := range all {
		deep(&all[i], 0)
	}
	slices.SortStableFunc(all, func(a, b Shard) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(depth[name(&a)], depth[name(&b)]), strings.Compare(a.ID, b.ID), strings.Compare(a.Key, b.Key))
	})
	return all
}

func controlOf(p Parts) Control {
	c := Control{Known: p.ControlKnown}
	if !p.ControlKnown {
		return c
	}
	c.Generation, c.Limited, c.Limit, c.Kept = p.Control.Gen, p.Control.Limited, p.Control.Limit, p.Control.Limited && p.Control.Kept(p.Sessions)
	for id, share := range p.Control.Shares {
		if c.Shares == nil {
			c.Shares = map[string]int{}
		}
		c.Shares[id] = share.Calls
	}
	for _, held := range p.Control.Pauses {
		c.Pauses = append(c.Pauses, Pause{Shard: held.Shard, KeyHash: held.KeyHash})
	}
	if p.Control.Move.Active() {
		c.Move = p.Control.Move.String()
	}
	return c
}

func kindOf(all []Worker, foreign bool) Kind {
	ours, theirs := false, foreign
	for _, w := range all {
		ours, theirs = ours || w.Kind == KindTowpath, theirs || w.Kind == KindKCL
	}
	switch {
	case ours && theirs:
		return KindMixed
	case ours:
		return KindTowpath
	case theirs:
		return KindKCL
	}
	return KindNone
}

func (f *Fleet) totals() Totals {
	t := Totals{Shards: len(f.Shards), By: map[State]int{}, Problems: len(f.Problems)}
	for _, s := range f.Shards {
		t.By[s.State]++
		if s.Open {
			t.Open++
		}
		t.Load += s.Load
		if s.State == StateEnded || !s.Row {
			continue
		}
		if !s.BehindKnown {
			t.Unknown++
		}
		t.Behind = max(t.Behind, s.Behind)
	}
	for _, w := range f.Workers {
		if !w.Dead() {
			t.Workers++
		}
	}
	return t
}

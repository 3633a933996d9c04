package shard

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Lineage is the family tree of a stream's shards, put together from what the
// service lists and what the lease table holds. It answers which shard may be
// read, which rows are missing and which are over. It changes nothing, and takes
// whatever it is given: unknown parents, shards that are their own ancestor,
// and rows that cannot be believed.
type Lineage struct {
	listed map[string]Shard
	rows   map[string]Lease
	// ids are all shards known from either side, in order.
	ids               []string
	parents, children map[string][]string
	// passed holds the shards with a descendant that has been started, so that
	// what they held is behind the fleet. above holds those with a row on some
	// descendant, below those with a row on some ancestor.
	passed, above, below map[string]bool
}

// NewLineage reads a listing and a table. Both must be whole, and the table must
// have been read after the listing. Of two entries for one shard the first counts.
func NewLineage(listed []Shard, rows []Lease) *Lineage {
	l := &Lineage{
		listed:   make(map[string]Shard, len(listed)),
		rows:     make(map[string]Lease, len(rows)),
		parents:  make(map[string][]string),
		children: make(map[string][]string),
	}
	known := make(map[string]bool, len(listed)+len(rows))
	for _, s := range listed {
		if _, twice := l.listed[s.ID]; !twice {
			l.listed[s.ID] = s
			known[s.ID] = true
		}
	}
	for _, row := range rows {
		if _, twice := l.rows[row.Shard]; !twice {
			l.rows[row.Shard] = row
			known[row.Shard] = true
		}
	}
	for id := range known {
		l.ids = append(l.ids, id)
	}
	slices.Sort(l.ids)
	for _, id := range l.ids {
		for _, parent := range l.listed[id].Parents {
			l.link(parent, id)
		}
		for _, parent := range l.rows[id].Parents {
			l.link(parent, id)
		}
		for _, child := range l.rows[id].Children {
			l.link(id, child)
		}
	}
	for _, tree := range []map[string][]string{l.parents, l.children} {
		for id := range tree {
			slices.Sort(tree[id])
		}
	}
	l.passed = reach(l.ids, l.parents, func(id string) bool {
		row, ok := l.rows[id]
		return ok && started(row)
	})
	hasRow := func(id string) bool { _, ok := l.rows[id]; return ok }
	l.above = reach(l.ids, l.parents, hasRow)
	l.below = reach(l.ids, l.children, hasRow)
	return l
}

func (l *Lineage) link(parent, child string) {
	if parent == "" || child == "" || parent == child || slices.Contains(l.parents[child], parent) {
		return
	}
	l.parents[child] = append(l.parents[child], parent)
	l.children[parent] = append(l.children[parent], child)
}

// reach is what can be reached from the shards that from names, by one step or
// more. Every shard is entered once, so that a cycle ends.
func reach(ids []string, steps map[string][]string, from func(string) bool) map[string]bool {
	reached := make(map[string]bool)
	var stack []string
	for _, id := range ids {
		if from(id) {
			stack = append(stack, id)
		}
	}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, next := range steps[id] {
			if !reached[next] {
				reached[next] = true
				stack = append(stack, next)
			}
		}
	}
	return reached
}

// started reports whether reading has begun behind a row, or began somewhere
// else than at the shard's beginning, so that its parents are not waited for. A
// row that cannot be believed counts as started: nothing is done because of it.
func started(row Lease) bool {
	return row.Fault != nil || !row.Checkpoint.IsTrimHorizon() || !row.ReadUpTo.IsZero()
}

// Runnable reports whether the shard may be read now: there is a row, it is not
// finished, and no parent is in the way.
//
// Only a row at TRIM_HORIZON waits for all its parents, until each is finished,
// or has no row and is not listed. A listed parent without a row is in the way as
// long as Missing will make one, which it never does once another descendant of
// that parent has been started. A row at AT_TIMESTAMP waits for parents that have
// rows; see Missing. A row with progress, or at LATEST, waits for none.
func (l *Lineage) Runnable(shardID string) bool {
	row, ok := l.rows[shardID]
	if !ok || row.Finished() || row.Fault != nil {
		return false
	}
	if row.Checkpoint.IsRecord() || row.Checkpoint.IsLatest() {
		return true
	}
	for _, parent := range l.parents[shardID] {
		_, ok := l.rows[parent]
		if ok && !l.finished(parent) {
			return false
		}
		if _, listed := l.listed[parent]; !ok && listed && row.Checkpoint.IsTrimHorizon() && !l.passed[parent] {
			return false
		}
	}
	return true
}

// finished reports whether a shard has a row that says it is done to its end.
func (l *Lineage) finished(id string) bool {
	row, ok := l.rows[id]
	return ok && row.Finished() && row.Fault == nil
}

// Children are the shards that are listed as children of a shard, by id.
func (l *Lineage) Children(shardID string) []Shard {
	var children []Shard
	for _, id := range l.children[shardID] {
		if s, ok := l.listed[id]; ok && slices.Contains(s.Parents, shardID) {
			children = append(children, s)
		}
	}
	return children
}

// Missing is which rows have to be created, parents before children, for a fleet
// that was told to start at start. Key is set to the shard's id.
//
// On an empty table:
//
//   - TRIM_HORIZON: every listed shard, at TRIM_HORIZON.
//   - LATEST: the shards that are open or have no children listed, at LATEST,
//     pinned to the service's time. The others end before that time.
//   - AT_TIMESTAMP: every listed shard, at that time. In a shard that was closed
//     before, nothing is found; one that was opened after is read from its
//     beginning; and parents come first, because rows at AT_TIMESTAMP wait for
//     parents that have rows. So nothing at or after the time is skipped,
//     nothing before it is delivered, and order holds.
//
// Otherwise a listed shard without a row was resharded into, or its row was
// lost, or the first creation was interrupted, or it was finished long ago and
// its row deleted, as KCL does while the shard is still listed. Creating the
// last kind would deliver it all again. So a row is created only if no
// descendant has been started. It is at TRIM_HORIZON, but where the table still
// shows the time at which the fleet started (in an ancestor, or for a shard
// without kin in any row), it is at AT_TIMESTAMP with that time. It never is at
// LATEST, and never at a time that only the configuration names, as that may
// have moved since.
//
// CreatedFrom is repair where a row may have stood before, whose counter and
// whose owner have to be reckoned with.
func (l *Lineage) Missing(start Position, stream Stream) []Lease {
	first := len(l.rows) == 0
	if first && start.IsLatest() && start.At.IsZero() {
		start.At = stream.Now
	}
	// Of all rows, once: a table of which half is missing asks for each of these.
	startOfAll := sync.OnceValue(func() time.Time {
		return l.startedAt(l.ids, func(p Position) bool { return p.IsAtTime() || p.IsLatest() })
	})
	var missing []Lease
	for _, id := range l.ids {
		s, listed := l.listed[id]
		_, has := l.rows[id]
		if !listed || has || l.passed[id] {
			continue
		}
		row := Lease{
			Key: id, Shard: id,
			Parents: s.Parents, Hashes: s.Hashes,
			StreamCreated: stream.CreatedAt,
			Checkpoint:    TrimHorizon(),
			CreatedFrom:   "repair",
		}
		for _, child := range l.Children(id) {
			row.Children = append(row.Children, child.ID)
		}
		switch {
		case first:
			if start.IsLatest() && !s.Open() && len(row.Children) > 0 {
				continue
			}
			row.Checkpoint, row.CreatedFrom = start, "initial"
			if start.IsTrimHorizon() {
				row.Checkpoint = TrimHorizon()
			}
		case l.below[id]:
			// A parent that is finished made its children's rows when it ended.
			if !slices.ContainsFunc(l.parents[id], l.finished) {
				row.CreatedFrom = "child"
			}
			if at := l.startedAt(l.ancestors(id), Position.IsAtTime); !at.IsZero() {
				row.Checkpoint = AtTime(at)
			}
		case !l.above[id] && !start.IsTrimHorizon():
			if at := startOfAll(); !at.IsZero() {
				row.Checkpoint = AtTime(at)
			}
		}
		missing = append(missing, row)
	}
	l.parentsFirst(missing, func(row Lease) string { return row.Shard })
	return missing
}

// FirstOf is what of Missing comes before the rows of these shards: rows of
// their parents, and of what is above those.
func (l *Lineage) FirstOf(children []Shard, start Position, stream Stream) []Lease {
	var parents []string
	for _, child := range children {
		parents = append(parents, child.Parents...)
	}
	above := reach(parents, l.parents, func(string) bool { return true })
	return slices.DeleteFunc(l.Missing(start, stream), func(row Lease) bool {
		return !above[row.Shard] && !slices.Contains(parents, row.Shard)
	})
}

// ancestors are the shards above one, by id.
func (l *Lineage) ancestors(shardID string) []string {
	above := reach([]string{shardID}, l.parents, func(string) bool { return true })
	ids := make([]string, 0, len(above))
	for id := range above {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// startedAt is the earliest time that a position of the wanted kind in the rows
// of these shards carries; zero if there is none.
func (l *Lineage) startedAt(ids []string, wanted func(Position) bool) (at time.Time) {
	for _, id := range ids {
		row, ok := l.rows[id]
		if !ok || row.Fault != nil || !wanted(row.Checkpoint) || row.Checkpoint.At.IsZero() {
			continue
		}
		if at.IsZero() || row.Checkpoint.At.Before(at) {
			at = row.Checkpoint.At
		}
	}
	return at
}

// parentsFirst sorts rows by how many generations are above them, then by id.
func (l *Lineage) parentsFirst(rows []Lease, id func(Lease) string) {
	depth := make(map[string]int)
	var below func(string) int
	below = func(id string) int {
		if d, ok := depth[id]; ok {
			return d
		}
		depth[id] = 0 // where a cycle closes
		d := 0
		for _, parent := range l.parents[id] {
			d = max(d, below(parent)+1)
		}
		depth[id] = d
		return d
	}
	slices.SortFunc(rows, func(a, b Lease) int {
		return cmp.Or(cmp.Compare(below(id(a)), below(id(b))), cmp.Compare(id(a), id(b)))
	})
}

// Deletable are the rows that nothing needs any more, parents before children:
// finished, the shard no longer listed, and every child has a row with progress
// or finished, or is itself neither listed nor in the table.
func (l *Lineage) Deletable() []Lease {
	var over []Lease
	for _, id := range l.ids {
		row, ok := l.rows[id]
		if _, listed := l.listed[id]; !ok || listed || !row.Finished() || row.Fault != nil {
			continue
		}
		if !slices.ContainsFunc(l.children[id], l.needsParent) {
			over = append(over, row)
		}
	}
	l.parentsFirst(over, func(row Lease) string { return row.Shard })
	return over
}

// needsParent reports whether a child still tells by its parent's row where to
// begin.
func (l *Lineage) needsParent(child string) bool {
	row, ok := l.rows[child]
	if !ok {
		_, listed := l.listed[child]
		return listed
	}
	return row.Fault != nil || !row.Checkpoint.IsRecord() && !row.Finished()
}

// Gone are the unfinished rows whose shard is no longer listed: retention passed
// what they had not read. A listing of nothing at all is not believed, and a row
// with a Fault is left alone.
func (l *Lineage) Gone() []Lease {
	if len(l.listed) == 0 {
		return nil
	}
	var gone []Lease
	for _, id := range l.ids {
		row, ok := l.rows[id]
		if _, listed := l.listed[id]; ok && !listed && !row.Finished() && row.Fault == nil {
			gone = append(gone, row)
		}
	}
	l.parentsFirst(gone, func(row Lease) string { return row.Shard })
	return gone
}

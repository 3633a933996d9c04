package consumer

import (
	"maps"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// What a row tells of a write whose answer is not known. An earlier write that
// was given up may still be under way: its condition names the same counter, so
// that of the two at most one is applied, and the row's position tells which.

// applied reports whether a save of p, made of the row held, was written: it was
// answered, or the row stands where only this save brings it.
func (r result) applied(held shard.Lease, p checkpoint.Progress) bool {
	switch {
	case r.answered:
		return true
	case r.refused != nil || r.verdict != checkpoint.Adopted || r.row.Counter == held.Counter || !stands(r.row, p):
		return false
	}
	return !stands(held, p)
}

// stands reports whether a row is at the positions of p.
func stands(row shard.Lease, p checkpoint.Progress) bool {
	same := func(a, b shard.Position) bool { return a.Compare(b) == 0 }
	return same(row.Checkpoint, p.Position) && maps.EqualFunc(row.Marks, p.Marks, same)
}

// further reports whether a row is ahead of p: then something was written that p
// does not know of.
func further(row shard.Lease, p checkpoint.Progress) bool {
	if row.Finished() {
		return false
	}
	marks := believed(row)
	if len(marks) == 0 || len(p.Marks) == 0 {
		return row.Checkpoint.Compare(p.Position) > 0
	}
	for handler, at := range marks {
		if to, there := p.Marks[handler]; there && at.Compare(to) > 0 {
			return true
		}
	}
	return false
}

// notBehind is p, or what the row says where that is ahead of p: what was
// written with effects is never taken back.
func notBehind(row shard.Lease, p checkpoint.Progress) checkpoint.Progress {
	if further(row, p) {
		return checkpoint.Progress{Position: row.Checkpoint, Arrived: row.LastArrival, ReadUpTo: row.ReadUpTo, Marks: row.Marks}
	}
	return p
}

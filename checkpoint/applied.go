package checkpoint

import (
	"maps"

	"github.com/towpath/towpath/shard"
)

// What a row tells of a write whose answer is not known. An earlier write that
// was given up may still be under way: its condition names the same counter, so
// that of the two at most one is applied, and the row's position tells which.

// Applied reports whether a save of p, made of the row held and not answered, was
// written: the row that now stands, which Adopt has judged to be Adopted, is where
// only this save brings it.
func Applied(held, now shard.Lease, p Progress) bool {
	return now.Counter != held.Counter && Stands(now, p) && !Stands(held, p)
}

// Stands reports whether a row is at the positions of p.
func Stands(row shard.Lease, p Progress) bool {
	same := func(a, b shard.Position) bool { return a.Compare(b) == 0 }
	return same(row.Checkpoint, p.Position) && maps.EqualFunc(row.Marks, p.Marks, same)
}

// Further reports whether a row is ahead of p: then something was written that p
// does not know of. A finished row is ahead of nothing.
func Further(row shard.Lease, p Progress) bool {
	if row.Finished() {
		return false
	}
	marks := Marks(row)
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

// NotBehind is p, or what the row says where that is ahead of p: what was
// written with effects is never taken back.
func NotBehind(row shard.Lease, p Progress) Progress {
	if Further(row, p) {
		return Progress{Position: row.Checkpoint, Arrived: row.LastArrival, ReadUpTo: row.ReadUpTo, Marks: row.Marks}
	}
	return p
}

// Marks are the marks of a row that are believed: none if they are not of its
// position, because somebody has moved that by hand.
func Marks(row shard.Lease) map[string]shard.Position {
	found := false
	for _, at := range row.Marks {
		switch c := at.Compare(row.Checkpoint); {
		case c < 0:
			return nil
		case c == 0:
			found = true
		}
	}
	if !found {
		return nil
	}
	return row.Marks
}

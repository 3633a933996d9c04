package shard

import (
	"fmt"
	"math/big"
	"slices"
)

// Hole is a part of the stream that no row leads to. A table without holes is
// one whose rows, worked to their end, deliver everything.
type Hole struct {
	// Shard is the listed shard that nothing leads to; empty for a range.
	Shard string
	// Range is the range of hashes that no unfinished row covers; zero for a
	// shard.
	Range HashRange
	// Why says what was looked for and not found.
	Why string
}

// String shows the hole on one line.
func (h Hole) String() string {
	if h.Shard == "" {
		return fmt.Sprintf("hashes %s to %s: %s", h.Range.Start, h.Range.End, h.Why)
	}
	return h.Shard + ": " + h.Why
}

// Holes audits the table in two ways that share nothing but their input: by
// lineage (every listed shard has a row, or a descendant that was started, or
// unfinished ancestors on every side that will lead to it), and by hashes (the
// unfinished rows cover all of them). The second is left out where the shards
// have no ranges, as on DynamoDB Streams, or none is open any more.
//
// While a shard is created or ends, one audit may see a hole that the next does
// not. Two in a row mean it.
func (l *Lineage) Holes() []Hole {
	var holes []Hole
	memo := make(map[string]bool)
	for _, id := range l.ids {
		if _, listed := l.listed[id]; !listed || l.covered(id, memo) {
			continue
		}
		why := "listed, without a row, and no ancestor leads to it"
		if slices.ContainsFunc(l.parents[id], l.finished) {
			why = "listed, without a row, though a parent is finished"
		}
		holes = append(holes, Hole{Shard: id, Why: why})
	}
	return append(holes, l.gaps()...)
}

// covered reports whether a shard has a row, is behind the fleet, or lies below
// rows that will create its own when they end.
func (l *Lineage) covered(id string, memo map[string]bool) bool {
	if c, ok := memo[id]; ok {
		return c
	}
	memo[id] = false // what is only covered by itself is not
	c := l.passed[id]
	if _, has := l.rows[id]; has {
		c = true
	} else if !c && len(l.parents[id]) > 0 {
		c = true
		for _, parent := range l.parents[id] {
			if l.finished(parent) || !l.covered(parent, memo) {
				c = false
				break
			}
		}
	}
	memo[id] = c
	return c
}

// maxHash is the last partition-key hash, 2¹²⁸ − 1.
var maxHash = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))

// gaps are the hashes that no unfinished row takes. A row counts from when one
// of its parents is done, so that a merge of which only one half is done has no
// gap: the other half's parent covers itself.
func (l *Lineage) gaps() []Hole {
	type span struct{ start, end *big.Int }
	var spans []span
	open := false
	for _, id := range l.ids {
		s, listed := l.listed[id]
		open = open || listed && s.Open()
		row, ok := l.rows[id]
		if !ok || l.finished(id) || !l.counts(id) {
			continue
		}
		hashes := row.Hashes
		if hashes == (HashRange{}) {
			hashes = s.Hashes
		}
		start, ok1 := new(big.Int).SetString(hashes.Start, 10)
		end, ok2 := new(big.Int).SetString(hashes.End, 10)
		if !ok1 || !ok2 {
			return nil
		}
		spans = append(spans, span{start, end})
	}
	if !open || !l.ranged() {
		return nil
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start.Cmp(b.start) })
	var holes []Hole
	next := big.NewInt(0)
	one := big.NewInt(1)
	gap := func(to *big.Int) {
		holes = append(holes, Hole{
			Range: HashRange{Start: next.String(), End: to.String()},
			Why:   "no unfinished row takes them",
		})
	}
	for _, s := range spans {
		if s.start.Cmp(next) > 0 {
			gap(new(big.Int).Sub(s.start, one))
		}
		if s.end.Cmp(next) >= 0 {
			next = new(big.Int).Add(s.end, one)
		}
	}
	if next.Cmp(maxHash) <= 0 {
		gap(maxHash)
	}
	return holes
}

// counts reports whether a row's range is its own already, rather than still
// that of its parents.
func (l *Lineage) counts(id string) bool {
	waiting := false
	for _, parent := range l.parents[id] {
		if _, ok := l.rows[parent]; ok && !l.finished(parent) {
			waiting = true
			continue
		}
		return true
	}
	return !waiting
}

// ranged reports whether every listed open shard has a range.
func (l *Lineage) ranged() bool {
	for _, s := range l.listed {
		if s.Open() && s.Hashes == (HashRange{}) {
			return false
		}
	}
	return true
}

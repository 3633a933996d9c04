package shard

import (
	"fmt"
	"testing"
	"time"
)

// What a service lists may be wrong: parents in a circle, a shard that is its own
// parent, one that nobody knows, an id twice. Nothing of it hangs or panics, what
// can be read is read, and no shard is read before a parent that is listed.
func TestListingsThatMakeNoSenseAreBorne(t *testing.T) {
	open := func(id string, parents ...string) Shard { return Shard{ID: id, Parents: parents} }
	ended := func(id string, parents ...string) Shard { return Shard{ID: id, Parents: parents, LastSequence: "9"} }
	rows := func(listed []Shard) (all []Lease) {
		made := map[string]bool{}
		for _, s := range listed {
			if !made[s.ID] {
				made[s.ID] = true
				all = append(all, Lease{Key: s.ID, Shard: s.ID, Parents: s.Parents, Checkpoint: TrimHorizon()})
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		listed []Shard
		runs   []string
		waits  []string
	}{
		"a circle of two":       {[]Shard{open("a", "b"), open("b", "a"), open("c")}, []string{"c"}, nil},
		"a circle of three":     {[]Shard{open("a", "b"), open("b", "c"), open("c", "a"), open("d")}, []string{"d"}, nil},
		"its own parent":        {[]Shard{open("a", "a"), open("b")}, []string{"b"}, nil},
		"a parent nobody knows": {[]Shard{open("a", "gone")}, []string{"a"}, nil},
		"an id twice":           {[]Shard{ended("p"), open("a", "p"), ended("p"), open("a", "p")}, []string{"p"}, []string{"a"}},
		"a parent twice":        {[]Shard{ended("p"), open("a", "p", "p")}, []string{"p"}, []string{"a"}},
		"an id that is empty":   {[]Shard{open(""), open("a")}, []string{"a"}, nil},
	} {
		for _, have := range [][]Lease{nil, rows(c.listed)} {
			l := NewLineage(c.listed, have)
			missing := l.Missing(TrimHorizon(), Stream{Now: time.Unix(1e9, 0)})
			_ = fmt.Sprint(missing, l.Deletable(), l.Gone(), l.Holes())
			if have == nil {
				continue
			}
			for _, id := range c.runs {
				if !l.Runnable(id) {
					t.Errorf("%s: shard %q cannot be read", name, id)
				}
			}
			for _, id := range c.waits {
				if l.Runnable(id) {
					t.Errorf("%s: shard %q is read before its parent", name, id)
				}
			}
		}
	}
}

// A hundred thousand shards, each the child of the one before: what is decided of
// them takes time in their number and not in its square, and no stack.
func TestListingOfAHundredThousandShardsIsDecided(t *testing.T) {
	const n = 100_000
	listed, rows := make([]Shard, n), make([]Lease, n)
	for i := range n {
		id := fmt.Sprintf("shardId-%012d", i)
		listed[i] = Shard{ID: id, LastSequence: "9"}
		rows[i] = Lease{Key: id, Shard: id, Checkpoint: TrimHorizon()}
		if i > 0 {
			parent := listed[i-1].ID
			listed[i].Parents, rows[i].Parents = []string{parent}, []string{parent}
		}
	}
	listed[n-1].LastSequence = ""
	now := time.Unix(1e9, 0)
	l := NewLineage(listed, rows)
	for i := range n {
		if l.Runnable(listed[i].ID) != (i == 0) {
			t.Fatalf("shard %d of the chain: it can be read: %v", i, i != 0)
		}
	}
	if missing := l.Missing(TrimHorizon(), Stream{Now: now}); len(missing) != 0 {
		t.Errorf("%d rows are missing", len(missing))
	}
	if missing := NewLineage(listed, nil).Missing(TrimHorizon(), Stream{Now: now}); len(missing) == 0 {
		t.Error("of a table without rows none is missing")
	}
	_ = fmt.Sprint(len(l.Deletable()), len(l.Gone()), len(l.Holes()))
}

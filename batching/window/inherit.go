package window

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrMerge is the error of a shard that can not begin because both its parents
// hold a window of one key, and Spec.Merge is not set. It begins when it is.
var ErrMerge = errors.New("two windows of one key are to become one, and Spec.Merge is nil")

// floor is a watermark that holds for part of a shard's hashes: those that were
// a parent's which was further than the other.
type floor struct {
	hashes hashes
	mark   int64
}

// merger makes one state of two, the earlier window's first; nil if it can not.
type merger func(into, from []byte) ([]byte, error)

// combine makes one window of two. What was given out of either is no longer
// right, so that the whole is given out once more.
func combine(a, b pane, merge merger) (pane, error) {
	if merge == nil {
		return pane{}, ErrMerge
	}
	if b.start < a.start {
		a, b = b, a
	}
	state, err := merge(a.state, b.state)
	if err != nil {
		return pane{}, fmt.Errorf("merge two windows: %w", err)
	}
	given := slices.Clone(a.given)
	for _, g := range b.given {
		if !slices.Contains(given, g) {
			given = append(given, g)
		}
	}
	return pane{
		span: a.join(b.span), open: true, revision: max(a.revision, b.revision),
		given: given, state: state,
	}, nil
}

// takes reports whether a child with these hashes takes over a key of a parent.
// The hashes of all children are those of the parent, so that exactly one does.
// A key that does not hash into its shard (its producer gave a hash of its own,
// or the key is not the partition key) goes where the shard's first hash goes.
func (r hashes) takes(parent hashes, key string) bool {
	if !r.set || !parent.set {
		return true // a shard of a DynamoDB stream has one child
	}
	h := hashOf(key)
	if !parent.contain(h) {
		h = parent.first
	}
	return r.contain(h)
}

// inherit is the book with which a shard begins after its parents ended. Its
// watermark is that of the parent that was least far; for the hashes of the
// others a floor remains. With join set, windows that overlap become one, and
// else those with the same bounds.
func inherit(own hashes, parents []*book, join bool, merge merger) (*book, error) {
	b := newBook()
	b.hashes = own
	for i, p := range parents {
		b.generation = max(b.generation, p.generation+1)
		if i == 0 || p.mark < b.mark {
			b.mark = p.mark
		}
	}
	for _, p := range parents {
		for _, f := range append([]floor{{p.hashes, p.mark}}, p.floors...) {
			f.hashes = f.hashes.within(own)
			if f.hashes.set && f.mark > b.mark {
				b.floors = append(b.floors, f)
			}
		}
		for key, panes := range p.panes {
			if !own.takes(p.hashes, key) {
				continue
			}
			mine := b.panes[key]
			for _, one := range panes {
				var err error
				if mine, err = insert(mine, one, join, merge); err != nil {
					return nil, err
				}
			}
			b.panes[key] = mine
		}
	}
	for key, panes := range b.panes {
		slices.SortFunc(panes, func(a, b pane) int { return cmp.Compare(a.start, b.start) })
		b.bytes += sizeOf(key, panes)
		b.count += len(panes)
	}
	return b, nil
}

// insert adds a window to those of its key.
func insert(panes []pane, one pane, join bool, merge merger) ([]pane, error) {
	for i := range panes {
		if panes[i].span != one.span && !(join && panes[i].overlaps(one.span)) {
			continue
		}
		whole, err := combine(panes[i], one, merge)
		if err != nil {
			return nil, err
		}
		return insert(slices.Delete(slices.Clone(panes), i, i+1), whole, join, merge)
	}
	return append(slices.Clip(panes), one), nil
}

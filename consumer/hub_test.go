package consumer

import (
	"fmt"
	"testing"

	"github.com/towpath/towpath/shard"
)

// chunkOf has the records from one number to another, ten bytes each.
func chunkOf(from, to int) (c fetched) {
	for n := from; n <= to; n++ {
		c.Records = append(c.Records, shard.Record{Sequence: fmt.Sprint(n), Data: make([]byte, 10)})
	}
	c.held = c.Bytes()
	return c
}

// numbersOf are the sequence numbers that wait in a feed.
func numbersOf(f *feed) (numbers string) {
	for _, c := range f.queue {
		for _, r := range c.Records {
			numbers += r.Sequence + " "
		}
	}
	return numbers
}

// A handler that has read further than the others joins them, and gets nothing
// twice; one that is detached gets nothing of theirs. The budget counts a record
// until the last that has it is done with it.
func TestFeedJoinsWithoutRepeating(t *testing.T) {
	w := &worker{budget: newBudget(1 << 20)}
	at := func(n int) place { return place{after: shard.After(fmt.Sprint(n), 0)} }
	h := newHub(w, "s", nil, []place{at(3), at(3), at(1)})
	near, ahead, behind := h.feeds[0], h.feeds[1], h.feeds[2]
	if !near.attached || !ahead.attached || behind.attached {
		t.Fatal("who begins behind the others does not begin detached, or somebody else does")
	}
	read := func(c fetched) fetched {
		if _, err := w.budget.reserve(t.Context(), c.held); err != nil {
			t.Fatal(err)
		}
		return c
	}
	ahead.moveTo(at(1)) // it has been elsewhere, and reads by itself
	ahead.keep(read(chunkOf(2, 5)))
	h.join(ahead)
	behind.keep(read(chunkOf(2, 2)))
	h.join(behind)
	if !ahead.attached || behind.attached {
		t.Fatalf("attached: %v and %v, want only who has read as far as the others", ahead.attached, behind.attached)
	}
	h.give(read(chunkOf(4, 7)))
	if a, b, c := numbersOf(near), numbersOf(ahead), numbersOf(behind); a != "4 5 6 7 " || b != "2 3 4 5 6 7 " || c != "2 " {
		t.Errorf("they have %q, %q and %q", a, b, c)
	}
	chunk := chunkOf(1, 9)
	size := chunk.Bytes() / 9
	if held := w.budget.inUse(); held != (4+1+4)*size {
		t.Errorf("%d bytes are held, want %d", held, 9*size)
	}
	near.queue[0].share.give(0, 4)
	if held := w.budget.inUse(); held != (4+1+2)*size {
		t.Errorf("%d bytes are held when one of two is done, want those that the other has: %d", held, 7*size)
	}
	h.close()
	if held := w.budget.inUse(); held != 0 {
		t.Errorf("%d bytes are held in the end", held)
	}
}

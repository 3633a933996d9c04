package checkpoint

import (
	"math"
	"time"

	"github.com/towpath/towpath/shard"
)

// Tracker turns completions that arrive in any order into the one position that
// is safe to save: the furthest with no unfinished record at or before it.
//
// With finished(r) true once Done has been called for r's ticket,
//
//	Mark = max { p : finished(r) for every begun r with position(r) ≤ p }
//
// so that a record on its way to a destination, or in a lane that is stuck,
// holds the mark back however far the others get.
//
// A Tracker is used by one goroutine at a time. It belongs to one tenure of one
// shard; a new tenure begins with a new one.
type Tracker struct {
	// ring holds the records between the oldest unfinished and the last begun:
	// ticket t stands at ring[t & (len(ring)-1)]. Its length is a power of two.
	ring []tracked
	// first is the ticket of the oldest unfinished record, next the one that
	// the next record gets. Nothing is unfinished when they are equal.
	first, next int64
	// pending is how many records between the two are unfinished.
	pending int
	mark    shard.Position
	arrived time.Time
}

// tracked is what a record costs while it is in the ring: 40 bytes beside the
// sequence number, which the record shares.
type tracked struct {
	sequence string
	sub      int64
	arrived  int64 // Unix nanoseconds, or unknownArrival
	done     bool
}

const unknownArrival = math.MinInt64

// firstRing is the capacity a tracker starts with when its first record comes.
// An idle shard's tracker has none.
const firstRing = 64

// NewTracker starts at the position and arrival of from, which are the mark
// until a record is finished.
func NewTracker(from Progress) *Tracker {
	return &Tracker{mark: from.Position, arrived: from.Arrived}
}

// Begin notes that a record is in hand, and returns the ticket to finish it by.
// Tickets count from 0. Records come in the order of the shard; one that does
// not can hold the mark back, but never moves it back.
func (t *Tracker) Begin(r *shard.Record) (ticket int64) {
	if int(t.next-t.first) == len(t.ring) {
		t.grow()
	}
	arrived := int64(unknownArrival)
	if !r.ArrivedAt.IsZero() {
		arrived = r.ArrivedAt.UnixNano()
	}
	*t.at(t.next) = tracked{sequence: r.Sequence, sub: r.Sub, arrived: arrived}
	t.next++
	t.pending++
	return t.next - 1
}

// Rest lets go of the room that was needed, if nothing is unfinished: a shard to
// which nothing comes costs none.
func (t *Tracker) Rest() {
	if t.first == t.next {
		t.ring = nil
	}
}

// at is where a ticket stands in the ring.
func (t *Tracker) at(ticket int64) *tracked {
	return &t.ring[ticket&int64(len(t.ring)-1)]
}

// grow doubles the ring. Each record is moved less than once on average.
func (t *Tracker) grow() {
	old := *t
	t.ring = make([]tracked, max(firstRing, 2*len(old.ring)))
	for ticket := t.first; ticket < t.next; ticket++ {
		*t.at(ticket) = *old.at(ticket)
	}
}

// Done notes that records are finished: handled, accepted by a destination, or
// dropped by a policy that somebody named. A ticket that is finished already, or
// that Begin never gave, is ignored.
func (t *Tracker) Done(tickets ...int64) {
	for _, ticket := range tickets {
		if ticket < t.first || ticket >= t.next {
			continue
		}
		if slot := t.at(ticket); !slot.done {
			slot.done = true
			t.pending--
		}
	}
	t.advance()
}

// advance moves the mark over what is finished, and lets go of it.
func (t *Tracker) advance() {
	var last tracked
	moved := false
	for t.first < t.next && t.at(t.first).done {
		slot := t.at(t.first)
		last, moved = *slot, true
		*slot = tracked{}
		t.first++
	}
	if !moved {
		return
	}
	position := shard.After(last.sequence, last.sub)
	if position.Compare(t.mark) < 0 {
		return
	}
	t.mark, t.arrived = position, time.Time{}
	if last.arrived != unknownArrival {
		t.arrived = time.Unix(0, last.arrived).UTC()
	}
}

// Mark is the furthest position with no unfinished record at or before it, and
// when the record there arrived (zero if that is not known). It never goes back.
func (t *Tracker) Mark() (shard.Position, time.Time) { return t.mark, t.arrived }

// Pending is how many records are begun and not finished.
func (t *Tracker) Pending() int { return t.pending }

// FinishedBefore reports whether every record is finished that was begun before
// the one with the ticket.
func (t *Tracker) FinishedBefore(ticket int64) bool { return ticket <= t.first }

// Oldest is the unfinished record that holds the mark, and false if there is
// none.
func (t *Tracker) Oldest() (shard.Position, bool) {
	if t.first == t.next {
		return shard.Position{}, false
	}
	slot := t.at(t.first)
	return shard.After(slot.sequence, slot.sub), true
}

// OldestArrived is when that record arrived; zero if there is none, or it is not
// known.
func (t *Tracker) OldestArrived() time.Time {
	if t.first == t.next || t.at(t.first).arrived == unknownArrival {
		return time.Time{}
	}
	return time.Unix(0, t.at(t.first).arrived).UTC()
}

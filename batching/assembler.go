package batching

import (
	"math"
	"time"

	"github.com/towpath/towpath/shard"
)

// Gathering says when a batch is full or due.
type Gathering struct {
	// Records is how many records a batch has at most; 0 is no bound.
	Records int
	// Bytes is how many bytes a batch has at most, as shard.Record.Size counts
	// them; 0 is no bound. A record larger than that is a batch of its own.
	Bytes int64
	// Window is how long a record waits for others. 0 is not at all: what has
	// come by the time a handler is free is its batch.
	Window time.Duration
}

// Gathered is what an Assembler gives for one call of a handler.
type Gathered struct {
	// Records are the records and Tickets, one for each, what finishes them.
	Records []shard.Record
	Tickets []int64
	// Behind is how far the reader was behind the tip at the last of them.
	Behind time.Duration
	// Bytes is the sum of their sizes.
	Bytes int64
}

// Assembler gathers the records of one lane into batches. It is used by one
// goroutine at a time, has no clock of its own, and bounds the batches, not what
// is gathered: whoever adds asks Bytes before it reads on.
type Assembler struct {
	limits Gathering
	// queue[head:] is what is gathered, oldest first; what lies before head is
	// cleared.
	queue []gathered
	head  int
	bytes int64
	// flushed is how many of the oldest records do not wait any more.
	flushed int
}

// gathered is a record that waits.
type gathered struct {
	record shard.Record
	ticket int64
	behind time.Duration
	added  time.Time
}

// NewAssembler is an empty assembler within the given bounds.
func NewAssembler(g Gathering) *Assembler { return &Assembler{limits: g} }

// Add puts a record behind those that are gathered. Its window begins now.
func (a *Assembler) Add(r shard.Record, ticket int64, behind time.Duration, now time.Time) {
	if a.head > 0 && len(a.queue) == cap(a.queue) {
		a.compact()
	}
	a.queue = append(a.queue, gathered{record: r, ticket: ticket, behind: behind, added: now})
	a.bytes += int64(r.Size())
}

// compact moves what is gathered to the front, if that frees half of the room;
// so each record is moved at most once on average.
func (a *Assembler) compact() {
	if a.head < len(a.queue)/2 {
		return
	}
	n := copy(a.queue, a.queue[a.head:])
	clear(a.queue[n:])
	a.queue, a.head = a.queue[:n], 0
}

// Due reports whether a batch is to be called now: there are records, and they
// are enough in number or bytes, or the oldest has waited for its window, or
// they were flushed.
func (a *Assembler) Due(now time.Time) bool {
	if a.Len() == 0 {
		return false
	}
	return a.full() || now.Sub(a.queue[a.head].added) >= a.limits.Window
}

// full reports whether the oldest record need not wait.
func (a *Assembler) full() bool {
	return a.flushed > 0 || a.limits.Window <= 0 ||
		a.limits.Records > 0 && a.Len() >= a.limits.Records ||
		a.limits.Bytes > 0 && a.bytes >= a.limits.Bytes
}

// DueAt is when a batch is due if nothing is added, and false if nothing is
// gathered. It is not after now exactly if Due(now).
func (a *Assembler) DueAt() (time.Time, bool) {
	if a.Len() == 0 {
		return time.Time{}, false
	}
	at := a.queue[a.head].added
	if !a.full() {
		at = at.Add(a.limits.Window)
	}
	return at, true
}

// Take is the oldest records, as many as one batch may have but always one if
// there is one. What remains keeps the time at which it was added. The slices
// are the caller's to keep.
func (a *Assembler) Take() Gathered { return a.take(a.fitting(math.MaxInt64)) }

// TakeUpTo is Take of records whose ticket is not above last; none if there are
// none. A shard that is being left finishes with it what lies before records
// that other lanes have finished already.
func (a *Assembler) TakeUpTo(last int64) Gathered { return a.take(a.fitting(last)) }

func (a *Assembler) take(n int, size int64) Gathered {
	if n == 0 {
		return Gathered{}
	}
	g := Gathered{Records: make([]shard.Record, n), Tickets: make([]int64, n), Bytes: size}
	taken := a.queue[a.head : a.head+n]
	for i := range taken {
		g.Records[i], g.Tickets[i] = taken[i].record, taken[i].ticket
	}
	g.Behind = taken[n-1].behind
	clear(taken)
	a.head += n
	a.bytes -= size
	a.flushed = max(0, a.flushed-n)
	if a.head == len(a.queue) {
		a.empty()
	}
	return g
}

// keptRoom is the room, in records, that an empty assembler keeps: about 0.2 MB
// a lane at most.
const keptRoom = 1024

// empty starts the queue anew, and lets go of the room a burst needed.
func (a *Assembler) empty() {
	a.queue, a.head = a.queue[:0], 0
	if cap(a.queue) > keptRoom {
		a.queue = nil
	}
}

// fitting is how many of the oldest records make a batch, none with a ticket
// above last, and their bytes.
func (a *Assembler) fitting(last int64) (n int, size int64) {
	waiting := a.queue[a.head:]
	for n < len(waiting) && waiting[n].ticket <= last {
		if a.limits.Records > 0 && n >= a.limits.Records {
			break
		}
		next := size + int64(waiting[n].record.Size())
		if a.limits.Bytes > 0 && n > 0 && next > a.limits.Bytes {
			break
		}
		size = next
		n++
	}
	return n, size
}

// Return puts records that were taken back in front of those that are gathered,
// in order. They are due at once.
func (a *Assembler) Return(g Gathered) {
	n := len(g.Records)
	if n == 0 {
		return
	}
	queue := make([]gathered, n, n+a.Len())
	for i := range g.Records {
		queue[i] = gathered{record: g.Records[i], ticket: g.Tickets[i], behind: g.Behind}
		a.bytes += int64(g.Records[i].Size())
	}
	if waiting := a.queue[a.head:]; len(waiting) > 0 {
		for i := range queue {
			queue[i].added = waiting[0].added
		}
		queue = append(queue, waiting...)
	}
	a.queue, a.head = queue, 0
	a.flushed += n
}

// Extract takes out the records that match, in order, and leaves the others in
// theirs.
func (a *Assembler) Extract(match func(*shard.Record) bool) Gathered {
	var g Gathered
	kept := a.queue[:a.head]
	flushed := a.flushed
	for i := a.head; i < len(a.queue); i++ {
		w := &a.queue[i]
		if !match(&w.record) {
			kept = append(kept, *w)
			continue
		}
		size := int64(w.record.Size())
		g.Records, g.Tickets = append(g.Records, w.record), append(g.Tickets, w.ticket)
		g.Behind, g.Bytes = w.behind, g.Bytes+size
		a.bytes -= size
		if i-a.head < flushed {
			a.flushed--
		}
	}
	clear(a.queue[len(kept):])
	a.queue = kept
	if a.head == len(a.queue) {
		a.empty()
	}
	return g
}

// Flush makes what is gathered now due at once, such as when the shard has
// ended or the worker stops.
func (a *Assembler) Flush() { a.flushed = a.Len() }

// Len is how many records are gathered.
func (a *Assembler) Len() int { return len(a.queue) - a.head }

// Bytes is the sum of their sizes.
func (a *Assembler) Bytes() int64 { return a.bytes }

// Oldest is when the oldest of them was added, and false if there is none.
func (a *Assembler) Oldest() (time.Time, bool) {
	if a.Len() == 0 {
		return time.Time{}, false
	}
	return a.queue[a.head].added, true
}

package batching

import (
	"math"
	"slices"
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
//
// Records that were added together (AddAll) are not copied as long as a batch
// lies within them: it is a view of what was added, and keeps all of that alive.
type Assembler struct {
	limits Gathering
	// queue[head:] is what is gathered, oldest first, none of them empty; what
	// lies before head is cleared.
	queue []stretch
	head  int
	count int
	bytes int64
	// flushed is how many of the oldest records do not wait any more.
	flushed int
	// last is how many the last batch had: as many are expected for the next.
	last int
}

// stretch is records that were added at one time. Nobody else has them.
type stretch struct {
	records []shard.Record
	tickets []int64
	behind  time.Duration
	added   time.Time
	whole   int  // how many it was at first
	open    bool // there may be room behind them that is the assembler's own
}

// NewAssembler is an empty assembler within the given bounds.
func NewAssembler(g Gathering) *Assembler { return &Assembler{limits: g} }

// Add puts a record behind those that are gathered. Its window begins now.
func (a *Assembler) Add(r shard.Record, ticket int64, behind time.Duration, now time.Time) {
	if last := len(a.queue) - 1; last < a.head || !a.queue[last].takes(behind, now) {
		room := min(a.last, mostRoom)
		a.push(stretch{
			records: make([]shard.Record, 0, room), tickets: make([]int64, 0, room), behind: behind, added: now, open: true,
		})
	}
	last := &a.queue[len(a.queue)-1]
	last.records, last.tickets = append(last.records, r), append(last.tickets, ticket)
	last.whole = len(last.records)
	a.count++
	a.bytes += int64(r.Size())
}

// mostRoom is how many records room is made for before they come: about 0.15 MB.
const mostRoom = 1024

func (s *stretch) takes(behind time.Duration, now time.Time) bool {
	return s.open && s.behind == behind && s.added.Equal(now)
}

// AddAll is Add of several in order, with a ticket for each. Both slices are the
// assembler's from now on.
func (a *Assembler) AddAll(records []shard.Record, tickets []int64, behind time.Duration, now time.Time) {
	n := len(records)
	if n == 0 {
		return
	}
	a.push(stretch{records: records[:n:n], tickets: tickets[:n:n], behind: behind, added: now, whole: n})
	a.count += n
	for i := range records {
		a.bytes += int64(records[i].Size())
	}
}

// push puts a stretch behind the others. What is cleared before them is made use
// of when it is half of the room, so that each is moved at most once on average.
func (a *Assembler) push(s stretch) {
	if a.head > 0 && len(a.queue) == cap(a.queue) && a.head >= len(a.queue)/2 {
		n := copy(a.queue, a.queue[a.head:])
		clear(a.queue[n:])
		a.queue, a.head = a.queue[:n], 0
	}
	a.queue = append(a.queue, s)
}

// first is the oldest stretch. There must be one.
func (a *Assembler) first() *stretch { return &a.queue[a.head] }

// Due reports whether a batch is to be called now: there are records, and they
// are enough in number or bytes, or the oldest has waited for its window, or
// they were flushed.
func (a *Assembler) Due(now time.Time) bool {
	if a.count == 0 {
		return false
	}
	return a.full() || now.Sub(a.first().added) >= a.limits.Window
}

// full reports whether the oldest record need not wait.
func (a *Assembler) full() bool {
	return a.flushed > 0 || a.limits.Window <= 0 ||
		a.limits.Records > 0 && a.count >= a.limits.Records ||
		a.limits.Bytes > 0 && a.bytes >= a.limits.Bytes
}

// DueAt is when a batch is due if nothing is added, and false if nothing is
// gathered. It is not after now exactly if Due(now).
func (a *Assembler) DueAt() (time.Time, bool) {
	at, ok := a.Oldest()
	if ok && !a.full() {
		at = at.Add(a.limits.Window)
	}
	return at, ok
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
	g := Gathered{Bytes: size}
	if n <= len(a.first().records) {
		g.Behind = a.first().behind
		g.Records, g.Tickets = a.first().shift(n)
	} else {
		g.Records, g.Tickets = make([]shard.Record, 0, n), make([]int64, 0, n)
	}
	for len(g.Records) < n {
		records, tickets := a.first().shift(n - len(g.Records))
		g.Records, g.Tickets = append(g.Records, records...), append(g.Tickets, tickets...)
		g.Behind = a.first().behind
		if len(a.first().records) == 0 && len(g.Records) < n {
			a.drop()
		}
	}
	if len(a.first().records) == 0 {
		a.drop()
	}
	a.count -= n
	a.bytes -= size
	a.last = n
	a.flushed = max(0, a.flushed-n)
	if a.count > 0 && !a.full() {
		a.first().shrink()
	}
	return g
}

// shift takes up to n records out.
func (s *stretch) shift(n int) ([]shard.Record, []int64) {
	n = min(n, len(s.records))
	records, tickets := s.records[:n:n], s.tickets[:n:n]
	s.records, s.tickets = s.records[n:], s.tickets[n:]
	return records, tickets
}

// shrink copies what remains and is to wait, if it is so little that it would
// keep alive much more than is accounted for.
func (s *stretch) shrink() {
	if len(s.records) <= s.whole/4 {
		s.records, s.tickets = slices.Clone(s.records), slices.Clone(s.tickets)
		s.whole = len(s.records)
	}
}

// drop forgets the oldest stretch.
func (a *Assembler) drop() {
	*a.first() = stretch{}
	if a.head++; a.head == len(a.queue) {
		a.queue, a.head = a.queue[:0], 0
	}
}

// fitting is how many of the oldest records make a batch, none with a ticket
// above last, and their bytes.
func (a *Assembler) fitting(last int64) (n int, size int64) {
	for _, r := range a.queue[a.head:] {
		for i := range r.records {
			if r.tickets[i] > last || a.limits.Records > 0 && n >= a.limits.Records {
				return n, size
			}
			next := size + int64(r.records[i].Size())
			if a.limits.Bytes > 0 && n > 0 && next > a.limits.Bytes {
				return n, size
			}
			size = next
			n++
		}
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
	back := stretch{records: slices.Clone(g.Records), tickets: slices.Clone(g.Tickets), behind: g.Behind, whole: n}
	if a.count > 0 {
		back.added = a.first().added
	}
	a.queue, a.head = slices.Insert(slices.Clone(a.queue[a.head:]), 0, back), 0
	a.count += n
	for i := range g.Records {
		a.bytes += int64(g.Records[i].Size())
	}
	a.flushed += n
}

// Extract takes out the records that match, in order, and leaves the others in
// theirs.
func (a *Assembler) Extract(match func(*shard.Record) bool) Gathered {
	var g Gathered
	var queue []stretch
	at, flushed := 0, a.flushed
	for _, r := range a.queue[a.head:] {
		kept := stretch{behind: r.behind, added: r.added, open: true}
		for i := range r.records {
			to := &kept.records
			tickets := &kept.tickets
			if match(&r.records[i]) {
				to, tickets = &g.Records, &g.Tickets
				g.Behind, g.Bytes = r.behind, g.Bytes+int64(r.records[i].Size())
				if at < flushed {
					a.flushed--
				}
			}
			*to, *tickets = append(*to, r.records[i]), append(*tickets, r.tickets[i])
			at++
		}
		if kept.whole = len(kept.records); kept.whole > 0 {
			queue = append(queue, kept)
		}
	}
	a.queue, a.head = queue, 0
	a.count -= len(g.Records)
	a.bytes -= g.Bytes
	return g
}

// Flush makes what is gathered now due at once, such as when the shard has
// ended or the worker stops.
func (a *Assembler) Flush() { a.flushed = a.count }

// Len is how many records are gathered.
func (a *Assembler) Len() int { return a.count }

// Bytes is the sum of their sizes.
func (a *Assembler) Bytes() int64 { return a.bytes }

// Oldest is when the oldest of them was added, and false if there is none.
func (a *Assembler) Oldest() (time.Time, bool) {
	if a.count == 0 {
		return time.Time{}, false
	}
	return a.first().added, true
}

package prooftest

import (
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Ledger notes what handlers were given and what became of it. It stands outside
// the workers, as a database behind a handler would.
type Ledger struct {
	checker *Checker // whose mu guards what is below

	calls     []*Call
	open      []*Call // those that have not ended
	records   map[place]*entry
	losses    []shard.Loss
	seeks     map[string]int64 // the row's counter when its position was last moved by hand, by shard
	killed    map[string]bool
	unordered bool

	handled, repeated, gaveUp int // records
}

// Call is one call of a handler.
type Call struct {
	// Worker is the worker's name, Shard the shard.
	Worker, Shard string
	// Records is how many it got, First and Last their sequence numbers.
	Records     int
	First, Last string
	// Attempt is the batch's.
	Attempt int
	// Fence is the tenure's token.
	Fence batching.Fence
	// Began and Ended are in virtual time; Ended is zero while it runs.
	Began, Ended time.Time
	// Err is what it answered.
	Err error

	keys map[string]bool
}

// entry is what became of one record.
type entry struct {
	delivered int // calls that got it
	handled   int // calls that finished it
	gaveUp    int // acceptances by the destination
	past      int // of both, those from before the position was moved in front of it
}

func (e *entry) finished() bool { return e.handled+e.gaveUp > e.past }

// Unordered has the ledger expect no order of keys.
func (l *Ledger) Unordered() {
	l.checker.mu.Lock()
	defer l.checker.mu.Unlock()
	l.unordered = true
}

// entry is what became of a record. The caller holds mu.
func (l *Ledger) entry(p place) *entry {
	e := l.records[p]
	if e == nil {
		e = &entry{}
		l.records[p] = e
	}
	return e
}

func (l *Ledger) handle(e *entry) {
	switch e.handled++; e.handled {
	case 1:
		l.handled++
	case 2:
		l.repeated++
	}
}

// outdated reports whether a tenure is from before the position of its shard was
// last moved by hand. The caller holds mu.
func (l *Ledger) outdated(shardID string, f batching.Fence) bool { return f.Counter < l.seeks[shardID] }

// Finish notes that a record is finished although no handler call has said so:
// a transaction of the handler's own holds its effect and its position, and the
// answer was lost. A handler that has done it before is not to do it again.
func (l *Ledger) Finish(shardID, sequence string, sub int64) {
	l.checker.mu.Lock()
	defer l.checker.mu.Unlock()
	l.handle(l.entry(place{shardID, sequence, sub}))
}

// finished reports whether a record is. The caller holds mu.
func (l *Ledger) finished(r *Item) bool {
	e := l.records[r.place()]
	return e != nil && e.finished() || l.lost(r)
}

// lost reports whether a record lies in a declared window. The caller holds mu.
func (l *Ledger) lost(r *Item) bool {
	if len(l.losses) == 0 {
		return false
	}
	at := r.Position()
	for _, loss := range l.losses {
		if loss.Shard == r.Shard && at.Compare(loss.After) > 0 && at.Compare(loss.Until) < 0 {
			return true
		}
	}
	return l.checker.forsaken(r.Shard)
}

// lostToTheEnd reports whether the rest of a shard was declared lost. The caller
// holds mu.
func (l *Ledger) lostToTheEnd(shardID string) bool {
	return slices.ContainsFunc(l.losses, func(w shard.Loss) bool { return w.Shard == shardID && w.Until.IsEnd() })
}

// Calls are the calls so far, in the order in which they began.
func (l *Ledger) Calls() []Call {
	l.checker.mu.Lock()
	defer l.checker.mu.Unlock()
	calls := make([]Call, len(l.calls))
	for i, c := range l.calls {
		calls[i] = *c
	}
	return calls
}

// Handled is how many records a handler has finished, each counted once.
func (l *Ledger) Handled() int { return l.read(&l.handled) }

// Repeated is how many records were given to a handler again after it, or
// another, had finished them.
func (l *Ledger) Repeated() int { return l.read(&l.repeated) }

// GaveUp is how many records the destination has accepted, each counted once.
func (l *Ledger) GaveUp() int { return l.read(&l.gaveUp) }

// Losses are the windows that were declared lost.
func (l *Ledger) Losses() []shard.Loss {
	l.checker.mu.Lock()
	defer l.checker.mu.Unlock()
	return slices.Clone(l.losses)
}

func (l *Ledger) read(n *int) int {
	l.checker.mu.Lock()
	defer l.checker.mu.Unlock()
	return *n
}

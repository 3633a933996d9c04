package batching

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// Outcome is what a handler's return value says about the records it was given.
type Outcome struct {
	// Failed is set if some records are not done.
	Failed bool
	// From is the index of the first record that is not done; 0 with Failed is
	// the whole range. It means nothing without Failed.
	From int
	// Partial is set if the handler named that record with FailFrom, rather
	// than failing as a whole.
	Partial bool
	// Rejects are the rejected records in order, all before From if Failed.
	Rejects []Rejection
	// Delayed is set if the handler asked for RetryAfter, and After is for how
	// long. No attempt is burnt.
	Delayed bool
	After   time.Duration
	// Err is the handler's error.
	Err error
}

// Rejection is a record that the handler gave up.
type Rejection struct {
	// Index is the record's place in the range.
	Index int
	// Err is why.
	Err error
}

// String shows the outcome on one line, without the error's text.
func (o Outcome) String() string {
	var b strings.Builder
	switch {
	case !o.Failed:
		b.WriteString("done")
	case o.Partial:
		fmt.Fprintf(&b, "failed from %d", o.From)
	default:
		b.WriteString("failed")
	}
	for i, r := range o.Rejects {
		if i == 0 {
			b.WriteString(", rejected")
		}
		fmt.Fprintf(&b, " %d", r.Index)
	}
	if o.Delayed {
		fmt.Fprintf(&b, ", again after %s", o.After)
	}
	return b.String()
}

// Read is what err, returned by a handler that was given records, says.
//
// An error that joins others (errors.Join, or fmt.Errorf with several %w) is
// several failures at once: each that names no record fails the whole range, and
// the lowest place counts. An error that wraps one other only adds words to it.
// Whenever it is not certain that a record is done, it is not.
func Read(records []shard.Record, err error) Outcome {
	if err == nil {
		return Outcome{}
	}
	w := walk{records: records}
	w.visit(err, place{})
	o := Outcome{Err: err}
	if len(w.foreign) > 0 {
		o.Err = fmt.Errorf("the handler named what is not in its batch (%s): %w", strings.Join(w.foreign, ", "), err)
	}
	for _, p := range w.failures {
		switch {
		case !o.Failed || p.from < o.From:
			o.Failed, o.From, o.Partial, o.Delayed, o.After = true, p.from, p.named, p.delayed, p.after
		case p.from == o.From:
			o.Partial = o.Partial && p.named
			o.Delayed, o.After = o.Delayed || p.delayed, max(o.After, p.after)
		}
	}
	slices.SortStableFunc(w.rejects, func(a, b Rejection) int { return cmp.Compare(a.Index, b.Index) })
	for _, r := range w.rejects {
		if o.Failed && r.Index >= o.From {
			break // it is tried again, and may then be rejected again
		}
		if n := len(o.Rejects); n == 0 || o.Rejects[n-1].Index != r.Index {
			o.Rejects = append(o.Rejects, r)
		}
	}
	return o
}

// walk collects what the verbs in a tree of errors say.
type walk struct {
	records  []shard.Record
	index    map[name]int // filled when the first verb is met
	failures []place
	rejects  []Rejection
	foreign  []string
}

// place is what the verbs above an error say of it.
type place struct {
	from     int
	named    bool // by FailFrom
	delayed  bool // by RetryAfter
	after    time.Duration
	rejected bool // the errors below are reasons of a Reject, not failures
}

// visit reads one error, with the verbs above it in at.
func (w *walk) visit(err error, at place) {
	switch e := err.(type) {
	case *failFrom:
		i, ok := w.find(e.named)
		at.from, at.named, at.rejected = i, ok, false
		w.fail(at)
		if e.err != nil {
			w.visit(e.err, at)
		}
	case *reject:
		i, ok := w.find(e.named)
		if !ok || at.delayed {
			w.fail(at)
		}
		if ok {
			why := e.err
			if why == nil {
				why = err
			}
			w.rejects = append(w.rejects, Rejection{Index: i, Err: why})
		}
		if e.err != nil {
			w.visit(e.err, place{from: at.from, named: at.named, rejected: true})
		}
	case *retryAfter:
		at.delayed, at.after = true, max(at.after, e.after)
		if e.err == nil {
			w.fail(at)
			return
		}
		w.visit(e.err, at)
	case *PanicError:
		w.fail(at) // what it was called with is no statement about records
	case interface{ Unwrap() []error }:
		found := false
		for _, inner := range e.Unwrap() {
			if inner != nil {
				found = true
				w.visit(inner, at)
			}
		}
		if !found {
			w.fail(at)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			w.visit(inner, at)
			return
		}
		w.fail(at)
	default:
		w.fail(at)
	}
}

// fail notes a failure at a place, unless it is only the reason of a rejection.
func (w *walk) fail(at place) {
	if !at.rejected {
		w.failures = append(w.failures, at)
	}
}

// find is the index of a named record; 0 and false if it is not in the range,
// which thereby fails from its beginning.
func (w *walk) find(n name) (int, bool) {
	if w.index == nil {
		w.index = make(map[name]int, len(w.records))
		for i := range w.records {
			if k := nameOf(&w.records[i]); !w.has(k) {
				w.index[k] = i
			}
		}
	}
	if !w.has(n) {
		w.foreign = append(w.foreign, n.String())
	}
	i, ok := w.index[n]
	return i, ok
}

func (w *walk) has(n name) bool { _, ok := w.index[n]; return ok }

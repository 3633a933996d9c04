package batching

// Work is what remains of one lane's batch: segments in order, of which the
// first is called next. It starts with the whole batch as one segment, and is
// done when Next has none.
//
//	for s, ok := work.Next(); ok; s, ok = work.Next() {
//		… call the handler with records[s.From:s.To] …
//		work.Settle(policy.Decide(s, Read(records[s.From:s.To], err)))
//	}
//
// It holds at most one segment more than the halvings of the batch, as the
// first half is finished before the second begins.
type Work struct {
	// stack holds the segments last first, in room as long as nothing is split.
	stack []Segment
	room  [1]Segment
}

// NewWork is the work of a batch of so many records.
func NewWork(records int) *Work {
	w := &Work{}
	w.Begin(records)
	return w
}

// Begin makes it the work of a batch of so many records, whatever it was before.
// A Work must not be copied.
func (w *Work) Begin(records int) {
	w.stack = w.room[:0]
	if records > 0 {
		w.stack = append(w.stack, Segment{To: records})
	}
}

// Next is the segment to call now, and false when the batch is done.
func (w *Work) Next() (Segment, bool) {
	if len(w.stack) == 0 {
		return Segment{}, false
	}
	return w.stack[len(w.stack)-1], true
}

// Settle replaces the segment that Next gave by what the verdict leaves of it.
func (w *Work) Settle(v Verdict) {
	if len(w.stack) == 0 {
		return
	}
	w.stack = w.stack[:len(w.stack)-1]
	for i := len(v.Next) - 1; i >= 0; i-- {
		w.stack = append(w.stack, v.Next[i])
	}
}

// Skip takes n records from the head of the segment that Next gave, because
// they are settled without a call: they expired. The attempts were those of
// the first of them.
func (w *Work) Skip(n int) {
	if len(w.stack) == 0 || n <= 0 {
		return
	}
	top := &w.stack[len(w.stack)-1]
	top.From += min(n, top.Len())
	top.Attempts = 0
	if top.Len() == 0 {
		w.stack = w.stack[:len(w.stack)-1]
	}
}

// Remaining is how many records are not settled.
func (w *Work) Remaining() int {
	n := 0
	for _, s := range w.stack {
		n += s.Len()
	}
	return n
}

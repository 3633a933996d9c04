package prooftest

import (
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// course is what a tenure has done: which records it was given, and which of them
// it has finished.
type course struct {
	given map[place]bool // whether it is finished
	low   int            // so many of the shard's records, from the first on, are finished or before its beginning
}

// debt is a shard that has ended, and whose children must have rows as soon as
// the write that ended it is over.
type debt struct {
	at    time.Time
	shard string
}

// Heirs may be implemented by a World that knows which shards came of one.
type Heirs interface {
	// Children are those of a shard, also when it is not listed any more.
	Children(shardID string) []string
}

// Bounded has the checker hold that no more than so many records lie between the
// first of a shard that a tenure has not finished and the last that it was given:
// MaximumInFlight, and the most that one read brings. 0 is no bound.
func (c *Checker) Bounded(records int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = records
}

// follows looks at what a call is given within its tenure: nothing that the
// tenure has finished comes again, and nothing of a key is jumped over, not even
// what an earlier tenure has finished. The caller holds mu.
func (c *Checker) follows(t *tenure, call *Call, records []shard.Record) {
	if t.course.given == nil {
		t.course.given = map[place]bool{}
	}
	for i := range records {
		r := &records[i]
		if t.course.given[placeOf(r)] {
			c.breaks("Inv-6: %s was given %s again in tenure %s, which had finished it", call.Worker, placeOf(r), t.fence)
		}
		if _, again := t.course.given[placeOf(r)]; again {
			continue
		}
		t.course.given[placeOf(r)] = false
		if !r.Keyed || c.Ledger.unordered {
			continue
		}
		before := c.before(r)
		if before == nil || before.Shard != r.Shard || t.before(before) || !c.asked(before) || c.isParked(before) || c.Ledger.lost(before) || c.world.Trimmed(before) {
			continue // what an earlier tenure has finished may have been trimmed before this one began
		}
		if _, was := t.course.given[before.place()]; !was {
			c.breaks("Inv-6: %s was given %s of key %q in tenure %s, which began after %s and was never given the one before, %s",
				call.Worker, placeOf(r), r.PartitionKey, t.fence, t.after, before.ID())
		}
	}
	c.within(t, call, records)
}

// before reports whether a record lies before a tenure's beginning.
func (t *tenure) before(r *Item) bool {
	p := r.Position()
	return t.after.IsRecord() && p.Compare(t.after) <= 0
}

// within looks at how far a tenure runs ahead of what it has not finished. The
// caller holds mu.
func (c *Checker) within(t *tenure, call *Call, records []shard.Record) {
	if c.bound == 0 {
		return
	}
	all := c.index.track(call.Shard).records
	for t.course.low < len(all) {
		r := all[t.course.low]
		e := c.Ledger.records[r.place()]
		if !t.before(r) && !t.course.given[r.place()] && (e == nil || e.gaveUp == 0) && c.asked(r) && !c.Ledger.lost(r) {
			break
		}
		t.course.low++
	}
	last := records[len(records)-1].Position()
	ahead := 0
	for _, r := range all[t.course.low:] {
		if p := r.Position(); p.Compare(last) > 0 {
			break
		}
		ahead++
	}
	if ahead > c.bound {
		c.breaks("Inv-14: %s was given %s, %d records ahead of the first that is not finished, want %d at most", call.Worker, last, ahead, c.bound)
	}
}

// courseOf is the tenure that a call belongs to, if it is known. The caller holds
// mu.
func (c *Checker) courseOf(call *Call) *tenure {
	for _, t := range c.tenures[call.Shard] {
		if t.worker == call.Worker && t.fence.Compare(call.Fence) == 0 {
			return t
		}
	}
	return nil
}

// finishedIn notes which records a call has finished in its tenure. What it said
// when the tenure was over is not believed by anybody. The caller holds mu.
func (c *Checker) finishedIn(call *Call, b *batching.Batch, done int, rejected map[int]bool) {
	t := c.courseOf(call)
	if t == nil || t.course.given == nil || b.Held != nil && !b.Held() {
		return
	}
	for i := range done {
		if !rejected[i] {
			t.course.given[placeOf(&b.Records[i])] = true
		}
	}
}

// owes notes that a shard has ended: at no later moment may a child of it be
// without a row. The caller holds mu.
func (c *Checker) owes(was, now shard.Lease, existed bool) {
	if c.strict && existed && now.Finished() && !was.Finished() {
		c.debts = append(c.debts, debt{time.Now(), now.Shard})
	}
}

// collect looks whether the children of shards that have ended have rows. All rows
// of a transaction are written at one moment, but told of one by one. The caller
// holds mu.
func (c *Checker) collect() {
	heirs, knows := c.world.(Heirs)
	for len(c.debts) > 0 && c.debts[0].at.Before(time.Now()) {
		ended := c.debts[0].shard
		c.debts = c.debts[1:]
		if !knows {
			continue
		}
		for _, child := range heirs.Children(ended) {
			if _, has := c.known[child]; !has {
				c.breaks("Inv-9: %s has ended, and its child %s has no row", ended, child)
			}
		}
	}
}

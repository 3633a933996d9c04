package consumer

import (
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// gather gives the lanes the records of a chunk, but for what is filtered and
// what waits at the gate. They are the loop's own, and not copied, unless other
// handlers have the same chunk.
func (l *shardLoop) gather(c *fetched, records []shard.Record, tickets []int64, now time.Time) {
	if c.share != nil {
		records = slices.Clone(records)
	}
	records, tickets = l.filter(records, tickets)
	if !l.gate.Idle() {
		// One by one: what the gate does with one can take back those before it.
		for i := range records {
			if r := &records[i]; l.passes(r, tickets[i], c.Behind, now) {
				l.lanes[l.split.Of(r)].gather.Add(*r, tickets[i], c.Behind, now)
			}
		}
		return
	}
	from := 0
	for i, to := range l.split.Split(records, tickets) {
		l.lanes[i].gather.AddAll(records[from:to], tickets[from:to], c.Behind, now)
		from = to
	}
}

// dispatch gives every idle lane its batch, if one is due.
func (l *shardLoop) dispatch(now time.Time) {
	if l.mark != nil || l.wakes.running || l.worker.pace.closed(l.shard) {
		return
	}
	for i := range l.lanes {
		l.startLate(i)
	}
	if !l.mayStart(now) {
		l.noteGathering()
		return
	}
	if !l.right.valid() { // asked last, as it asks the system for the time
		return
	}
	l.openGate(now)
	for i := range l.lanes {
		lane := &l.lanes[i]
		if lane.busy || !lane.gather.Due(now) {
			continue
		}
		if l.isolate && l.busy > 0 {
			return
		}
		l.start(i, lane.gather.Take(), nil)
	}
	l.noteGathering()
}

// mayStart reports whether there may be a batch for a lane that is free.
func (l *shardLoop) mayStart(now time.Time) bool {
	if !l.gate.Idle() {
		return true
	}
	for i := range l.lanes {
		if lane := &l.lanes[i]; !lane.busy && lane.gather.Due(now) {
			return true
		}
	}
	return false
}

// start sets a lane to work on a batch, which own says more about if it is of a
// key that was held.
func (l *shardLoop) start(i int, batch batching.Gathered, own *ownBatch) {
	l.lanes[i].own, l.lanes[i].turn = own, own != nil
	l.wakes.begins()
	l.started = max(l.started, batch.Tickets[len(batch.Tickets)-1])
	l.launch(&lane{shardLoop: l, ctx: l.work, batch: batch, isolate: l.isolate, own: own, number: i, settled: l.settled})
}

// launch sets a lane to work.
func (l *shardLoop) launch(work *lane) {
	l.lanes[work.number].busy = true
	l.busy++
	go func() { // ends with its batch or with the work context; awaited by run
		err := work.run()
		l.settled <- settlement{over: true, unmark: work.isolate, broken: err != nil, lane: work.number}
	}()
}

// noteGathering tells the budget since when this shard's oldest record waits
// for its batch to fill, or for its handler to finish it.
func (l *shardLoop) noteGathering() {
	var since time.Time
	for i := range l.lanes {
		if l.lanes[i].busy {
			continue
		}
		if t, ok := l.lanes[i].gather.Oldest(); ok && (since.IsZero() || t.Before(since)) {
			since = t
		}
	}
	if t, ok := l.deferred.oldest(); ok && l.wakes.waker != nil && (since.IsZero() || t.Before(since)) {
		since = t
	}
	l.worker.budget.gathering(l.gathered, since)
}

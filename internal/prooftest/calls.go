package prooftest

import (
	"bytes"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Began notes that a handler is called. What a killed worker still does is not
// noted, as it has no effect: the call is nil then.
func (c *Checker) Began(worker string, b *batching.Batch) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.Ledger
	c.collect()
	if l.killed[worker] {
		return nil
	}
	call := &Call{
		Worker: worker, Shard: b.Shard, Records: len(b.Records), First: b.First().Sequence, Last: b.Last().Sequence,
		Attempt: b.Attempt, Fence: b.Fence(), Began: time.Now(), keys: make(map[string]bool, len(b.Records)),
	}
	if newest := c.fences[b.Shard]; call.Fence.Compare(newest) < 0 {
		c.breaks("I4: %s began a call of %s in tenure %s after one began in %s", worker, b.Shard, call.Fence, newest)
	} else {
		c.fences[b.Shard] = call.Fence
	}
	for i := range b.Records {
		call.keys[b.Records[i].PartitionKey] = true
	}
	if !l.unordered {
		for _, other := range l.open {
			if other.Worker == worker && other.Shard == call.Shard && overlap(other.keys, call.keys) {
				c.breaks("S13: %s runs two calls of %s at once that share a key", worker, call.Shard)
			}
		}
		c.delivered(call, b.Records)
	}
	c.intact("when they were handed to "+worker, b.Records)
	for i := range b.Records {
		l.entry(placeOf(&b.Records[i])).delivered++
	}
	l.calls, l.open = append(l.calls, call), append(l.open, call)
	c.batchBegan(call, b)
	return call
}

func overlap(a, b map[string]bool) bool {
	for k := range a {
		if b[k] && k != "" {
			return true
		}
	}
	return false
}

// delivered looks at a call that begins: order of keys, and parents first. The
// caller holds mu.
func (c *Checker) delivered(call *Call, records []shard.Record) {
	if c.Ledger.outdated(call.Shard, call.Fence) {
		return // it does not know yet that the position was moved
	}
	for _, parent := range c.parents(call.Shard) {
		row, ok := c.known[parent]
		if ok && !row.Finished() {
			c.breaks("I6: %s was given records of %s before its parent %s had ended", call.Worker, call.Shard, parent)
		}
	}
	inCall := make(map[place]bool, len(records))
	for i := range records {
		r := &records[i]
		inCall[placeOf(r)] = true
		if !r.Keyed {
			continue
		}
		before := c.before(r)
		if before == nil || inCall[before.place()] || !c.asked(before) {
			continue
		}
		if !c.Ledger.finished(before) {
			c.breaks("I2: %s was given %s of key %q while the one before, %s, is not finished",
				call.Worker, placeOf(r), r.PartitionKey, before.ID())
		}
	}
}

// intact compares payloads with what was put: memory that is used again too soon
// has other records in it. The caller holds mu.
func (c *Checker) intact(when string, records []shard.Record) {
	for i := range records {
		r := &records[i]
		if want := c.put(r); want != nil && !bytes.Equal(r.Data, want) {
			c.breaks("%s has the payload %.40q %s, and was put with %.40q", placeOf(r), r.Data, when, want)
		}
	}
}

// Ended notes what a handler answered to a call; a nil one is passed over.
func (c *Checker) Ended(call *Call, b *batching.Batch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.Ledger
	if call == nil || !call.Ended.IsZero() {
		return // its worker was killed
	}
	call.Ended, call.Err = time.Now(), err
	c.close(call)
	c.intact("when "+call.Worker+" had handled them", b.Records)
	o := batching.Read(b.Records, err)
	done := len(b.Records)
	if o.Failed {
		done = o.From
	}
	rejected := map[int]bool{}
	for _, r := range o.Rejects {
		rejected[r.Index] = true
	}
	if c.strict {
		c.finishedIn(call, b, done, rejected)
	}
	for i := range done {
		if !rejected[i] {
			e := l.entry(placeOf(&b.Records[i]))
			l.handle(e)
			if l.outdated(call.Shard, call.Fence) {
				e.past++ // it belongs to the position from before
			}
		}
	}
}

// close takes a call from those that run. The caller holds mu.
func (c *Checker) close(call *Call) {
	for i, other := range c.Ledger.open {
		if other == call {
			c.Ledger.open = append(c.Ledger.open[:i], c.Ledger.open[i+1:]...)
			return
		}
	}
}

// GaveUp notes that a destination has accepted what was given up.
func (c *Checker) GaveUp(f destination.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.intact("when they were given up", f.Records)
	for i := range f.Records {
		e := c.Ledger.entry(placeOf(&f.Records[i]))
		if e.gaveUp++; e.gaveUp == 1 {
			c.Ledger.gaveUp++
		}
	}
}

// Killed notes that a worker has no effect any more.
func (c *Checker) Killed(worker string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.Ledger
	l.killed[worker] = true
	var open []*Call
	for _, call := range l.open {
		if call.Worker == worker {
			call.Ended = time.Now()
		} else {
			open = append(open, call)
		}
	}
	l.open = open
	c.tenureOver(worker, "")
}

// Dead reports whether a worker was killed.
func (c *Checker) Dead(worker string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Ledger.killed[worker]
}

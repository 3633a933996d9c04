package prooftest

import (
	"slices"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// tenure is what is known of a worker's time at a shard.
type tenure struct {
	worker string
	id     string // under which it stands in the row
	fence  batching.Fence
	after  shard.Position
	held   func() bool // of its last call; nil: it has had none
	course course
}

// Strict has the checker hold what is only true where nothing but the engine
// moves positions, and where it is told of every tenure (Started, Left).
func (c *Checker) Strict() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strict = true
}

// Started notes that a worker, which stands in the rows under an id, begins to
// work a shard: see consumer.Hooks.ShardStarted.
func (c *Checker) Started(worker, id, shardID string, after shard.Position, fence batching.Fence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.strict || c.Ledger.killed[worker] {
		return
	}
	newest, was := c.fenced[shardID], c.fencedBy[shardID]
	if order := fence.Compare(newest); order < 0 || order == 0 && was != worker {
		c.breaks("Inv-12: %s begins %s in tenure %s after %s began in %s", worker, shardID, fence, was, newest)
	}
	c.fenced[shardID], c.fencedBy[shardID] = fence, worker
	if row, known := c.known[shardID]; known && row.Finished() {
		c.breaks("Inv-8: %s begins %s again, which is at its end", worker, shardID)
	}
	kept := c.tenures[shardID][:0]
	for _, other := range c.tenures[shardID] {
		if other.worker == worker {
			continue
		}
		if other.held != nil && !c.asleep[other.worker] && other.held() {
			c.breaks("Inv-5: %s begins %s in tenure %s while %s may still act in %s", worker, shardID, fence, other.worker, other.fence)
		}
		kept = append(kept, other)
	}
	c.tenures[shardID] = append(kept, &tenure{worker: worker, id: id, fence: fence, after: after})
}

// Left notes that a worker does not work a shard any more.
func (c *Checker) Left(worker, shardID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenureOver(worker, shardID)
}

// Asleep notes that a worker stands still, or does not any more: meanwhile it is
// not asked whether it may act.
func (c *Checker) Asleep(worker string, asleep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asleep[worker] = asleep
}

// letGo takes note that a row was released by who held it, or handed over: its
// tenure is over with this write, whenever it hears of the answer. A take counts
// the owner's switch, and a checkpoint clears the count. The caller holds mu.
func (c *Checker) letGo(was, now shard.Lease) {
	if was.Holder() == now.Holder() || now.OwnerSwitches > 0 {
		return
	}
	c.tenures[now.Shard] = slices.DeleteFunc(c.tenures[now.Shard], func(t *tenure) bool { return t.id == was.Holder() })
}

// WasTrimmed notes that records of a shard cannot be read any more. Where no
// record of it has been finished yet as far as its row says, it begins with the
// oldest that is left, and nobody asks for those in front of it.
func (c *Checker) WasTrimmed(shardID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	if row := c.known[shardID]; row.Checkpoint.IsRecord() || row.Finished() {
		return
	}
	t := c.index.track(shardID)
	for _, r := range t.records {
		if c.world.Trimmed(r) {
			c.wanted[r.place()] = false
		}
	}
}

// tenureOver forgets a worker's tenure of a shard, or of all with an empty one.
// The caller holds mu.
func (c *Checker) tenureOver(worker, shardID string) {
	for id, all := range c.tenures {
		if shardID != "" && id != shardID {
			continue
		}
		kept := all[:0]
		for _, t := range all {
			if t.worker != worker {
				kept = append(kept, t)
			}
		}
		c.tenures[id] = kept
	}
}

// batchBegan looks at a call within its tenure. The caller holds mu.
func (c *Checker) batchBegan(call *Call, b *batching.Batch) {
	if !c.strict {
		return
	}
	for _, t := range c.tenures[call.Shard] {
		if t.worker != call.Worker {
			if t.held != nil && !c.asleep[t.worker] && t.fence.Compare(call.Fence) != 0 && t.held() && b.Held != nil && b.Held() {
				c.breaks("Inv-5: %s calls for %s in tenure %s while %s may still act in %s", call.Worker, call.Shard, call.Fence, t.worker, t.fence)
			}
			continue
		}
		t.held = b.Held
		if t.fence.Compare(call.Fence) != 0 || c.Ledger.outdated(call.Shard, call.Fence) {
			continue
		}
		c.follows(t, call, b.Records)
		if !t.after.IsRecord() {
			continue
		}
		for i := range b.Records {
			if b.Records[i].Position().Compare(t.after) <= 0 {
				c.breaks("Inv-6: %s was given %s in tenure %s, which began after %s", call.Worker, placeOf(&b.Records[i]), t.fence, t.after)
			}
		}
	}
	if row, known := c.known[call.Shard]; known && row.Finished() && !c.Ledger.outdated(call.Shard, call.Fence) && b.Held != nil && b.Held() {
		c.breaks("Inv-8: %s was given records of %s, which is at its end", call.Worker, call.Shard)
	}
}

// Lost notes a window that was declared lost, see consumer.Hooks.Loss.
func (c *Checker) Lost(loss shard.Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Ledger.losses = append(c.Ledger.losses, loss)
	if !c.strict {
		return
	}
	c.refresh()
	for _, r := range c.index.track(loss.Shard).records {
		at := r.Position()
		if at.Compare(loss.After) == 0 && c.world.Trimmed(r) {
			return // with the record at the position gone, nobody can know whether one came behind it
		}
		if at.Compare(loss.After) > 0 && at.Compare(loss.Until) < 0 {
			if !c.world.Trimmed(r) {
				c.breaks("Inv-11: %s was declared lost, and %s can still be read", loss, r.ID())
			}
			return
		}
	}
	if !loss.Until.IsEnd() {
		c.breaks("Inv-11: %s was declared, and there is no record in between", loss)
	}
}

package streamtest

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// checker holds the promises against every write of the lease table and every
// call of a handler: it tells a prooftest.Checker of them, and is its world.
type checker struct {
	*prooftest.Checker
	rig *Rig

	mu    sync.Mutex
	hand  dynamofake.Item     // a row that was last written by hand, which is nobody's write
	above map[string][]string // the parents of each shard of Kinesis, which never change
}

func newChecker(r *Rig) *checker {
	c := &checker{rig: r}
	c.Checker = prooftest.New(c)
	r.Ledger = c.Ledger
	return c
}

// wrote looks at one effective write.
func (c *checker) wrote(table string, before, after dynamofake.Item) {
	if table == parkedTable {
		c.parkedWrote(before, after)
	}
	if table != Application || after == nil {
		return
	}
	now := leaseOf(after)
	c.mu.Lock()
	byHand := c.hand != nil && after.Equal(c.hand)
	c.mu.Unlock()
	if byHand || after["checkpoint"].Text() == "" || !now.Checkpoint.IsEnd() && now.Checkpoint.Validate() != nil {
		return // what somebody has made of it by hand is no position, whatever else is written into the row
	}
	c.Wrote(now)
}

// Count implements prooftest.World.
func (c *checker) Count() int { return c.rig.count() }

// Records implements prooftest.World.
func (c *checker) Records(int) (items []prooftest.Item, count int, all bool) {
	put := c.rig.records()
	for _, rec := range put {
		items = append(items, c.rig.unpack(rec)...)
	}
	return items, len(put), true
}

// itemOf is a record that was put, as it is to be delivered.
func itemOf(rec kinesisfake.Record) prooftest.Item {
	return prooftest.Item{Shard: rec.ShardID, Sequence: rec.SequenceNumber, Key: rec.PartitionKey, Keyed: rec.Keyed, Arrival: rec.Arrival, Data: rec.Data}
}

// Trimmed implements prooftest.World.
func (c *checker) Trimmed(i *prooftest.Item) bool {
	if c.rig.table != "" {
		return c.rig.changes.isTrimmed(c.rig, i)
	}
	for _, rec := range c.rig.records() {
		if rec.ShardID == i.Shard && rec.SequenceNumber == i.Sequence {
			return rec.Trimmed
		}
	}
	return true
}

// Unlisted implements prooftest.World.
func (c *checker) Unlisted(shardID string) bool {
	return c.rig.table != "" && !c.rig.changes.isListed(c.rig, shardID)
}

// Parents implements prooftest.World.
func (c *checker) Parents(shardID string) []string {
	if c.rig.table != "" {
		return c.rig.changes.parents(c.rig, shardID)
	}
	c.mu.Lock()
	above, known := c.above[shardID]
	c.mu.Unlock()
	if known {
		return above
	}
	all := map[string][]string{}
	for _, s := range c.rig.AWS.Kinesis().Shards(Stream) {
		all[s.ID] = s.Parents
	}
	c.mu.Lock()
	c.above = all
	c.mu.Unlock()
	return all[shardID]
}

// Children implements prooftest.Heirs.
func (c *checker) Children(shardID string) (children []string) {
	if c.rig.table != "" {
		for _, s := range c.rig.AWS.DynamoDB().StreamShards(c.rig.table) {
			if s.Parent == shardID {
				children = append(children, s.ID)
			}
		}
		return children
	}
	for _, s := range c.rig.AWS.Kinesis().Shards(Stream) {
		if slices.Contains(s.Parents, shardID) {
			children = append(children, s.ID)
		}
	}
	return children
}

// leaseOf reads a row as it stands in the table. It is written apart from the
// driver, so that a mistake there does not hide itself here.
func leaseOf(row dynamofake.Item) shard.Lease {
	text := func(name string) string { return row[name].Text() }
	number := func(name string) int64 { n, _ := strconv.ParseInt(text(name), 10, 64); return n }
	l := shard.Lease{
		Key: text("leaseKey"), Shard: text("leaseKey"), Owner: text("leaseOwner"), CheckpointOwner: text("checkpointOwner"),
		Counter: number("leaseCounter"), OwnerSwitches: number("ownerSwitchesSinceCheckpoint"), SeekGen: number("seekGen"),
		Checkpoint: shard.After(text("checkpoint"), number("checkpointSubSequenceNumber")),
		Lost:       row["lost"].Bool(), CreatedFrom: text("createdFrom"), Parents: row["parentShardId"].Members(),
	}
	if ms := number("startAtMs"); ms > 0 {
		l.Checkpoint.At = time.UnixMilli(ms)
	}
	return l
}

package streamtest

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// checker holds the promises against every write of the lease table and every
// call of a handler, at the moment they happen.
type checker struct {
	rig *Rig

	mu     sync.Mutex
	known  map[string]shard.Lease // rows as last written, by shard
	parked map[string]bool        // positions of records that are kept aside
	since  time.Time              // records that arrived before are not asked for; zero: all are
	broken []string
	hand   dynamofake.Item     // a row that was last written by hand, which is nobody's write
	repair map[string]bool     // shards whose row was deleted under nobody, so that it may begin again
	wanted map[string]bool     // whether a record is asked for, by id, where a position was moved past it or in front of it
	above  map[string][]string // the parents of each shard of Kinesis, which never change

	index index
}

func newChecker(r *Rig) *checker {
	c := &checker{rig: r, wanted: map[string]bool{}, known: map[string]shard.Lease{}, index: index{known: map[string]bool{}}}
	r.Ledger.deliver, r.Ledger.forsaken = c.delivered, c.forsaken
	return c
}

// wrote looks at one effective write of a lease row. A row that goes away is
// judged when it comes back.
func (c *checker) wrote(table string, before, after dynamofake.Item) {
	if table == parkedTable {
		c.parkedWrote(before, after)
	}
	if table != Application || after == nil {
		return
	}
	now := leaseOf(after)
	c.mu.Lock()
	if c.hand != nil && after.Equal(c.hand) {
		c.mu.Unlock()
		return
	}
	was, existed := c.known[now.Shard]
	c.known[now.Shard] = now
	repaired := c.repair[now.Shard] && after["createdFrom"].Text() == "repair"
	if repaired {
		delete(c.repair, now.Shard)
	}
	sought := now.SeekGen > was.SeekGen
	if !existed && !sought && (now.Checkpoint.IsLatest() || now.Checkpoint.IsAtTime()) && (c.since.IsZero() || now.Checkpoint.At.Before(c.since)) {
		c.since = now.Checkpoint.At
	}
	c.mu.Unlock()
	if sought {
		c.sought(now)
	}
	var broken []string
	breaks := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	if existed {
		asked := now.Counter == was.Counter && now.Checkpoint.Compare(was.Checkpoint) == 0
		if now.Counter <= was.Counter && !asked {
			breaks("I3: the counter of %s went from %d to %d while the row changed: %s → %s", now.Shard, was.Counter, now.Counter, was, now)
		}
		if now.SeekGen < was.SeekGen {
			breaks("I3: the seek generation of %s went from %d to %d: %s → %s", now.Shard, was.SeekGen, now.SeekGen, was, now)
		}
		if now.SeekGen == was.SeekGen && now.Checkpoint.Compare(was.Checkpoint) < 0 && !repaired {
			breaks("I3: the position of %s went back: %s → %s", now.Shard, was, now)
		}
	}
	if now.Checkpoint.IsRecord() || now.Finished() {
		rule := "I1: %s is at %s, past %s of %s, which is not finished"
		if now.Finished() {
			rule = "I5: %s is at %s, past %s of %s, which is not finished"
		}
		if missing := c.unfinished(now); missing != "" {
			breaks(rule, now.Shard, now.Checkpoint, missing, now.Shard)
		}
	}
	c.mu.Lock()
	c.broken = append(c.broken, broken...)
	c.mu.Unlock()
}

// unfinished is the first record at or before a row's checkpoint that is not
// finished.
func (c *checker) unfinished(row shard.Lease) string {
	records := c.index.shard(c.rig, row.Shard)
	c.rig.Ledger.mu.Lock()
	defer c.rig.Ledger.mu.Unlock()
	for i := range records {
		r := &records[i]
		if r.position().Compare(row.Checkpoint) <= 0 && c.asked(r) &&
			!c.rig.Ledger.finished(r) && !row.Lost && !c.isParked(r) {
			return r.position().String()
		}
	}
	return ""
}

// sought takes note that the position of a shard was moved by hand: the records
// behind it are asked for again, and those in front of it that were not finished
// never are. What stands before the tip are also ancestors that never had a row.
func (c *checker) sought(now shard.Lease) {
	records := c.index.refresh(c.rig)
	wanted := map[string]bool{}
	passed := map[string]bool{}
	if now.Checkpoint.IsLatest() {
		c.rowless(now.Shard, passed)
	}
	for i := range records {
		r := &records[i]
		if passed[r.ShardID] {
			wanted[r.id()] = false
		}
		if r.ShardID != now.Shard {
			continue
		}
		switch at := now.Checkpoint; {
		case at.IsRecord():
			wanted[r.id()] = r.position().Compare(at) > 0
		case at.IsAtTime() || at.IsLatest():
			wanted[r.id()] = !r.Arrival.Before(at.At.Truncate(time.Millisecond))
		default:
			wanted[r.id()] = at.IsTrimHorizon()
		}
	}
	c.mu.Lock()
	for id, is := range wanted {
		c.wanted[id] = is
	}
	c.mu.Unlock()
	c.rig.Ledger.again(now.Shard, now.Counter, wanted)
}

// rowless adds the ancestors of a shard that have no row, nor ever had one.
func (c *checker) rowless(shardID string, found map[string]bool) {
	for _, parent := range c.parents(shardID) {
		if _, has := c.row(parent); !has && !found[parent] {
			found[parent] = true
			c.rowless(parent, found)
		}
	}
}

// asked reports whether a record is to be delivered at all: it did not arrive
// before the position at which the application first started.
func (c *checker) asked(r *item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if is, known := c.wanted[r.id()]; known {
		return is
	}
	return c.since.IsZero() || !r.Arrival.Before(c.since.Truncate(time.Millisecond))
}

// delivered looks at a call that begins: order of keys, and parents first. The
// ledger is locked.
func (c *checker) delivered(call *Call, records []shard.Record) (broken []string) {
	if c.rig.Ledger.outdated(call.Shard, call.Fence) {
		return nil // it does not know yet that the position was moved
	}
	breaks := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	for _, parent := range c.parents(call.Shard) {
		row, ok := c.row(parent)
		if ok && !row.Finished() {
			breaks("I6: %s was given records of %s before its parent %s had ended", call.Worker, call.Shard, parent)
		}
	}
	inCall := map[string]bool{}
	for i := range records {
		inCall[idOf(&records[i])] = true
		if !records[i].Keyed {
			continue
		}
		before, ok := c.index.before(c.rig, &records[i])
		if !ok || inCall[before.id()] || !c.asked(before) {
			continue
		}
		if !c.rig.Ledger.finished(before) {
			breaks("I2: %s was given %s of key %q while the one before, %s, is not finished",
				call.Worker, idOf(&records[i]), records[i].PartitionKey, before.id())
		}
	}
	return broken
}

// forsaken reports whether a shard of a table's stream never had a row, and came
// of one whose rest was declared lost: see shard.Loss. The ledger is locked.
func (c *checker) forsaken(shardID string) bool {
	if c.rig.table == "" || c.rig.changes.isListed(c.rig, shardID) {
		return false
	}
	for depth := 0; depth < 100; depth++ {
		if _, has := c.row(shardID); has {
			return depth > 0 && c.rig.Ledger.lostToTheEnd(shardID)
		}
		parents := c.parents(shardID)
		if len(parents) == 0 {
			return false
		}
		shardID = parents[0]
	}
	return false
}

func (c *checker) row(shardID string) (shard.Lease, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.known[shardID]
	return row, ok
}

func (c *checker) parents(shardID string) []string {
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

// rows are the rows as last written, by shard.
func (c *checker) rows() []shard.Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rows []shard.Lease
	for _, row := range c.known {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b shard.Lease) int { return shard.CompareSequences(a.Shard[8:], b.Shard[8:]) })
	return rows
}

// missing names the records that were put and are not finished.
func (c *checker) missing() (names []string) {
	records := c.index.refresh(c.rig)
	c.rig.Ledger.mu.Lock()
	defer c.rig.Ledger.mu.Unlock()
	for i := range records {
		if r := &records[i]; c.asked(r) && !c.rig.Ledger.finished(r) {
			names = append(names, fmt.Sprintf("%s key %q put %s", r.id(), r.PartitionKey, r.Arrival.Format("15:04:05.000")))
		}
	}
	return names
}

// complete reports whether nothing is missing. It looks from the newest record
// back, where what is missing stands as a rule.
func (c *checker) complete() bool {
	records := c.index.refresh(c.rig)
	c.rig.Ledger.mu.Lock()
	defer c.rig.Ledger.mu.Unlock()
	for i := range slices.Backward(records) {
		if c.asked(&records[i]) && !c.rig.Ledger.finished(&records[i]) {
			return false
		}
	}
	return true
}

// violations are the promises broken so far.
func (c *checker) violations() []string {
	c.mu.Lock()
	broken := slices.Clone(c.broken)
	c.mu.Unlock()
	c.rig.Ledger.mu.Lock()
	defer c.rig.Ledger.mu.Unlock()
	return append(broken, c.rig.Ledger.broken...)
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
		Lost:       row["lost"].Bool(),
	}
	if ms := number("startAtMs"); ms > 0 {
		l.Checkpoint.At = time.UnixMilli(ms)
	}
	return l
}

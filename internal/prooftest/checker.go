package prooftest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// World is what a checker asks of the stream. It is asked from the goroutines
// that tell the checker what happens, one at a time, and must not call it.
type World interface {
	// Count is how many records were ever put. It only grows.
	Count() int
	// Records returns records as handlers are to get them: those behind the first
	// known ones as Count counts them, in the order of their sequence numbers, or
	// all of them in any order, which all says. Count is what they add up to.
	Records(known int) (records []Item, count int, all bool)
	// Parents are those of a shard, also when it is not listed any more.
	Parents(shardID string) []string
	// Unlisted reports whether a shard may have come and gone without a row: only
	// where shards live shorter than a fleet may stand still, and this one is not
	// listed any more.
	Unlisted(shardID string) bool
	// Trimmed reports whether a record cannot be read any more.
	Trimmed(r *Item) bool
}

// Checker holds the promises against what it is told, at the moment it happens.
type Checker struct {
	// Ledger is what handlers were given, and what became of it.
	Ledger *Ledger

	world World

	mu       sync.Mutex             // guards all below, and the ledger; held while the world is asked
	known    map[string]shard.Lease // rows as last written, by shard
	parked   map[place]bool         // records that are kept aside, by sequence number and index alone
	since    time.Time              // records that arrived before are not asked for; zero: all are
	broken   []string
	repair   map[string]bool           // shards whose row was deleted under nobody, so that it may begin again
	wanted   map[place]bool            // whether a record is asked for, where a position was moved past it or in front of it
	fences   map[string]batching.Fence // the newest tenure that began a call, by shard
	strict   bool
	fenced   map[string]batching.Fence // the newest tenure that began, by shard
	fencedBy map[string]string         // and whose it is
	tenures  map[string][]*tenure      // those that have not ended, by shard
	asleep   map[string]bool           // workers that stand still, and may not be asked

	bound int    // see Bounded
	debts []debt // shards that have ended, and were not looked at since, in order of time

	index index
}

// New is a checker of a fleet in that world that has not done anything yet.
func New(world World) *Checker {
	c := &Checker{
		world: world, wanted: map[place]bool{}, known: map[string]shard.Lease{}, parked: map[place]bool{}, repair: map[string]bool{},
		fences: map[string]batching.Fence{}, fenced: map[string]batching.Fence{}, fencedBy: map[string]string{}, tenures: map[string][]*tenure{},
		asleep: map[string]bool{},
	}
	c.Ledger = &Ledger{checker: c, records: map[place]*entry{}, seeks: map[string]int64{}, killed: map[string]bool{}}
	return c
}

// breaks notes a broken promise. The caller holds mu.
func (c *Checker) breaks(format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf(format, args...))
}

// Wrote looks at one effective write of a lease row, as it stands now. A row that
// goes away is judged when it comes back.
func (c *Checker) Wrote(now shard.Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collect()
	was, existed := c.known[now.Shard]
	c.known[now.Shard] = now
	c.owes(was, now, existed)
	repaired := c.repair[now.Shard] && now.CreatedFrom == "repair"
	if repaired {
		delete(c.repair, now.Shard)
	}
	sought := now.SeekGen > was.SeekGen
	if !existed && !sought && (now.Checkpoint.IsLatest() || now.Checkpoint.IsAtTime()) && (c.since.IsZero() || now.Checkpoint.At.Before(c.since)) {
		c.since = now.Checkpoint.At
		c.unclean()
	}
	if sought {
		c.sought(now)
	}
	if existed {
		c.letGo(was, now)
		asked := now.Counter == was.Counter && now.Checkpoint.Compare(was.Checkpoint) == 0
		if now.Counter <= was.Counter && !asked {
			c.breaks("I3: the counter of %s went from %d to %d while the row changed: %s → %s", now.Shard, was.Counter, now.Counter, was, now)
		}
		if now.SeekGen < was.SeekGen {
			c.breaks("I3: the seek generation of %s went from %d to %d: %s → %s", now.Shard, was.SeekGen, now.SeekGen, was, now)
		}
		if now.SeekGen == was.SeekGen && now.Checkpoint.Compare(was.Checkpoint) < 0 && !repaired {
			c.breaks("I3: the position of %s went back: %s → %s", now.Shard, was, now)
		}
	}
	if !now.Checkpoint.IsRecord() && !now.Finished() {
		return
	}
	rule := "I1: %s is at %s, past %s of %s, which is not finished"
	if now.Finished() {
		rule = "I5: %s is at %s, past %s of %s, which is not finished"
	}
	if missing := c.unfinished(now); missing != nil {
		c.breaks(rule, now.Shard, now.Checkpoint, missing.Position(), now.Shard)
	}
}

// MayBeginAgain tells that the row of a shard was deleted by hand under nobody:
// the row that is made in its place may be at an earlier position, once. Its
// counter has to go on from before all the same.
func (c *Checker) MayBeginAgain(shardID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.repair[shardID] = true
}

// unfinished is the first record at or before a row's checkpoint that is not
// finished. The caller holds mu.
func (c *Checker) unfinished(row shard.Lease) *Item {
	c.refresh()
	if row.Lost {
		return nil
	}
	t := c.index.track(row.Shard)
	unbroken := true
	for i := t.clean; i < len(t.records); i++ {
		r := t.records[i]
		if r.Position().Compare(row.Checkpoint) > 0 {
			return nil
		}
		finished := !c.asked(r) || c.Ledger.finished(r)
		if !finished && !c.isParked(r) {
			return r
		}
		if unbroken = unbroken && finished; unbroken {
			t.clean = i + 1
		}
	}
	return nil
}

// unclean has every record looked at again. The caller holds mu.
func (c *Checker) unclean() {
	for _, t := range c.index.of {
		t.clean = 0
	}
}

// Parked notes that a record is kept aside, or is not any more: the position of
// its shard may pass it. Sequence numbers are unique in a world.
func (c *Checker) Parked(sequence string, sub int64, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked[place{"", sequence, sub}] = is
}

func (c *Checker) isParked(r *Item) bool { return c.parked[place{"", r.Sequence, r.Sub}] }

// sought takes note that the position of a shard was moved by hand: the records
// behind it are asked for again, and those in front of it that were not finished
// never are. What stands before the tip are also ancestors that never had a row.
// The caller holds mu.
func (c *Checker) sought(now shard.Lease) {
	c.refresh()
	c.unclean()
	passed := map[string]bool{}
	if now.Checkpoint.IsLatest() {
		c.rowless(now.Shard, passed)
	}
	c.Ledger.seeks[now.Shard] = now.Counter
	for _, r := range c.index.records {
		if passed[r.Shard] {
			c.wanted[r.place()] = false
		}
		if r.Shard != now.Shard {
			continue
		}
		is := now.Checkpoint.IsTrimHorizon()
		switch at := now.Checkpoint; {
		case at.IsRecord():
			is = r.Position().Compare(at) > 0
		case at.IsAtTime() || at.IsLatest():
			is = !r.Arrival.Before(at.At.Truncate(time.Millisecond))
		}
		c.wanted[r.place()] = is
		if is {
			e := c.Ledger.entry(r.place())
			e.past = e.handled + e.gaveUp
		}
	}
}

// rowless adds the ancestors of a shard that have no row, nor ever had one. The
// caller holds mu.
func (c *Checker) rowless(shardID string, found map[string]bool) {
	for _, parent := range c.parents(shardID) {
		if _, has := c.known[parent]; !has && !found[parent] {
			found[parent] = true
			c.rowless(parent, found)
		}
	}
}

// asked reports whether a record is to be delivered at all: it did not arrive
// before the position at which the application first started. The caller holds
// mu.
func (c *Checker) asked(r *Item) bool {
	if is, known := c.wanted[r.place()]; known {
		return is
	}
	return c.since.IsZero() || !r.Arrival.Before(c.since.Truncate(time.Millisecond))
}

// forsaken reports whether a shard never had a row, and came of one whose rest
// was declared lost: see shard.Loss. The caller holds mu.
func (c *Checker) forsaken(shardID string) bool {
	if !c.world.Unlisted(shardID) {
		return false
	}
	for depth := range 100 {
		if _, has := c.known[shardID]; has {
			return depth > 0 && c.Ledger.lostToTheEnd(shardID)
		}
		parents := c.parents(shardID)
		if len(parents) == 0 {
			return false
		}
		shardID = parents[0]
	}
	return false
}

func (c *Checker) parents(shardID string) []string { return c.world.Parents(shardID) }

// Rows are the rows as last written, by shard; those that were deleted since are
// among them.
func (c *Checker) Rows() []shard.Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rows []shard.Lease
	for _, row := range c.known {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b shard.Lease) int { return shard.CompareSequences(a.Shard[8:], b.Shard[8:]) })
	return rows
}

// Missing names the records that were put and are not finished.
func (c *Checker) Missing() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	for _, r := range c.index.records {
		if c.asked(r) && !c.Ledger.finished(r) {
			names = append(names, fmt.Sprintf("%s key %q put %s", r.ID(), r.Key, r.Arrival.Format("15:04:05.000")))
		}
	}
	return names
}

// Complete reports whether nothing is missing. It looks from the newest record
// back, where what is missing stands as a rule.
func (c *Checker) Complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	for _, r := range slices.Backward(c.index.records) {
		if c.asked(r) && !c.Ledger.finished(r) {
			return false
		}
	}
	return true
}

// Violations are the promises broken so far.
func (c *Checker) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.broken)
}

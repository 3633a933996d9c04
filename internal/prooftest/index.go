package prooftest

import (
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// Item is a record as a handler is to get it: one that was put, or a user record
// of an aggregate.
type Item struct {
	// Shard and Sequence say where it was put, Sub its index in an aggregate.
	Shard, Sequence string
	Sub             int64
	// Key is its partition key; Keyed is false where the service gave none.
	Key   string
	Keyed bool
	// Arrival is when it was put.
	Arrival time.Time
	// Data is its payload; nil if nobody is to compare it.
	Data []byte
}

// Position is the position behind it.
func (i *Item) Position() shard.Position { return shard.After(i.Sequence, i.Sub) }

// ID names it for a human.
func (i *Item) ID() string { return i.Shard + "/" + i.Position().String() }

func (i *Item) place() place { return place{i.Shard, i.Sequence, i.Sub} }

// place is what tells two records apart.
type place struct {
	shard, sequence string
	sub             int64
}

func placeOf(r *shard.Record) place { return place{r.Shard, r.Sequence, r.Sub} }

func (p place) String() string { return p.shard + "/" + shard.After(p.sequence, p.sub).String() }

// index is everything that was ever put, in order: sequence numbers grow from
// parent to child, so that one order holds for each key across reshards.
type index struct {
	put     int // as World.Count had it
	records []*Item
	of      map[string]*track // by shard
	prior   map[place]*Item   // the one before of the same key; nil: the first
	last    map[string]*Item  // the last one of each key
	data    map[place][]byte  // payloads, where they are known
}

// track is one shard's records, in order.
type track struct {
	records []*Item
	clean   int // so many from the first on are finished, and stay so
}

// refresh takes in what was put since the last time. The caller holds mu.
func (c *Checker) refresh() {
	x := &c.index
	if x.of != nil && c.world.Count() == x.put { // to look at them all for each write takes longer than the fleet does
		return
	}
	fresh, count, all := c.world.Records(x.put)
	if all || x.of == nil {
		clean := x.of
		*x = index{of: map[string]*track{}, prior: map[place]*Item{}, last: map[string]*Item{}, data: map[place][]byte{}}
		for id, t := range clean {
			x.of[id] = &track{clean: t.clean} // records are only ever added behind
		}
		fresh = slices.Clone(fresh)
		slices.SortFunc(fresh, func(a, b Item) int {
			p, q := a.Position(), b.Position()
			return p.Compare(q)
		})
	}
	x.put = count
	for i := range fresh {
		x.add(&fresh[i])
	}
}

func (x *index) add(r *Item) {
	x.records = append(x.records, r)
	x.track(r.Shard).records = append(x.track(r.Shard).records, r)
	if r.Data != nil {
		x.data[r.place()] = r.Data
	}
	if !r.Keyed {
		return
	}
	x.prior[r.place()] = x.last[r.Key]
	x.last[r.Key] = r
}

func (x *index) track(shardID string) *track {
	t := x.of[shardID]
	if t == nil {
		t = &track{}
		x.of[shardID] = t
	}
	return t
}

// before is the record of the same key that was put before one. The caller holds
// mu.
func (c *Checker) before(r *shard.Record) *Item {
	before, known := c.index.prior[placeOf(r)]
	if !known {
		c.refresh()
		before = c.index.prior[placeOf(r)]
	}
	return before
}

// put is the payload that a record was put with; nil if not known. The caller
// holds mu.
func (c *Checker) put(r *shard.Record) []byte {
	x := &c.index
	data, known := x.data[placeOf(r)]
	if !known && (x.of == nil || len(x.data) > 0) {
		c.refresh()
		data = x.data[placeOf(r)]
	}
	return data
}

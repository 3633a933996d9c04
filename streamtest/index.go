package streamtest

import (
	"slices"
	"sync"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// index is everything that was ever put, in order: sequence numbers of the fake
// grow from parent to child, so that one order holds for each key across
// reshards.
type index struct {
	mu      sync.Mutex
	put     int // records, with each aggregate as one
	records []item
	of      map[string][]item // by shard
	known   map[string]bool   // by id
	prior   map[string]*item  // the one before of the same key
}

// item is a record as a handler is to get it: one that was put, or a user record
// of one.
type item struct {
	kinesisfake.Record
	sub int64
}

func (r *item) id() string { return id(r.ShardID, r.SequenceNumber, r.sub) }

func (r *item) position() shard.Position { return shard.After(r.SequenceNumber, r.sub) }

// refresh takes in what was put since the last time.
func (x *index) refresh(r *Rig) []item {
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.count() == x.put { // to copy them all for each checkpoint takes longer than the fleet does
		return x.records
	}
	all := r.records()
	x.put, x.records = len(all), nil
	for _, rec := range all {
		x.records = append(x.records, r.unpack(rec)...)
	}
	x.of = map[string][]item{}
	for _, rec := range x.records {
		x.of[rec.ShardID] = append(x.of[rec.ShardID], rec)
	}
	x.prior = make(map[string]*item, len(x.records))
	x.known = make(map[string]bool, len(x.records))
	last := map[string]*item{}
	for _, rec := range inOrder(x.records) {
		x.known[rec.id()] = true
		if !rec.Keyed {
			continue
		}
		if before, ok := last[rec.PartitionKey]; ok {
			x.prior[rec.id()] = before
		}
		last[rec.PartitionKey] = &rec
	}
	return x.records
}

// shard is what was put into one shard, in order.
func (x *index) shard(r *Rig, shardID string) []item {
	x.refresh(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.of[shardID]
}

// before is the record of the same key that was put before one.
func (x *index) before(r *Rig, rec *shard.Record) (*item, bool) {
	x.mu.Lock()
	known := x.known[idOf(rec)]
	x.mu.Unlock()
	if !known {
		x.refresh(r)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	before, ok := x.prior[idOf(rec)]
	return before, ok
}

// inOrder sorts records by position.
func inOrder(records []item) []item {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b item) int { return a.position().Compare(b.position()) })
	return sorted
}

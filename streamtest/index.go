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
	records []kinesisfake.Record
	at      map[string]int                // place in records by shard and sequence number
	prior   map[string]kinesisfake.Record // the one before of the same key
}

// refresh takes in what was put since the last time.
func (x *index) refresh(r *Rig) []kinesisfake.Record {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := r.records()
	if len(all) == len(x.records) {
		return x.records
	}
	x.records = all
	x.prior = make(map[string]kinesisfake.Record, len(all))
	last := map[string]kinesisfake.Record{}
	x.at = make(map[string]int, len(all))
	for i, rec := range inOrder(all) {
		x.at[id(rec.ShardID, rec.SequenceNumber)] = i
		if !rec.Keyed {
			continue
		}
		if before, ok := last[rec.PartitionKey]; ok {
			x.prior[id(rec.ShardID, rec.SequenceNumber)] = before
		}
		last[rec.PartitionKey] = rec
	}
	return x.records
}

// before is the record of the same key that was put before one.
func (x *index) before(r *Rig, rec *shard.Record) (kinesisfake.Record, bool) {
	x.mu.Lock()
	_, known := x.at[id(rec.Shard, rec.Sequence)]
	x.mu.Unlock()
	if !known {
		x.refresh(r)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	before, ok := x.prior[id(rec.Shard, rec.Sequence)]
	return before, ok
}

// inOrder sorts records by sequence number.
func inOrder(records []kinesisfake.Record) []kinesisfake.Record {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b kinesisfake.Record) int {
		return shard.CompareSequences(a.SequenceNumber, b.SequenceNumber)
	})
	return sorted
}

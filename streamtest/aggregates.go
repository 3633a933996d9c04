package streamtest

import (
	"slices"

	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// PutAggregate puts one record that has all of users in it, as the Kinesis
// Producer Library does, under the key of the first of them, and returns the
// shard and sequence number it got.
func (r *Rig) PutAggregate(users ...kpl.User) (shardID, sequence string) {
	r.t.Helper()
	a := kpl.Aggregator{MaxBytes: 1 << 20, Mixed: true}
	for i, u := range users {
		if !a.Add(u) {
			r.t.Fatalf("user record %d of %d does not fit into one aggregate", i, len(users))
		}
	}
	record := a.Flush()
	shardID, sequence = r.Put(record.PartitionKey, string(record.Data))
	r.mu.Lock()
	r.put += len(users) - 1
	r.mu.Unlock()
	return shardID, sequence
}

// unpack is what is to be delivered of a record that was put: its user records if
// it is an aggregate, but for those that a policy drops.
func (r *Rig) unpack(rec kinesisfake.Record) []prooftest.Item {
	whole := []prooftest.Item{itemOf(rec)}
	policy := r.aggregated()
	if r.table != "" || policy == kpl.Whole {
		return whole
	}
	a, err := kpl.Decode(rec.Data)
	if err != nil {
		return whole
	}
	var items []prooftest.Item
	for u, ok := a.Next(); ok; u, ok = a.Next() {
		if policy == kpl.Drop && !r.hashes(rec.ShardID).Holds(&u) {
			continue
		}
		one := itemOf(rec)
		one.Sub, one.Key, one.Keyed, one.Data = u.Index, u.PartitionKey, true, u.Data
		items = append(items, one)
	}
	return items
}

// aggregated is the policy that the workers read by.
func (r *Rig) aggregated() kpl.Policy {
	var o kinesisshards.Options
	for _, option := range r.reading {
		option(&o)
	}
	return o.Aggregated
}

// hashes is the range of a shard.
func (r *Rig) hashes(shardID string) kpl.Range {
	shards := r.AWS.Kinesis().Shards(Stream)
	i := slices.IndexFunc(shards, func(s kinesisfake.Shard) bool { return s.ID == shardID })
	if i < 0 {
		return kpl.Range{}
	}
	return kpl.NewRange(shard.HashRange{Start: shards[i].StartingHashKey, End: shards[i].EndingHashKey})
}

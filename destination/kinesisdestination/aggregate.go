package kinesisdestination

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard/kpl"
)

// sendAggregated puts parcels, all of one key as one record. The courier sees to
// it that they are not too large together.
//
// Records without a key have no order and could go anywhere: those of one call
// go together, under the id of the first.
func (s *Stream) sendAggregated(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	var all []*kpl.Aggregator
	of := map[string]int{} // by key
	entry := make([]int, len(parcels))
	keys := []string{}
	for i := range parcels {
		key := parcels[i].Record.Key
		at, known := of[key]
		if !known {
			at = len(all)
			of[key] = at
			all = append(all, &kpl.Aggregator{MaxBytes: destination.MaxKinesisStreamBytes})
			keys = append(keys, partitionKey(key, parcels[i].Record.ID))
		}
		entry[i] = at
		all[at].Add(kpl.User{PartitionKey: keys[at], Data: parcels[i].Body})
	}
	entries := make([]types.PutRecordsRequestEntry, len(all))
	for i, a := range all {
		r := a.Flush()
		entries[i] = types.PutRecordsRequestEntry{Data: r.Data, PartitionKey: &r.PartitionKey}
	}
	fates, err := s.put(ctx, entries)
	if fates == nil {
		return nil, err
	}
	each := make([]error, len(parcels))
	for i := range parcels {
		each[i] = fates[entry[i]]
	}
	return each, err
}

package checkpointtest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// parked is a key with its records as they stand in the table.
type parked struct {
	key     checkpoint.ParkedKey
	records []shard.Record
}

// parkedID is what names a parked key. A shard that it belongs to alone is part
// of it.
func parkedID(k checkpoint.ParkedKey) string { return k.Handler + "/" + k.Shard + "/" + k.Hash }

// maxParked is how large a record may be that is parked, as in DynamoDB.
const maxParked = 3 << 20

var _ checkpoint.Parking = (*Table)(nil)

// PrepareParking implements checkpoint.Parking.
func (t *Table) PrepareParking(ctx context.Context) error {
	return t.call(ctx, "prepareparking", "", func() error { return nil })
}

// ParkedKeys implements checkpoint.Parking, in the order of the hashes.
func (t *Table) ParkedKeys(ctx context.Context, row shard.Lease, handler string) ([]checkpoint.ParkedKey, error) {
	var keys []checkpoint.ParkedKey // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "parkedkeys", row.Holder(), func() error {
		for _, id := range slices.Sorted(maps.Keys(t.parked)) {
			k := t.parked[id].key
			if k.Handler == handler && (k.Shard == row.Shard || k.Shard == "" && row.Hashes.Holds(k.Point)) {
				keys = append(keys, k)
			}
		}
		return nil
	})
	if err != nil {
		var none []checkpoint.ParkedKey
		return none, err
	}
	return keys, nil
}

// ParkedRecords implements checkpoint.Parking.
func (t *Table) ParkedRecords(ctx context.Context, row shard.Lease, k checkpoint.ParkedKey, records int, bytes int64) ([]checkpoint.ParkedRecord, error) {
	var all []checkpoint.ParkedRecord // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "parkedrecords", row.Holder(), func() error {
		p := t.parked[parkedID(k)]
		if p == nil {
			return nil
		}
		for _, r := range p.records {
			if bytes -= int64(r.Size()); len(all) > 0 && (len(all) == records || bytes < 0) {
				break
			}
			all = append(all, checkpoint.ParkedRecord{Record: r, Parts: 1})
		}
		return nil
	})
	if err != nil {
		var none []checkpoint.ParkedRecord
		return none, err
	}
	return all, nil
}

// Park implements checkpoint.Parking.
func (t *Table) Park(_ shard.Lease, k checkpoint.ParkedKey, records []shard.Record) ([]any, error) {
	for i := range records {
		if n := len(records[i].Data); n > maxParked {
			return nil, fmt.Errorf("%w: it has %d bytes", checkpoint.ErrNotParkable, n)
		}
	}
	k = storedKey(k)
	return []any{Effect{Do: func() {
		p := t.parked[parkedID(k)]
		if p == nil {
			p = &parked{}
			t.parked[parkedID(k)] = p
		}
		p.key = k
		for _, r := range records {
			i, there := slices.BinarySearchFunc(p.records, r.Position(), comparePosition)
			if !there {
				p.records = slices.Insert(p.records, i, r)
			}
		}
	}}}, nil
}

// Unpark implements checkpoint.Parking.
func (t *Table) Unpark(_ shard.Lease, k checkpoint.ParkedKey, records []checkpoint.ParkedRecord) ([]any, error) {
	k = storedKey(k)
	return []any{Effect{Do: func() {
		p := t.parked[parkedID(k)]
		if p == nil {
			return
		}
		p.key = k
		for _, r := range records {
			if i, there := slices.BinarySearchFunc(p.records, r.Record.Position(), comparePosition); there {
				p.records = slices.Delete(p.records, i, i+1)
			}
		}
		if k.Records == 0 {
			delete(t.parked, parkedID(k))
		}
	}}}, nil
}

func comparePosition(r shard.Record, at shard.Position) int { return r.Position().Compare(at) }

// storedKey is a key with times as a table keeps them.
func storedKey(k checkpoint.ParkedKey) checkpoint.ParkedKey {
	k.Since, k.Due = inMillis(k.Since), inMillis(k.Due)
	return k
}

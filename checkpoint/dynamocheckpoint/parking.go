package dynamocheckpoint

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// The table of parked records has two kinds of rows.
//
//	place                          part
//	<stream>keys/<handler>/        <point>/<hash>            a key of whichever shard takes its point
//	<stream>keys/<handler>/<shard> /<hash>                   a key of one shard alone
//	<stream>rows/<handler>/<shard>/<hash>  <sequence>.<sub>.<part>   a part of a record
//
// <stream> is empty but in a table of many streams. A sequence number is padded
// with zeros, so that the order of the rows is that of the records. Within one
// key it holds over a reshard, too: the sequence numbers of a child are above
// those with which its parents were closed. A record that does not fit one item
// takes several.

// placeKey is the name of the partition key.
const placeKey = "place"

var _ checkpoint.Parking = (*Table)(nil)

// PrepareParking implements checkpoint.Parking.
func (t *Table) PrepareParking(ctx context.Context) error {
	return until(ctx, t.parked, func(ctx context.Context) (bool, error) { return t.look(ctx, t.parkedLayout()) })
}

// keysPlace is where the rows of keys stand.
func keysPlace(lease, handler, shardID string) string {
	prefix, _ := splitKey(lease)
	return prefix + "keys/" + handler + "/" + shardID
}

// rowsPlace is where the records of a key stand.
func rowsPlace(lease string, k checkpoint.ParkedKey) string {
	prefix, _ := splitKey(lease)
	return prefix + "rows/" + k.Handler + "/" + k.Shard + "/" + k.Hash
}

func keyPart(k checkpoint.ParkedKey) string { return k.Point + "/" + k.Hash }

// digits is the width of a sequence number: Kinesis writes 56 digits, and 2¹⁸⁶
// has no more than 57.
const digits = 64

func recordPart(r *shard.Record, part int) string {
	return fmt.Sprintf("%s%s.%010d.%03d", strings.Repeat("0", max(0, digits-len(r.Sequence))), r.Sequence, r.Sub, part)
}

// ParkedKeys implements checkpoint.Parking.
func (t *Table) ParkedKeys(ctx context.Context, row shard.Lease, handler string) ([]checkpoint.ParkedKey, error) {
	var keys []checkpoint.ParkedKey
	read := func(place, from, to string) error {
		return t.parkedRows(ctx, place, from, to, 0, func(it item) (bool, error) {
			k, err := parkedKeyOf(it)
			k.Handler = handler
			keys = append(keys, k)
			return true, err
		})
	}
	// Every part of a key of one shard begins with '/', which is before '0'.
	if err := read(keysPlace(row.Key, handler, row.Shard), "/", "0"); err != nil {
		return nil, err
	}
	if from, to, ok := row.Hashes.Points(); ok {
		if err := read(keysPlace(row.Key, handler, ""), from+"/", to+"0"); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// parkedRows calls each with the rows of a place between two parts, in order,
// until it has enough. Limit is how many are read at once, 0 as many as fit.
func (t *Table) parkedRows(ctx context.Context, place, from, to string, limit int32, each func(item) (more bool, err error)) error {
	yes, of := true, "#place = :place AND #part BETWEEN :from AND :to"
	in := &dynamodb.QueryInput{
		TableName: &t.parked, ConsistentRead: &yes, KeyConditionExpression: &of,
		ExpressionAttributeNames:  map[string]string{"#place": placeKey, "#part": partKey},
		ExpressionAttributeValues: item{":place": text(place), ":from": text(from), ":to": text(to)},
	}
	if limit > 0 {
		in.Limit = &limit
	}
	for {
		page, err := t.parkedPage(ctx, in)
		if err != nil {
			return t.failed("read what is parked at", place, t.parked, err)
		}
		for _, it := range page.Items {
			more, err := each(it)
			if err != nil {
				return fmt.Errorf("read what is parked at %s in table %s: %w", place, t.parked, err)
			}
			if !more {
				return nil
			}
		}
		if in.ExclusiveStartKey = page.LastEvaluatedKey; len(page.LastEvaluatedKey) == 0 {
			return nil
		}
	}
}

func (t *Table) parkedPage(ctx context.Context, in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	return t.client.Query(ctx, in)
}

// ParkedRecords implements checkpoint.Parking.
func (t *Table) ParkedRecords(ctx context.Context, row shard.Lease, k checkpoint.ParkedKey, records int, bytes int64) ([]checkpoint.ParkedRecord, error) {
	var all []checkpoint.ParkedRecord
	var payload []byte
	var size int64
	have := 0
	// A row more than are wanted, for large records take several.
	limit := int32(min(records, 500) + 8)
	err := t.parkedRows(ctx, rowsPlace(row.Key, k), "0", ":", limit, func(it item) (bool, error) {
		r := &reading{row: it}
		parts := int(r.count("parts"))
		part, ok := it["payload"].(*types.AttributeValueMemberB)
		if r.fault != nil || !ok || parts < 1 {
			return false, fmt.Errorf("row %s holds no part of a record", shorten(r.text(partKey)))
		}
		payload = append(payload, part.Value...)
		if have++; have < parts {
			return true, nil
		}
		record, err := unpacked(payload)
		if err != nil {
			return false, err
		}
		if size += int64(record.Size()); len(all) > 0 && size > bytes {
			return false, nil
		}
		all = append(all, checkpoint.ParkedRecord{Record: record, Parts: parts})
		payload, have = nil, 0
		return len(all) < records && size < bytes, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Park implements checkpoint.Parking.
func (t *Table) Park(row shard.Lease, k checkpoint.ParkedKey, records []shard.Record) ([]any, error) {
	effects := []any{t.parkedKeyRow(row, k)}
	place := rowsPlace(row.Key, k)
	for i := range records {
		payload, err := packed(&records[i])
		if err != nil {
			return nil, fmt.Errorf("park a record of %s: %w: %w", row.Key, checkpoint.ErrNotParkable, err)
		}
		if len(payload) > maxParked {
			return nil, fmt.Errorf("park a record of %s: %w: it has %d bytes, and a transaction has room for %d",
				row.Key, checkpoint.ErrNotParkable, len(payload), maxParked)
		}
		parts := (len(payload) + maxPart - 1) / maxPart
		for part := range parts {
			it := item{
				placeKey: text(place), partKey: text(recordPart(&records[i], part)), "parts": number(int64(parts)),
				"payload": &types.AttributeValueMemberB{Value: payload[part*maxPart : min(len(payload), (part+1)*maxPart)]},
			}
			effects = append(effects, effectOf(types.TransactWriteItem{Put: &types.Put{TableName: &t.parked, Item: it}}))
		}
	}
	return effects, nil
}

// What one record may take: an item has at most 400 KB, and a transaction 4 MB
// with all that is in it.
const (
	maxPart   = 350 << 10
	maxParked = 3 << 20
)

// Unpark implements checkpoint.Parking.
func (t *Table) Unpark(row shard.Lease, k checkpoint.ParkedKey, records []checkpoint.ParkedRecord) ([]any, error) {
	place := rowsPlace(row.Key, k)
	effects := []any{t.parkedKeyRow(row, k)}
	for i := range records {
		for part := range records[i].Parts {
			key := item{placeKey: text(place), partKey: text(recordPart(&records[i].Record, part))}
			effects = append(effects, effectOf(types.TransactWriteItem{Delete: &types.Delete{TableName: &t.parked, Key: key}}))
		}
	}
	return effects, nil
}

func effectOf(w types.TransactWriteItem) Effect { return Effect{item: w, size: effectSize(w)} }

// parkedKeyRow writes the row of a key, or deletes it if nothing is left of it.
func (t *Table) parkedKeyRow(row shard.Lease, k checkpoint.ParkedKey) Effect {
	place, part := text(keysPlace(row.Key, k.Handler, k.Shard)), text(keyPart(k))
	if k.Records == 0 {
		return effectOf(types.TransactWriteItem{Delete: &types.Delete{TableName: &t.parked, Key: item{placeKey: place, partKey: part}}})
	}
	it := item{
		placeKey: place, partKey: part,
		"keyHash": text(k.Hash), "records": number(int64(k.Records)), "bytes": number(k.Bytes),
		"attempts": number(int64(k.Attempts)), "sinceMs": number(millis(k.Since)), "dueMs": number(millis(k.Due)),
		"first": text(k.First.Sequence), "firstSub": number(k.First.Sub),
		"last": text(k.Last.Sequence), "lastSub": number(k.Last.Sub), "lastShard": text(k.LastShard), "seekGen": number(k.SeekGen),
	}
	if k.Joined.IsRecord() {
		it["joined"], it["joinedSub"] = text(k.Joined.Sequence), number(k.Joined.Sub)
	}
	if k.Key != "" {
		it["key"] = text(k.Key)
	}
	if k.Shard != "" {
		it["shardId"] = text(k.Shard)
	}
	if k.Point != "" {
		it["point"] = text(k.Point)
	}
	return effectOf(types.TransactWriteItem{Put: &types.Put{TableName: &t.parked, Item: it}})
}

// parkedKeyOf reads the row of a key.
func parkedKeyOf(it item) (checkpoint.ParkedKey, error) {
	r := &reading{row: it}
	k := checkpoint.ParkedKey{
		Key: r.text("key"), Hash: r.text("keyHash"), Shard: r.text("shardId"), Point: r.text("point"),
		Records: int(r.count("records")), Bytes: r.count("bytes"), Attempts: int(r.count("attempts")),
		Since: r.instant("sinceMs"), Due: r.instant("dueMs"),
		First: r.position("first", "firstSub"), Last: r.position("last", "lastSub"), LastShard: r.text("lastShard"), SeekGen: r.count("seekGen"),
		Joined: r.position("joined", "joinedSub"),
	}
	if k.Hash == "" {
		r.wrong("keyHash", "is missing")
	}
	if r.fault != nil {
		return k, fmt.Errorf("row %s: %w", strconv.Quote(shorten(r.text(partKey))), r.fault)
	}
	return k, nil
}

package kpl

import (
	"crypto/md5"
	"encoding/binary"
)

// Aggregator makes aggregated records: Add until it refuses, then Flush.
//
//	for _, u := range users {
//		if !a.Add(u) {
//			put(a.Flush())
//			a.Add(u)
//		}
//	}
//	if a.Len() > 0 {
//		put(a.Flush())
//	}
//
// All user records of one aggregate have the same partition key and the same
// explicit hash key. They belong to one shard then, whatever becomes of the
// shards while the aggregate is on its way, and those of one key keep their
// order as long as the aggregates do. See Mixed for the other way.
//
// The zero Aggregator is ready for use, by one goroutine at a time.
type Aggregator struct {
	// MaxBytes is how large an aggregate may become with its partition key, in
	// bytes. Default: 51,200, the default of the Producer Library. A user record
	// that alone is larger becomes a record of its own.
	MaxBytes int
	// MaxRecords is how many user records an aggregate has at most; 0 is as many
	// as there is room for. A reader handles them one by one whatever their
	// number, so a bound is only of use for one that does not.
	MaxRecords int
	// Mixed lets user records of different keys into one aggregate, which is put
	// under the key of the first. The caller sees to it that all of them belong to
	// the same shard. That cannot be promised while shards are split or merged: a
	// record may then come out of a shard that does not own its key, where readers
	// that check drop it (see Range), and out of order with those of its key.
	Mixed bool

	users    []User
	keys     map[string]uint64
	hashes   map[string]uint64
	tables   int // bytes of the tables
	records  int // bytes of the records
	keysOf   []string
	hashesOf []string
}

// defaultMaxBytes is the Producer Library's AggregationMaxSize:
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/java/amazon-kinesis-producer-sample/default_config.properties.
const defaultMaxBytes = 51_200

// Record is what is put into the stream.
type Record struct {
	// PartitionKey and ExplicitHashKey are those of the first user record;
	// ExplicitHashKey is empty if it had none.
	PartitionKey, ExplicitHashKey string
	// Data is the aggregate, or the data of the only user record.
	Data []byte
	// Users is how many user records it is.
	Users int
}

// Add takes one user record in; its Index does not matter. It is false if the
// record does not fit in or has another key: Flush, and add it again. An empty
// aggregator takes every record. Data is not copied and must not change before
// Flush.
func (a *Aggregator) Add(u User) bool {
	size := a.sizeWith(&u)
	if n := len(a.users); n > 0 {
		first := &a.users[0]
		switch {
		case !a.Mixed && (u.PartitionKey != first.PartitionKey || u.ExplicitHashKey != first.ExplicitHashKey):
			return false
		case size > a.maxBytes(), a.MaxRecords > 0 && n >= a.MaxRecords:
			return false
		}
	}
	if a.keys == nil {
		a.keys, a.hashes = map[string]uint64{}, map[string]uint64{}
	}
	if _, known := a.keys[u.PartitionKey]; !known {
		a.keys[u.PartitionKey] = uint64(len(a.keysOf))
		a.keysOf = append(a.keysOf, u.PartitionKey)
		a.tables += fieldSize(len(u.PartitionKey))
	}
	if _, known := a.hashes[u.ExplicitHashKey]; !known && u.ExplicitHashKey != "" {
		a.hashes[u.ExplicitHashKey] = uint64(len(a.hashesOf))
		a.hashesOf = append(a.hashesOf, u.ExplicitHashKey)
		a.tables += fieldSize(len(u.ExplicitHashKey))
	}
	a.records += fieldSize(a.recordSize(&u))
	a.users = append(a.users, u)
	return true
}

func (a *Aggregator) maxBytes() int {
	if a.MaxBytes > 0 {
		return a.MaxBytes
	}
	return defaultMaxBytes
}

// recordSize is how many bytes a user record is in its message, with the places
// in the tables that its keys have or would get.
func (a *Aggregator) recordSize(u *User) int {
	key, known := a.keys[u.PartitionKey]
	if !known {
		key = uint64(len(a.keysOf))
	}
	n := 1 + varintSize(key) + fieldSize(len(u.Data))
	if u.ExplicitHashKey != "" {
		hash, known := a.hashes[u.ExplicitHashKey]
		if !known {
			hash = uint64(len(a.hashesOf))
		}
		n += 1 + varintSize(hash)
	}
	return n
}

// sizeWith is the size of the aggregate with one user record more.
func (a *Aggregator) sizeWith(u *User) int {
	n := a.Bytes() + fieldSize(a.recordSize(u))
	if len(a.users) == 0 {
		n += len(magic) + md5.Size + len(u.PartitionKey)
	}
	if _, known := a.keys[u.PartitionKey]; !known {
		n += fieldSize(len(u.PartitionKey))
	}
	if _, known := a.hashes[u.ExplicitHashKey]; !known && u.ExplicitHashKey != "" {
		n += fieldSize(len(u.ExplicitHashKey))
	}
	return n
}

// Len is how many user records wait for Flush.
func (a *Aggregator) Len() int { return len(a.users) }

// Bytes is how large their aggregate is, with the partition key it is put under.
func (a *Aggregator) Bytes() int {
	if len(a.users) == 0 {
		return 0
	}
	return len(magic) + a.tables + a.records + md5.Size + len(a.users[0].PartitionKey)
}

// Flush makes the record and begins anew. A single user record becomes a plain
// record, unless a reader would take it for an aggregate. Without any it is the
// zero Record.
func (a *Aggregator) Flush() Record {
	if len(a.users) == 0 {
		return Record{}
	}
	first := &a.users[0]
	r := Record{PartitionKey: first.PartitionKey, ExplicitHashKey: first.ExplicitHashKey, Users: len(a.users), Data: first.Data}
	if len(a.users) > 1 || Framed(first.Data) {
		r.Data = a.encode()
	}
	*a = Aggregator{MaxBytes: a.MaxBytes, MaxRecords: a.MaxRecords, Mixed: a.Mixed}
	return r
}

// encode writes the aggregate.
func (a *Aggregator) encode() []byte {
	b := make([]byte, 0, len(magic)+a.tables+a.records+md5.Size)
	b = append(b, magic...)
	for _, key := range a.keysOf {
		b = appendField(b, aggregatePartitionKeys, key)
	}
	for _, key := range a.hashesOf {
		b = appendField(b, aggregateHashKeys, key)
	}
	for i := range a.users {
		u := &a.users[i]
		b = append(b, aggregateRecords<<3|wireBytes)
		b = binary.AppendUvarint(b, uint64(a.recordSize(u)))
		b = append(b, recordPartitionKey<<3|wireVarint)
		b = binary.AppendUvarint(b, a.keys[u.PartitionKey])
		if u.ExplicitHashKey != "" {
			b = append(b, recordHashKey<<3|wireVarint)
			b = binary.AppendUvarint(b, a.hashes[u.ExplicitHashKey])
		}
		b = append(b, recordData<<3|wireBytes)
		b = binary.AppendUvarint(b, uint64(len(u.Data)))
		b = append(b, u.Data...)
	}
	sum := md5.Sum(b[len(magic):])
	return append(b, sum[:]...)
}

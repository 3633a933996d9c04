package shard

import (
	"strconv"
	"time"
)

// Record is one record of a shard as a handler gets it. Its bytes stay valid
// for as long as the handler keeps them, unless the source was asked to lend them
// only (kinesisshards.Options.Pooled).
type Record struct {
	// Stream is the ARN of the stream.
	Stream string
	// Shard is the id of the shard.
	Shard string
	// Sequence is the record's sequence number, decimal, unique in its shard.
	Sequence string
	// Sub is the index of a user record within an aggregated record, else 0.
	Sub int64
	// PartitionKey is the key the producer gave. It is empty with Keyed false
	// on a stream that distributes records by itself.
	PartitionKey string
	// Keyed tells whether the service gave a partition key.
	Keyed bool
	// Data is the payload, at most 10 MiB.
	Data []byte
	// ArrivedAt is the service's approximate time of arrival.
	ArrivedAt time.Time
}

// Position is the position behind this record.
func (r *Record) Position() Position { return After(r.Sequence, r.Sub) }

// ID names the record for ever: stream ARN, shard, sequence number and, within
// an aggregate, the index, joined by slashes. A sink that keeps the ids it has
// applied recognises a repeat by it.
func (r *Record) ID() string {
	id := r.Stream + "/" + r.Shard + "/" + r.Sequence
	if r.Sub != 0 {
		id += "/" + strconv.FormatInt(r.Sub, 10)
	}
	return id
}

// recordOverhead is what a record costs beside its payload and its key: the
// struct itself (about 136 bytes), its sequence number of 56 digits and the
// allocator's rounding.
const recordOverhead = 256

// Size is what the record counts towards a byte budget, in bytes: payload, key,
// and a fixed overhead for the record itself.
func (r *Record) Size() int { return len(r.Data) + len(r.PartitionKey) + recordOverhead }

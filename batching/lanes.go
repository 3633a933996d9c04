package batching

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"strconv"

	"github.com/towpath/towpath/shard"
)

// Lanes splits the records of a shard so that those of one key stay in order
// while others are handled at the same time.
type Lanes struct {
	// Count is how many lanes there are; 0 and 1 are one.
	Count int
	// Key is what records are kept in order by; nil is the partition key, of
	// the user record where records are aggregated. Records for which it is the
	// same, the empty string included, share a lane.
	Key func(*shard.Record) string
}

// Of is the record's lane, from 0 to Count-1. The lane of a key is the same for
// the life of the process; nothing may be stored that depends on it, as another
// version may choose another hash. A record without a partition key, where Key
// is nil, has no order to keep and goes wherever its sequence number leads.
func (l Lanes) Of(r *shard.Record) int {
	if l.Count <= 1 {
		return 0
	}
	var h uint64
	switch {
	case l.Key != nil:
		h = hash(l.Key(r))
	case r.Keyed || r.PartitionKey != "":
		h = hash(r.PartitionKey)
	default:
		h = hash(r.Sequence) + uint64(r.Sub)
	}
	lane, _ := bits.Mul64(mix(h), uint64(l.Count))
	return int(lane)
}

// Split brings records, and their tickets with them, into the order of the lanes,
// in place: each lane's in the order in which they came, those of lane i before
// ends[i] and not before the end of the lane before it.
func (l Lanes) Split(records []shard.Record, tickets []int64) (ends []int) {
	if l.Count <= 1 {
		return []int{len(records)}
	}
	to := make([]int32, len(records)) // the lane of each, then its place
	ends = make([]int, l.Count)
	for i := range records {
		to[i] = int32(l.Of(&records[i]))
		ends[to[i]]++
	}
	begin := 0
	for lane, n := range ends { // for now, where each begins
		ends[lane] = begin
		begin += n
	}
	for i, lane := range to {
		to[i] = int32(ends[lane])
		ends[lane]++
	}
	for i := range to {
		for j := to[i]; int(j) != i; j = to[i] {
			records[i], records[j] = records[j], records[i]
			tickets[i], tickets[j] = tickets[j], tickets[i]
			to[i], to[j] = to[j], j
		}
	}
	return ends
}

// KeyOf is the key that the record's order belongs to. One without a key, where
// Key is nil, is a key of its own.
func (l Lanes) KeyOf(r *shard.Record) string {
	switch {
	case l.Key != nil:
		return l.Key(r)
	case r.Keyed || r.PartitionKey != "":
		return r.PartitionKey
	}
	return OwnKey(r)
}

// OwnKey is a key that no other record has: where no order is kept, each record
// waits for itself.
func OwnKey(r *shard.Record) string {
	return "\x00record " + r.Sequence + "." + strconv.FormatInt(r.Sub, 10)
}

// HashKey is the SHA-256 of a key in hexadecimal: what stands for a key wherever
// the key itself must not be shown.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// hash is FNV-1a with 64 bits.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads what FNV leaves in the low bits over all of them (the finalizer
// of splitmix64): keys such as "user-1", "user-2" differ in the last byte only.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

package kpl

import (
	"crypto/md5"
	"math/bits"

	"github.com/towpath/towpath/shard"
)

// point is a place among the 128-bit hashes of a stream.
type point struct{ high, low uint64 }

func (p point) before(q point) bool {
	return p.high < q.high || p.high == q.high && p.low < q.low
}

// parsePoint reads a decimal number of at most 128 bits: ASCII digits alone.
func parsePoint[T string | []byte](decimal T) (p point, ok bool) {
	if len(decimal) == 0 {
		return point{}, false
	}
	for i := range len(decimal) {
		c := decimal[i]
		if c < '0' || c > '9' {
			return point{}, false
		}
		over, high := bits.Mul64(p.high, 10)
		carry, low := bits.Mul64(p.low, 10)
		low, c1 := bits.Add64(low, uint64(c-'0'), 0)
		high, c2 := bits.Add64(high, carry, c1)
		if over != 0 || c2 != 0 {
			return point{}, false
		}
		p = point{high, low}
	}
	return p, true
}

// pointOf is where a partition key lies: the MD5 of it, as shard.PointOf has it.
func pointOf(partitionKey string) (p point) {
	sum := md5.Sum([]byte(partitionKey))
	for i := range 8 {
		p.high = p.high<<8 | uint64(sum[i])
		p.low = p.low<<8 | uint64(sum[i+8])
	}
	return p
}

// Range is the hashes of one shard, read once for many user records. The zero
// Range is not known, and holds everything.
type Range struct {
	from, to point
	known    bool
}

// NewRange reads the range of a shard. One that is none or cannot be read is the
// zero Range.
func NewRange(h shard.HashRange) Range {
	from, ok1 := parsePoint(h.Start)
	to, ok2 := parsePoint(h.End)
	if !ok1 || !ok2 {
		return Range{}
	}
	return Range{from: from, to: to, known: true}
}

// Holds reports whether a user record belongs to the shard: by its explicit hash
// key if it has one, else by its partition key. A producer that put a record into
// a shard's range finds it outside if the shard was split or merged while the
// record was on its way, or if it aggregates without a look at the shards.
func (r Range) Holds(u *User) bool {
	if !r.known {
		return true
	}
	at, ok := parsePoint(u.ExplicitHashKey)
	if !ok {
		at = pointOf(u.PartitionKey)
	}
	return !at.before(r.from) && !r.to.before(at)
}

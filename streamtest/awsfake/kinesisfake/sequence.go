package kinesisfake

import (
	"encoding/binary"
	"math"
	"math/big"
)

// sequence is what a sequence number is made of. As an integer of 188 bits,
// from the top: the digit 2 (4 bits), the birth of the shard (36), zero (8), the
// index in the shard (64), zero (4), the second of the record's arrival (36),
// the shard's number (32), and the digit 2 (4).
//
// So numbers of one shard increase with the index, those of a shard born later
// are larger than all of one born before, and a number tells its shard.
type sequence struct {
	birth  uint64
	index  uint64
	second uint64
	shard  uint32
}

// The indices that are no record's: the shard's start, and its end.
const (
	startIndex = 0
	endIndex   = math.MaxInt64
)

const seconds = 1<<36 - 1 // the bits of a second

// String is the number in decimal, 56 digits long.
func (n sequence) String() string {
	var b [24]byte
	birth, second := n.birth&seconds, n.second&seconds
	binary.BigEndian.PutUint64(b[0:], 2<<56|birth<<20|n.index>>52)
	binary.BigEndian.PutUint64(b[8:], n.index<<12|second>>28)
	binary.BigEndian.PutUint64(b[16:], second<<36|uint64(n.shard)<<4|2)
	return new(big.Int).SetBytes(b[:]).String()
}

// parseSequence takes a number apart, and reports whether it was one.
func parseSequence(s string) (sequence, bool) {
	if len(s) != 56 {
		return sequence{}, false
	}
	for _, digit := range []byte(s) {
		if digit < '0' || digit > '9' {
			return sequence{}, false
		}
	}
	i, ok := new(big.Int).SetString(s, 10)
	if !ok || i.BitLen() > 192 {
		return sequence{}, false
	}
	var b [24]byte
	i.FillBytes(b[:])
	hi, mid, lo := binary.BigEndian.Uint64(b[0:]), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	n := sequence{
		birth:  hi >> 20 & seconds,
		index:  hi<<52 | mid>>12,
		second: mid<<28&seconds | lo>>36,
		shard:  uint32(lo >> 4),
	}
	return n, n.String() == s
}

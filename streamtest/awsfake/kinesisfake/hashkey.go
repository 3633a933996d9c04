package kinesisfake

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
)

// hashKey is a point of the 128-bit ring that shards divide.
type hashKey struct{ hi, lo uint64 }

// lastHashKey is the end of the ring.
var lastHashKey = hashKey{math.MaxUint64, math.MaxUint64}

// hashOf is where a partition key falls: its MD5 sum as an integer.
func hashOf(partitionKey string) hashKey {
	sum := md5.Sum([]byte(partitionKey))
	return hashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// parseHashKey reads a decimal hash key: no sign, no leading zero, below 2^128.
func parseHashKey(s string) (hashKey, bool) {
	i, ok := new(big.Int).SetString(s, 10)
	if !ok || i.Sign() < 0 || i.BitLen() > 128 || i.String() != s {
		return hashKey{}, false
	}
	return fromBig(i), true
}

func fromBig(i *big.Int) hashKey {
	var b [16]byte
	i.FillBytes(b[:])
	return hashKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// String is the hash key in decimal.
func (k hashKey) String() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return new(big.Int).SetBytes(b[:]).String()
}

func (k hashKey) compare(l hashKey) int {
	return cmp.Or(cmp.Compare(k.hi, l.hi), cmp.Compare(k.lo, l.lo))
}

// next is the key after k, and before the key before it; both wrap around.
func (k hashKey) next() hashKey {
	lo, carry := bits.Add64(k.lo, 1, 0)
	return hashKey{k.hi + carry, lo}
}

func (k hashKey) before() hashKey {
	lo, borrow := bits.Sub64(k.lo, 1, 0)
	return hashKey{k.hi - borrow, lo}
}

// middle is where a range is cut in two equal halves: the start of the upper.
func middle(low, high hashKey) hashKey {
	lo, borrow := bits.Sub64(high.lo, low.lo, 0)
	hi := high.hi - low.hi - borrow
	half := hashKey{hi >> 1, hi<<63 | lo>>1}
	sumLo, carry := bits.Add64(low.lo, half.lo, 0)
	return hashKey{low.hi + half.hi + carry, sumLo}.next()
}

// uniform is where n shards of equal size begin.
func uniform(n int) []hashKey {
	starts := make([]hashKey, n)
	ring := new(big.Int).Lsh(big.NewInt(1), 128)
	for i := range starts {
		at := new(big.Int).Mul(ring, big.NewInt(int64(i)))
		starts[i] = fromBig(at.Div(at, big.NewInt(int64(n))))
	}
	return starts
}

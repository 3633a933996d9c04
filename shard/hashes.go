package shard

import (
	"crypto/md5"
	"encoding/hex"
	"math/big"
)

// PointOf is where a partition key lies among the hashes of a stream: its MD5 as
// 32 hexadecimal digits, by which Kinesis chooses the shard. A record that was
// put with an explicit hash key lies elsewhere, and nothing tells where.
func PointOf(partitionKey string) string {
	sum := md5.Sum([]byte(partitionKey))
	return hex.EncodeToString(sum[:])
}

// Points are the ends of the range in the form of PointOf, both included, and
// false if the range is none or cannot be read.
func (h HashRange) Points() (from, to string, ok bool) {
	start, ok1 := point(h.Start)
	end, ok2 := point(h.End)
	return start, end, ok1 && ok2
}

// Holds reports whether a point lies in the range; nothing does in one that
// cannot be read.
func (h HashRange) Holds(at string) bool {
	from, to, ok := h.Points()
	return ok && from <= at && at <= to
}

func point(decimal string) (string, bool) {
	n, ok := new(big.Int).SetString(decimal, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return "", false
	}
	var b [16]byte
	return hex.EncodeToString(n.FillBytes(b[:])), true
}

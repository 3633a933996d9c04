package window

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"math/big"

	"github.com/towpath/towpath/shard"
)

// hash is the 128-bit hash by which Kinesis gives a partition key to a shard.
type hash [md5.Size]byte

func hashOf(key string) hash { return md5.Sum([]byte(key)) }

func (h hash) less(o hash) bool { return bytes.Compare(h[:], o[:]) < 0 }

// hashes is a range of them, both ends included; the zero value is no range.
type hashes struct {
	set         bool
	first, last hash
}

func (r hashes) contain(h hash) bool { return r.set && !h.less(r.first) && !r.last.less(h) }

// within is what two ranges have in common.
func (r hashes) within(o hashes) hashes {
	if !r.set || !o.set {
		return hashes{}
	}
	if r.first.less(o.first) {
		r.first = o.first
	}
	if o.last.less(r.last) {
		r.last = o.last
	}
	if r.last.less(r.first) {
		return hashes{}
	}
	return r
}

// parseHashes reads the range of a shard.
func parseHashes(r shard.HashRange) (hashes, error) {
	if r == (shard.HashRange{}) {
		return hashes{}, nil
	}
	parsed := hashes{set: true}
	for _, end := range []struct {
		text string
		into *hash
	}{{r.Start, &parsed.first}, {r.End, &parsed.last}} {
		n, ok := new(big.Int).SetString(end.text, 10)
		if !ok || n.Sign() < 0 || n.BitLen() > 8*len(hash{}) {
			return hashes{}, fmt.Errorf("read the hash range of a shard: %q is no 128-bit number", end.text)
		}
		n.FillBytes(end.into[:])
	}
	return parsed, nil
}

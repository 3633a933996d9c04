package kinesisfake

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// Tokens are handed to clients and come back: shard iterators, the NextTokens of
// ListShards and ListStreamConsumers. They hold all there is to know, so nothing is kept for them.
const (
	iteratorToken  = 1
	listToken      = 2
	consumersToken = 3
)

// seal makes a token of a kind out of numbers.
func seal(kind uint64, fields ...int64) string {
	b := make([]byte, 0, 8*(len(fields)+1)+4)
	b = binary.BigEndian.AppendUint64(b, kind)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint64(b, uint64(f))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.StdEncoding.EncodeToString(b)
}

// unseal takes the numbers out of a token into fields, and reports whether it
// was an intact token of that kind.
func unseal(token string, kind uint64, fields ...*int64) bool {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) != 8*(len(fields)+1)+4 {
		return false
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum || binary.BigEndian.Uint64(body) != kind {
		return false
	}
	for i, f := range fields {
		*f = int64(binary.BigEndian.Uint64(body[8*(i+1):]))
	}
	return true
}

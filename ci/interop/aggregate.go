package main

import (
	"crypto/md5"
	"encoding/binary"
)

// magic is what an aggregated record of the Kinesis Producer Library begins with.
var magic = []byte{0xF3, 0x89, 0x9A, 0xC2}

// aggregated puts user records of one key into one record, as the Kinesis Producer
// Library does: magic, an AggregatedRecord of protobuf, its MD5. It is written
// here once more, and not taken from the library that is to be proven.
func aggregated(key string, payloads [][]byte) []byte {
	message := field(nil, 1, []byte(key)) // the table of partition keys
	for _, payload := range payloads {
		record := field([]byte{1 << 3, 0}, 3, payload) // partition_key_index 0, data
		message = field(message, 3, record)
	}
	digest := md5.Sum(message)
	out := append(append([]byte{}, magic...), message...)
	return append(out, digest[:]...)
}

// field appends a field of bytes.
func field(to []byte, number uint64, value []byte) []byte {
	to = binary.AppendUvarint(to, number<<3|2)
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

package kpl

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The wire types of protobuf that an aggregate can have. Groups are not among
// them: https://protobuf.dev/programming-guides/encoding/#structure.
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

// field is one field of a message, as it stands on the wire.
type field struct {
	number uint64
	wire   uint64
	value  uint64 // of a varint
	bytes  []byte // of wireBytes; a part of the message
}

var (
	errCut    = errors.New("it is cut short")
	errVarint = errors.New("a number has more than 64 bits")
)

// nextField takes the first field off a message. Lengths are held against what
// is there before anything is done with them.
func nextField(message []byte) (f field, rest []byte, err error) {
	tag, rest, err := varint(message)
	if err != nil {
		return field{}, nil, err
	}
	// Field numbers have 29 bits and begin with 1.
	f.number, f.wire = tag>>3, tag&7
	if f.number == 0 || f.number >= 1<<29 {
		return field{}, nil, fmt.Errorf("it has a field with the number %d", f.number)
	}
	skip := uint64(0)
	switch f.wire {
	case wireVarint:
		f.value, rest, err = varint(rest)
		return f, rest, err
	case wireFixed8:
		skip = 8
	case wireFixed4:
		skip = 4
	case wireBytes:
		if skip, rest, err = varint(rest); err != nil {
			return field{}, nil, err
		}
	default:
		return field{}, nil, fmt.Errorf("field %d has the wire type %d", f.number, f.wire)
	}
	if skip > uint64(len(rest)) {
		return field{}, nil, errCut
	}
	f.bytes, rest = rest[:skip:skip], rest[skip:]
	return f, rest, nil
}

func varint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, errCut
	case n < 0:
		return 0, nil, errVarint
	}
	return v, b[n:], nil
}

// appendField appends a field of bytes.
func appendField(b []byte, number uint64, value string) []byte {
	b = binary.AppendUvarint(b, number<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// fieldSize is how many bytes appendField appends for a value of n bytes. Every
// field of an aggregate has a number below 16, whose tag is one byte.
func fieldSize(n int) int { return 1 + varintSize(uint64(n)) + n }

func varintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

package msgpackcodec

import (
	"encoding/binary"
	"fmt"

	"github.com/towpath/towpath/codec"
)

// walk reads data without building anything and says whether it is exactly one
// MessagePack value that can be decoded without harm. Each byte is looked at
// once at most and nothing is allocated unless there is something to complain of.
//
// The decoder below believes lengths before it has seen what they announce:
// dd 7f ff ff ff, five bytes, makes it allocate an array of 2³¹ elements, and
// every nested value is a call on its stack. Both end the process, and no
// recover catches either. So that cannot be let through:
//
//   - a length must fit what is left, each element of an array taking one byte at
//     least and each pair of a map two. As all of the data is walked, the elements
//     are then really there;
//   - values nest maxDepth deep at most;
//   - an extension is a timestamp, or of a type that is allowed, because what it
//     is decoded by is code that somebody registered for the whole process.
//
// See https://github.com/msgpack/msgpack/blob/master/spec.md for the format.
func walk(data []byte, maxDepth int, allowExt bool) error {
	w := walker{data: data, maxDepth: maxDepth, allowExt: allowExt}
	if err := w.value(0); err != nil {
		return err
	}
	if w.at != len(data) {
		return faultf("%d bytes follow the value at byte %d", len(data)-w.at, w.at)
	}
	return nil
}

type walker struct {
	data     []byte
	at       int
	maxDepth int
	allowExt bool
}

// The first bytes of values, by the specification. Those not named are numbers
// without anything behind them.
const (
	fixMap    = 0x80
	fixArray  = 0x90
	fixString = 0xa0
	neverUsed = 0xc1
	bin8      = 0xc4
	bin32     = 0xc6
	ext8      = 0xc7
	ext32     = 0xc9
	float32   = 0xca
	uint8Code = 0xcc
	int8Code  = 0xd0
	fixExt1   = 0xd4
	fixExt16  = 0xd8
	str8      = 0xd9
	str32     = 0xdb
	array16   = 0xdc
	array32   = 0xdd
	map16     = 0xde
	map32     = 0xdf
	negative  = 0xe0
)

// value walks over one value at the given depth; 0 is the outermost.
func (w *walker) value(depth int) error {
	if w.at >= len(w.data) {
		return faultf("the data ends at byte %d, where a value should begin", w.at)
	}
	if depth > w.maxDepth {
		return faultf("values nest more than %d deep at byte %d", w.maxDepth, w.at)
	}
	c := w.data[w.at]
	w.at++
	switch {
	case c < fixMap || c >= negative:
		return nil
	case c < fixArray:
		return w.values(2, uint64(c&0x0f), depth)
	case c < fixString:
		return w.values(1, uint64(c&0x0f), depth)
	case c < 0xc0:
		return w.skip(uint64(c & 0x1f))
	case c == neverUsed:
		return faultf("byte %d is 0xc1, which begins no value", w.at-1)
	case c < bin8:
		return nil // nil, false and true
	case c <= bin32:
		return w.counted(1<<(c-bin8), 0)
	case c <= ext32:
		return w.counted(1<<(c-ext8), 1)
	case c < uint8Code:
		return w.skip(4 << (c - float32))
	case c < int8Code:
		return w.skip(1 << (c - uint8Code))
	case c < fixExt1:
		return w.skip(1 << (c - int8Code))
	case c <= fixExt16:
		return w.ext(1 << (c - fixExt1))
	case c <= str32:
		return w.counted(1<<(c-str8), 0)
	}
	n, err := w.length(2 << (c & 1)) // array16 and map16 are even, the others odd
	if err != nil {
		return err
	}
	if c <= array32 {
		return w.values(1, n, depth)
	}
	return w.values(2, n, depth)
}

// values walks over n elements of an array (each 1) or n pairs of a map (each 2).
func (w *walker) values(each, n uint64, depth int) error {
	if left := uint64(len(w.data) - w.at); n*each > left {
		return faultf("%d values are announced before byte %d, but only %d bytes are left", n*each, w.at, left)
	}
	for range n * each {
		if w.at < len(w.data) && (w.data[w.at] < fixMap || w.data[w.at] >= negative) {
			w.at++ // a small number, without the call
			continue
		}
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// counted walks over a length of size bytes and what it announces; with ext 1
// that is an extension.
func (w *walker) counted(size int, ext int) error {
	n, err := w.length(size)
	if err != nil {
		return err
	}
	if ext == 1 {
		return w.ext(n)
	}
	return w.skip(n)
}

// length reads a big-endian number of 1, 2 or 4 bytes.
func (w *walker) length(size int) (uint64, error) {
	from := w.at
	if err := w.skip(uint64(size)); err != nil {
		return 0, err
	}
	switch b := w.data[from:w.at]; size {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), nil
	default:
		return uint64(binary.BigEndian.Uint32(b)), nil
	}
}

// timestamp is the type of the one extension that the specification defines.
const timestamp = -1

// ext walks over the type of an extension and its n bytes.
func (w *walker) ext(n uint64) error {
	from := w.at
	if err := w.skip(1); err != nil {
		return err
	}
	kind := int8(w.data[from])
	switch {
	case kind == timestamp && n != 4 && n != 8 && n != 12:
		return faultf("a timestamp of %d bytes at byte %d, want 4, 8 or 12", n, from)
	case kind != timestamp && !w.allowExt:
		return faultf("an extension of type %d at byte %d, and extensions are not allowed", kind, from)
	}
	return w.skip(n)
}

func (w *walker) skip(n uint64) error {
	if left := uint64(len(w.data) - w.at); n > left {
		return faultf("%d bytes are announced before byte %d, but only %d are left", n, w.at, left)
	}
	w.at += int(n)
	return nil
}

// faultf is what the walk complains of: offsets and counts, nothing of the data.
func faultf(format string, args ...any) error { return codec.Fault(fmt.Sprintf(format, args...)) }

package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A snapshot begins with a byte for its kind and version, and ends with a CRC-32
// of all before it, so that a state that was cut off or mixed up is refused
// rather than counted on. Numbers are varints, bytes have their length before
// them. What is read from one never takes more memory than a small multiple of
// its length.
const (
	kindBook     = 0x11 // keyed windows, version 1
	kindTumbling = 0x21 // Lambda's windows, version 1
)

// ErrState is the error of a state that can not be read: it was written by a
// later version, by another handler, or is damaged.
var ErrState = errors.New("window state can not be read")

type writer struct{ b []byte }

func (w *writer) byte(v byte)     { w.b = append(w.b, v) }
func (w *writer) number(v int64)  { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) count(v int)     { w.b = binary.AppendUvarint(w.b, uint64(v)) }
func (w *writer) bytes(v []byte)  { w.count(len(v)); w.b = append(w.b, v...) }
func (w *writer) string(v string) { w.count(len(v)); w.b = append(w.b, v...) }
func (w *writer) seal() []byte    { return binary.BigEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.b)) }
func (w *writer) flag(v bool)     { w.byte(map[bool]byte{true: 1}[v]) }
func (w *writer) span(v span)     { w.number(v.start); w.number(v.end) }
func (w *writer) hashes(v hashes) {
	w.flag(v.set)
	if v.set {
		w.b = append(append(w.b, v.first[:]...), v.last[:]...)
	}
}

// reader reads what a writer wrote. After the first error everything is zero.
type reader struct {
	b   []byte
	err error
}

// open checks kind and sum.
func open(data []byte, kind byte) *reader {
	r := &reader{}
	if len(data) < 5 {
		r.fail("it has %d bytes", len(data))
		return r
	}
	body, sum := data[:len(data)-4], binary.BigEndian.Uint32(data[len(data)-4:])
	switch {
	case crc32.ChecksumIEEE(body) != sum:
		r.fail("its check sum is wrong")
	case body[0] != kind:
		r.fail("it is of kind %#x, want %#x", body[0], kind)
	default:
		r.b = body[1:]
	}
	return r
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail("it ends too early")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) flag() bool {
	v := r.byte()
	if v > 1 {
		r.fail("a flag is %d", v)
	}
	return v == 1
}

func (r *reader) number() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("it ends too early")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things that are still to come, of so many bytes each at
// least.
func (r *reader) count(least int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/least) {
		r.fail("it ends too early")
		return 0
	}
	return int(v)
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("it ends too early")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte { return r.take(r.count(1)) }

func (r *reader) span() span {
	s := span{r.number(), r.number()}
	if r.err == nil && (s.start < 0 || s.end <= s.start || s.end > farthest) {
		r.fail("a window goes from %d to %d", s.start, s.end)
	}
	return s
}

func (r *reader) hashes() (v hashes) {
	if v.set = r.flag(); v.set {
		copy(v.first[:], r.take(len(v.first)))
		copy(v.last[:], r.take(len(v.last)))
		if r.err == nil && v.last.less(v.first) {
			r.fail("a hash range is upside down")
		}
	}
	return v
}

// end checks that nothing is left.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes follow it", len(r.b))
	}
	return r.err
}

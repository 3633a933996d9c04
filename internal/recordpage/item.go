package recordpage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The major types of CBOR, and what else stands in the first byte of an item
// (RFC 8949, section 3).
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorList
	majorMap
	majorTag
	majorOther

	indefinite = 31   // the low bits of an item whose end is a break
	itemBreak  = 0xff // that break
)

// items reads CBOR from left to right.
type items struct {
	b       []byte
	i       int    // the next byte
	scratch []byte // of what came in parts
}

// head is the beginning of an item: its kind, and its number, length or value.
type head struct {
	major, low byte
	n          uint64 // not set where low is indefinite
}

func (h head) open() bool { return h.low == indefinite }
func (h head) null() bool { return h.major == majorOther && (h.low == 22 || h.low == 23) }

// head takes the beginning of an item.
func (t *items) head() (head, error) {
	if t.i >= len(t.b) {
		return head{}, errCut
	}
	h := head{major: t.b[t.i] >> 5, low: t.b[t.i] & 31}
	t.i++
	size := 0
	switch {
	case h.low < 24:
		h.n = uint64(h.low)
	case h.low < 28:
		size = 1 << (h.low - 24)
	case h.low < indefinite, h.major <= majorNegative, h.major >= majorTag:
		return head{}, fmt.Errorf("%#x at byte %d begins nothing", t.b[t.i-1], t.i-1)
	}
	rest := t.b[t.i:]
	if len(rest) < size {
		return head{}, errCut
	}
	switch size {
	case 1:
		h.n = uint64(rest[0])
	case 2:
		h.n = uint64(binary.BigEndian.Uint16(rest))
	case 4:
		h.n = uint64(binary.BigEndian.Uint32(rest))
	case 8:
		h.n = binary.BigEndian.Uint64(rest)
	}
	t.i += size
	return h, nil
}

// want takes the beginning of an item that is to be of a kind, or null, which is
// false.
func (t *items) want(major byte) (head, bool, error) {
	at := t.i
	h, err := t.head()
	switch {
	case err != nil:
		return h, false, err
	case h.null():
		return h, false, nil
	case h.major != major:
		return h, false, fmt.Errorf("%#x at byte %d is of type %d, want %d", t.b[at], at, h.major, major)
	}
	return h, true, nil
}

// more reports whether a list or a map goes on, of which some has been read.
func (t *items) more(h *head) (bool, error) {
	if !h.open() {
		if h.n == 0 {
			return false, nil
		}
		h.n--
		return true, nil
	}
	if t.i >= len(t.b) {
		return false, errCut
	}
	if t.b[t.i] != itemBreak {
		return true, nil
	}
	t.i++
	return false, nil
}

// run is what is in a string of bytes or text that begins so. One that comes in
// parts is put together, and valid until the next one is.
func (t *items) run(h head) ([]byte, error) {
	if !h.open() {
		if h.n > uint64(len(t.b)-t.i) {
			return nil, errCut
		}
		from := t.i
		t.i += int(h.n)
		return t.b[from:t.i:t.i], nil
	}
	t.scratch = t.scratch[:0]
	for {
		if ok, err := t.more(&h); !ok || err != nil {
			return t.scratch, err
		}
		part, ok, err := t.want(h.major)
		if err != nil {
			return nil, err
		}
		if !ok || part.open() {
			return nil, fmt.Errorf("no part of a string at byte %d", t.i-1)
		}
		b, err := t.run(part)
		if err != nil {
			return nil, err
		}
		t.scratch = append(t.scratch, b...)
	}
}

// text is the next item, which is to be text, or null.
func (t *items) text() (b []byte, ok bool, err error) {
	h, ok, err := t.want(majorText)
	if !ok || err != nil {
		return nil, false, err
	}
	b, err = t.run(h)
	return b, err == nil, err
}

// whole is the value of a number that begins so.
func (h head) whole() (int64, error) {
	if h.n > math.MaxInt64 {
		return 0, errors.New("a number does not fit in 64 bits")
	}
	if h.major == majorNegative {
		return -1 - int64(h.n), nil
	}
	return int64(h.n), nil
}

// float is the value of a floating-point number that begins so.
func (h head) float() (float64, bool) {
	switch {
	case h.major != majorOther:
	case h.low == 25:
		return half(uint16(h.n)), true
	case h.low == 26:
		return float64(math.Float32frombits(uint32(h.n))), true
	case h.low == 27:
		return math.Float64frombits(h.n), true
	}
	return 0, false
}

// half is a number of 16 bits: a sign, 5 bits of exponent, 10 of mantissa.
func half(bits uint16) float64 {
	exponent, mantissa := int(bits>>10&31), float64(bits&1023)
	v := math.Ldexp(mantissa, -24)
	switch {
	case exponent == 31 && mantissa == 0:
		v = math.Inf(1)
	case exponent == 31:
		v = math.NaN()
	case exponent > 0:
		v = math.Ldexp(mantissa+1024, exponent-25)
	}
	if bits>>15 == 1 {
		v = -v
	}
	return v
}

// skip takes an item of any kind.
func (t *items) skip(depth int) error {
	if depth > MaxDepth {
		return errDeep
	}
	h, err := t.head()
	if err != nil {
		return err
	}
	switch h.major {
	case majorBytes, majorText:
		_, err = t.run(h)
		return err
	case majorTag:
		return t.skip(depth + 1)
	case majorList, majorMap:
		for {
			if ok, err := t.more(&h); !ok || err != nil {
				return err
			}
			if h.major == majorMap {
				if _, ok, err := t.text(); !ok {
					return orElse(err, "a name is no text")
				}
			}
			if err := t.skip(depth + 1); err != nil {
				return err
			}
		}
	case majorOther:
		if h.low < 20 || h.low == 24 {
			return fmt.Errorf("the simple value %d", h.n)
		}
	}
	return nil
}

// orElse is err, or one that says this if there is none.
func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

package recordpage

import (
	"encoding/binary"
	"time"
)

// CBOR is a message that is being written. Each of its methods appends one item,
// or the beginning of one.
type CBOR []byte

// Map begins a map of n members, of each of which the name and the value follow.
func (c CBOR) Map(n int) CBOR { return c.head(majorMap, uint64(n)) }

// List begins a list of n items.
func (c CBOR) List(n int) CBOR { return c.head(majorList, uint64(n)) }

// OpenMap begins a map that goes on to its End, and OpenList such a list.
func (c CBOR) OpenMap() CBOR { return append(c, majorMap<<5|indefinite) }

// OpenList begins a list that goes on to its End.
func (c CBOR) OpenList() CBOR { return append(c, majorList<<5|indefinite) }

// End ends what was opened last.
func (c CBOR) End() CBOR { return append(c, itemBreak) }

// Text is a text.
func (c CBOR) Text(s string) CBOR { return append(c.head(majorText, uint64(len(s))), s...) }

// Bytes is a string of bytes.
func (c CBOR) Bytes(b []byte) CBOR { return append(c.head(majorBytes, uint64(len(b))), b...) }

// Number is a whole number.
func (c CBOR) Number(n int64) CBOR {
	if n < 0 {
		return c.head(majorNegative, uint64(-1-n))
	}
	return c.head(majorUint, uint64(n))
}

// Bool is true or false.
func (c CBOR) Bool(b bool) CBOR {
	if b {
		return append(c, majorOther<<5|21)
	}
	return append(c, majorOther<<5|20)
}

// Time is a timestamp as Kinesis writes it: tag 1, which stands for seconds
// elsewhere, and milliseconds.
func (c CBOR) Time(t time.Time) CBOR { return c.head(majorTag, 1).Number(t.UnixMilli()) }

func (c CBOR) head(major byte, n uint64) CBOR {
	switch {
	case n < 24:
		return append(c, major<<5|byte(n))
	case n < 1<<8:
		return append(c, major<<5|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(c, major<<5|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(c, major<<5|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(c, major<<5|27), n)
}

// Flat reads the members of a map in CBOR that are texts, whole numbers or truth
// values, as string, int64 and bool. What else there is is left out.
func Flat(body []byte) (map[string]any, error) {
	flat := map[string]any{}
	r := cborReader{items: items{b: body}}
	_, err := r.members(2, func(name []byte) (known bool, err error) {
		if r.i >= len(r.b) {
			return false, errCut
		}
		key, first := string(name), r.b[r.i]
		switch major := first >> 5; {
		case major == majorText:
			text, _, err := r.text()
			flat[key] = string(text)
			return true, err
		case major <= majorNegative:
			n, err := r.integer()
			if err != nil {
				return true, err
			}
			flat[key] = *n
			return true, nil
		case first == majorOther<<5|20 || first == majorOther<<5|21:
			flat[key] = first == majorOther<<5|21
		}
		return false, nil // skipped
	})
	return flat, err
}

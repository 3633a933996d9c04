package ready

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// The major types of CBOR (RFC 8949, section 3.1), as they stand in the first
// byte of an item.
const (
	cborUint  = 0 << 5
	cborInt   = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTag   = 6 << 5
	cborOther = 7 << 5

	indefinite = 31
	stop       = 0xff
)

func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// appendCBOR writes a value of an answer. A time is tag 1 with milliseconds, as
// the service has it, where RFC 8949 has seconds.
func appendCBOR(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return append(appendHead(b, cborText, uint64(len(v))), v...)
	case []byte:
		return append(appendHead(b, cborBytes, uint64(len(v))), v...)
	case int:
		return appendCBOR(b, int64(v))
	case int64:
		if v < 0 {
			return appendHead(b, cborInt, uint64(-1-v))
		}
		return appendHead(b, cborUint, uint64(v))
	case time.Time:
		return appendCBOR(append(b, cborTag|1), v.UnixMilli())
	case []any:
		b = appendHead(b, cborArray, uint64(len(v)))
		for _, item := range v {
			b = appendCBOR(b, item)
		}
		return b
	case map[string]any:
		b = appendHead(b, cborMap, uint64(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = appendCBOR(appendCBOR(b, key), v[key])
		}
		return b
	}
	return append(b, cborOther|22) // null
}

var errCBOR = errors.New("the body is not the CBOR of a request")

// parseCBOR reads a request: maps, arrays, text, bytes and whole numbers.
func parseCBOR(b []byte) (map[string]any, error) {
	value, rest, err := cborValue(b, 0)
	if err != nil {
		return nil, err
	}
	in, ok := value.(map[string]any)
	if !ok || len(rest) > 0 {
		return nil, errCBOR
	}
	return in, nil
}

// mostDeep is how deep a request is nested at most; those of Kinesis are 3 deep.
const mostDeep = 16

func cborValue(b []byte, depth int) (any, []byte, error) {
	if len(b) == 0 || depth > mostDeep {
		return nil, nil, errCBOR
	}
	major, low := b[0]&0xe0, b[0]&0x1f
	if low == indefinite {
		return cborOpen(major, b[1:], depth)
	}
	n, rest, err := cborNumber(b)
	if err != nil {
		return nil, nil, err
	}
	switch major {
	case cborUint:
		return int64(n), rest, nil
	case cborInt:
		return -1 - int64(n), rest, nil
	case cborBytes, cborText:
		if n > uint64(len(rest)) {
			return nil, nil, errCBOR
		}
		return string(rest[:n]), rest[n:], nil
	case cborTag:
		return cborValue(rest, depth+1)
	case cborOther:
		return nil, rest, nil
	}
	return cborMembers(major, rest, n, depth)
}

// cborOpen reads an item whose end is a stop.
func cborOpen(major byte, b []byte, depth int) (any, []byte, error) {
	if major != cborMap && major != cborArray {
		return nil, nil, fmt.Errorf("%w: an open item of major type %d", errCBOR, major>>5)
	}
	return cborMembers(major, b, math.MaxUint64, depth)
}

// cborMembers reads n members of a map or an array, or fewer up to a stop.
func cborMembers(major byte, b []byte, n uint64, depth int) (value any, rest []byte, err error) {
	list, fields := []any{}, map[string]any{}
	for ; n > 0; n-- {
		if len(b) > 0 && b[0] == stop {
			b = b[1:]
			break
		}
		var key, item any
		if major == cborMap {
			if key, b, err = cborValue(b, depth+1); err != nil {
				return nil, nil, err
			}
		}
		if item, b, err = cborValue(b, depth+1); err != nil {
			return nil, nil, err
		}
		list = append(list, item)
		if name, ok := key.(string); ok {
			fields[name] = item
		}
	}
	if major == cborMap {
		return fields, b, nil
	}
	return list, b, nil
}

// cborNumber reads the number in the head of an item.
func cborNumber(b []byte) (uint64, []byte, error) {
	low := b[0] & 0x1f
	if low < 24 {
		return uint64(low), b[1:], nil
	}
	size := 1 << (low - 24)
	if low > 27 || len(b) < 1+size {
		return 0, nil, errCBOR
	}
	var n uint64
	for _, c := range b[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	return n, b[1+size:], nil
}

package recordpage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// tokens reads JSON from left to right. Nothing is looked at twice, but what is
// escaped.
type tokens struct {
	b       []byte
	i       int    // the next byte
	scratch []byte // of what was escaped
}

var (
	errCut  = errors.New("it ends too soon")
	errDeep = fmt.Errorf("values are nested more than %d deep", MaxDepth)
)

// next is the next byte that is not white space, without taking it; 0 at the end.
func (t *tokens) next() byte {
	for ; t.i < len(t.b); t.i++ {
		switch c := t.b[t.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// unexpected is what is wrong where the next byte is not what is wanted.
func (t *tokens) unexpected(want string) error {
	if t.i >= len(t.b) {
		return errCut
	}
	return fmt.Errorf("%q at byte %d, want %s", t.b[t.i], t.i, want)
}

// open takes the bracket that begins an object or a list.
func (t *tokens) open(bracket byte) error {
	if t.next() != bracket {
		return t.unexpected(string(rune(bracket)))
	}
	t.i++
	return nil
}

// item goes on to the next element of a list; false is its end.
func (t *tokens) item(first bool) (bool, error) {
	switch c := t.next(); {
	case c == ']':
		t.i++
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, t.unexpected("a comma or the end of the list")
	}
	t.i++
	if t.next() == ']' {
		return false, t.unexpected("a value")
	}
	return true, nil
}

// member goes on to the value of the next member of an object; false is the end
// of the object. The name is valid until something escaped is read.
func (t *tokens) member(first bool) (name []byte, ok bool, err error) {
	c := t.next()
	if c == '}' {
		t.i++
		return nil, false, nil
	}
	if !first {
		if c != ',' {
			return nil, false, t.unexpected("a comma or the end of the object")
		}
		t.i++
	}
	if n := usual(t.b[t.i:]); n > 0 {
		name = t.b[t.i+1 : t.i+1+n]
		t.i += n + len(`"":`)
		return name, true, nil
	}
	if name, err = t.text(); err != nil {
		return nil, false, err
	}
	if t.next() != ':' {
		return nil, false, t.unexpected("a colon")
	}
	t.i++
	return name, true, nil
}

// usual is how long the name is that b begins with, if it is one that most records
// have, in quotes and with its colon right behind it, as the service writes it; 0
// if b begins with anything else. It spares looking for the end of the name, which
// with four of them is 2 % of what a record of 1 KB takes.
func usual(b []byte) int {
	if len(b) < 32 || b[0] != '"' {
		return 0
	}
	name := ""
	switch b[1] {
	case 'A':
		if string(b[:30]) == `"ApproximateArrivalTimestamp":` {
			name = "ApproximateArrivalTimestamp"
		}
	case 'D':
		if string(b[:7]) == `"Data":` {
			name = "Data"
		}
	case 'P':
		if string(b[:15]) == `"PartitionKey":` {
			name = "PartitionKey"
		}
	case 'S':
		if string(b[:17]) == `"SequenceNumber":` {
			name = "SequenceNumber"
		}
	}
	return len(name)
}

// null takes a null, if one is next.
func (t *tokens) null() (bool, error) {
	if t.next() != 'n' {
		return false, nil
	}
	return true, t.literal("null")
}

func (t *tokens) literal(w string) error {
	if len(t.b)-t.i < len(w) {
		return errCut
	}
	if string(t.b[t.i:t.i+len(w)]) != w {
		return t.unexpected(w)
	}
	t.i += len(w)
	return nil
}

// text is the next value, which is to be a string. It is valid until something
// escaped is read.
func (t *tokens) text() ([]byte, error) {
	if t.next() != '"' {
		return nil, t.unexpected("a string")
	}
	t.i++
	raw, escaped, err := t.quoted()
	if err != nil || !escaped {
		return raw, err
	}
	t.scratch = unescape(t.scratch[:0], raw)
	return t.scratch, nil
}

// quoted takes what is left of a string, up to its quote and with that, and
// reports whether any of it is escaped.
func (t *tokens) quoted() (raw []byte, escaped bool, err error) {
	b, i := t.b, t.i
	for {
		// Eight bytes at once, up to one that means something.
		for i+8 <= len(b) {
			if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return nil, false, errCut
		}
		switch c := b[i]; {
		case c == '"':
			raw = b[t.i:i]
			t.i = i + 1
			return raw, escaped, nil
		case c == '\\':
			n, err := escape(b[i:])
			if err != nil {
				return nil, false, fmt.Errorf("at byte %d: %w", i, err)
			}
			escaped = true
			i += n
		case c < ' ':
			return nil, false, fmt.Errorf("%q at byte %d, within a string", c, i)
		default:
			i++
		}
	}
}

// special is not 0 if one of eight bytes is a quote, a backslash or a control
// character. Its lowest bit is in the first that is.
func special(v uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, backslash := v^'"'*ones, v^'\\'*ones
	return ((v-' '*ones)&^v | (quote-ones)&^quote | (backslash-ones)&^backslash) & tops
}

// escape is how long the escape is that b begins with.
func escape(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, errCut
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		if len(b) < 6 {
			return 0, errCut
		}
		if _, ok := unit(b); ok {
			return 6, nil
		}
	}
	return 0, errors.New("a backslash escapes nothing")
}

// unit is the UTF-16 code unit of the escape \uXXXX that b begins with.
func unit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape appends what a string means that has escapes in it, all of which are
// sound. Half a surrogate pair, and what is no UTF-8, is U+FFFD.
func unescape(to, raw []byte) []byte {
	for len(raw) > 0 {
		c := raw[0]
		if c != '\\' {
			r, n := utf8.DecodeRune(raw)
			to, raw = utf8.AppendRune(to, r), raw[n:]
			continue
		}
		if raw[1] == 'u' {
			r, _ := unit(raw)
			raw = raw[6:]
			if utf16.IsSurrogate(r) {
				low, _ := unit(raw)
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					raw = raw[6:]
				}
			}
			to = utf8.AppendRune(to, r)
			continue
		}
		switch c = raw[1]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		}
		to, raw = append(to, c), raw[2:]
	}
	return to
}

// skip takes a value of any kind.
func (t *tokens) skip(depth int) error {
	if depth > MaxDepth {
		return errDeep
	}
	switch c := t.next(); c {
	case '{':
		t.i++
		for first := true; ; first = false {
			if _, ok, err := t.member(first); !ok || err != nil {
				return err
			}
			if err := t.skip(depth + 1); err != nil {
				return err
			}
		}
	case '[':
		t.i++
		for first := true; ; first = false {
			if ok, err := t.item(first); !ok || err != nil {
				return err
			}
			if err := t.skip(depth + 1); err != nil {
				return err
			}
		}
	case '"':
		t.i++
		_, _, err := t.quoted()
		return err
	case 't':
		return t.literal("true")
	case 'f':
		return t.literal("false")
	case 'n':
		return t.literal("null")
	}
	_, err := t.number()
	return err
}

// number takes a number as it is written.
func (t *tokens) number() ([]byte, error) {
	t.next()
	from := t.i
	if t.at('-') {
		t.i++
	}
	switch {
	case t.at('0'):
		t.i++
	case !t.digits():
		return nil, t.unexpected("a value")
	}
	if t.at('.') {
		t.i++
		if !t.digits() {
			return nil, t.unexpected("a digit")
		}
	}
	if t.at('e') || t.at('E') {
		t.i++
		if t.at('+') || t.at('-') {
			t.i++
		}
		if !t.digits() {
			return nil, t.unexpected("a digit")
		}
	}
	return t.b[from:t.i], nil
}

func (t *tokens) at(c byte) bool { return t.i < len(t.b) && t.b[t.i] == c }

// digits takes all digits that are next, and reports whether there were any.
func (t *tokens) digits() bool {
	from := t.i
	for t.i < len(t.b) && '0' <= t.b[t.i] && t.b[t.i] <= '9' {
		t.i++
	}
	return t.i > from
}

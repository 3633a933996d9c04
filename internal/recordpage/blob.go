package recordpage

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// blob reads a payload, which is base64 in a string. It is decoded up to its quote
// or whatever else is no character of base64, before it is known how long it is:
// over its own characters, or into what is left of the block. What does not fit
// there moves to where it does.
func (r *jsonReader) blob() ([]byte, error) {
	if r.next() != '"' {
		return nil, r.unexpected("a string")
	}
	r.i++
	text := r.b[r.i:]
	to := text
	if r.place == Apart {
		to = r.page.ahead()
	}
	got, used := groups(to, text)
	n := bytes.IndexByte(text[used:], '"')
	if n < 0 {
		return nil, errCut
	}
	n += used
	size := base64.StdEncoding.DecodedLen(n)
	switch {
	case r.place == InBody || 0 < size && size <= len(to):
		to = to[:size]
		if r.place == Apart {
			r.page.block = r.page.block[size:]
		}
	default:
		begun := to[:got]
		to = r.page.room(size, r.more(r.i, len(r.b)))
		copy(to, begun)
		g, u := groups(to[got:], text[used:n])
		got, used = got+g, used+u
	}
	// The end may lie where it is written to, and is read once more if it is odd.
	var end tail
	k, ok := end.decode(text[used:n])
	if !ok {
		return r.odd(to, got, used)
	}
	got += copy(to[got:], end[:k])
	r.i += n + 1
	return to[:got:got], nil
}

// tail is what is left of a payload behind its groups of sixteen characters: of at
// most 18, as a shorter one ends for want of room for fourteen bytes.
type tail [15]byte

// decode decodes groups of four characters of which the last may be padded. It is
// not ok if the text is anything else, or too long. What bits there are behind the
// last byte does not matter, as in encoding/base64.
func (t *tail) decode(text []byte) (got int, ok bool) {
	if len(text)%4 != 0 || len(text) > len(t)/3*4 {
		return 0, false
	}
	for ; len(text) > 0; text = text[4:] {
		size, third, fourth := 3, text[2], text[3]
		if fourth == '=' && len(text) == 4 {
			size, fourth = 2, 'A'
			if third == '=' {
				size, third = 1, 'A'
			}
		}
		v := sextets[0][text[0]] | sextets[1][text[1]] | sextets[2][third] | sextets[3][fourth]
		if v >= foreign {
			return 0, false
		}
		t[got], t[got+1], t[got+2] = byte(v>>16), byte(v>>8), byte(v)
		got += size
	}
	return got, true
}

// odd decodes a payload that is written in another way than the service does,
// from its byte used on: with escapes or with line breaks in it, or as no base64.
func (r *jsonReader) odd(to []byte, got, used int) ([]byte, error) {
	at := r.i
	r.i += used
	raw, escaped, err := r.quoted()
	if err != nil {
		return nil, err
	}
	if escaped {
		r.scratch = unescape(r.scratch[:0], raw)
		raw = r.scratch
	}
	if need := got + base64.StdEncoding.DecodedLen(len(raw)); need > len(to) {
		to = append(make([]byte, 0, need), to[:got]...)[:need]
	}
	n, err := base64.StdEncoding.Decode(to[got:], raw)
	if err != nil {
		return nil, fmt.Errorf("the payload at byte %d: %w", at, err)
	}
	got += n
	return to[:got:got], nil
}

// sextets has, for each place in a group of four characters of base64, what a
// character there stands for in the 24 bits of the group, or foreign if it is no
// character of the alphabet.
var sextets = func() (places [4][256]uint32) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for place := range places {
		for c := range places[place] {
			places[place][c] = foreign
		}
		for i, c := range []byte(alphabet) {
			places[place][c] = uint32(i) << (18 - 6*place)
		}
	}
	return places
}()

const foreign = 1 << 24

// groups decodes base64 by sixteen characters to twelve bytes, as far as there
// are sixteen of the alphabet and room for fourteen bytes. It says how many bytes
// it wrote and of how many characters. Both may lie in the same place: what it
// writes is never beyond what it has read.
func groups(to, text []byte) (got, used int) {
	room, all := len(to), len(text)
	got, used = vectors(to, text)
	to, text = to[got:], text[used:]
	one, two, three, four := &sextets[0], &sextets[1], &sextets[2], &sextets[3]
	for len(text) >= 16 && len(to) >= 14 {
		c := text[:16]
		v := one[c[0]] | two[c[1]] | three[c[2]] | four[c[3]]
		w := one[c[4]] | two[c[5]] | three[c[6]] | four[c[7]]
		x := one[c[8]] | two[c[9]] | three[c[10]] | four[c[11]]
		y := one[c[12]] | two[c[13]] | three[c[14]] | four[c[15]]
		if v|w|x|y >= foreign {
			break
		}
		binary.BigEndian.PutUint64(to, uint64(v)<<40|uint64(w)<<16)
		binary.BigEndian.PutUint64(to[6:], uint64(x)<<40|uint64(y)<<16)
		to, text = to[12:], text[16:]
	}
	return room - len(to), all - len(text)
}

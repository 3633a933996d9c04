package recordpage

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
)

// blob reads a payload, which is base64 in a string. Its quote is looked for
// first, which is fast; that it is the right one shows when it is decoded, as a
// backslash is no character of base64.
func (r *jsonReader) blob() ([]byte, error) {
	if r.next() != '"' {
		return nil, r.unexpected("a string")
	}
	r.i++
	n := bytes.IndexByte(r.b[r.i:], '"')
	if n < 0 {
		return nil, errCut
	}
	text := r.b[r.i : r.i+n]
	to := text[:base64.StdEncoding.DecodedLen(n)]
	if r.place == Apart {
		to = r.page.room(len(to), r.more(len(r.page.Records)-1))
	}
	got, used := groups(to, text)
	if n-used > len(tail{}) {
		return r.odd(to, got, used)
	}
	// The end, with its padding. It may lie where it is written to, and is read
	// once more if it is odd.
	var in, out tail
	k, err := base64.StdEncoding.Decode(out[:], in[:copy(in[:], text[used:])])
	if err != nil {
		return r.odd(to, got, used)
	}
	got += copy(to[got:], out[:k])
	r.i += n + 1
	return to[:got:got], nil
}

// tail is what is left of a payload behind its groups of eight characters.
type tail [8]byte

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

// sextets has, for two characters of base64 as a little-endian number, their
// twelve bits, or foreign if one of them is none. 12 KiB of it are in use: those
// rows and columns that are of the alphabet.
var sextets = sync.OnceValue(func() *[1 << 16]uint16 {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	table := new([1 << 16]uint16)
	for i := range table {
		table[i] = foreign
	}
	for high, a := range []byte(alphabet) {
		for low, b := range []byte(alphabet) {
			table[int(a)|int(b)<<8] = uint16(high<<6 | low)
		}
	}
	return table
})

const foreign = 1 << 15

// groups decodes base64 by eight characters to six bytes, as far as there are
// eight of the alphabet and room for eight bytes. It says how many bytes it wrote
// and of how many characters. Both may lie in the same place: what it writes is
// never beyond what it has read.
func groups(to, text []byte) (got, used int) {
	table := sextets()
	for len(text)-used >= 8 && len(to)-got >= 8 {
		v := binary.LittleEndian.Uint64(text[used:])
		a, b := table[uint16(v)], table[uint16(v>>16)]
		c, d := table[uint16(v>>32)], table[v>>48]
		if (a|b|c|d)&foreign != 0 {
			break
		}
		bits := uint64(a)<<52 | uint64(b)<<40 | uint64(c)<<28 | uint64(d)<<16
		binary.BigEndian.PutUint64(to[got:], bits)
		got, used = got+6, used+8
	}
	return got, used
}

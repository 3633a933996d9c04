//go:build !purego && !race

package recordpage

import "golang.org/x/sys/cpu"

var hasVectors = cpu.X86.HasAVX2

const (
	stepText  = 32
	stepBytes = 24
	stepRoom  = 32 // a whole vector is written, of which the last quarter means nothing
)

// lookups is what the vectors hold beside the characters, each in both halves of one.
// Which character it is follows from its nibbles, as in "Faster Base64 Encoding and
// Decoding Using AVX2 Instructions" by Muła and Lemire (2018).
type lookups struct {
	bit    [16]uint8 // by the high nibble: a bit of its own, or foreignHalf
	wrong  [16]uint8 // by the low one: the bits of the high ones with which it is foreign
	shift  [16]uint8 // by the high one: what to add to the character; for a slash by the one below
	low    [16]uint8 // the mask of a nibble
	slash  [16]uint8
	byTwo  [16]int8  // puts the six bits of two characters together
	byFour [8]int16  // and those of two twos
	turn   [16]int8  // puts the three bytes of each four in order, side by side
	join   [8]uint32 // puts the twelve of both halves side by side
}

// foreignHalf is the bit of high nibbles that no character of the alphabet has.
const foreignHalf = 1 << 6

var lookup = func() (l lookups) {
	shift := func(c uint8) uint8 { return uint8(sextets[3][c]) - c }
	l.shift = [16]uint8{1: shift('/'), 2: shift('+'), 3: shift('0'), 4: shift('A'), 5: shift('P'), 6: shift('a'), 7: shift('p')}
	l.bit = [16]uint8{2: 1 << 0, 3: 1 << 1, 4: 1 << 2, 5: 1 << 3, 6: 1 << 4, 7: 1 << 5}
	for i := range 16 {
		l.wrong[i] = foreignHalf
		for high, bit := range l.bit {
			if sextets[3][high<<4|i] == foreign {
				l.wrong[i] |= bit
			}
		}
		l.low[i], l.slash[i] = 15, '/'
		l.byTwo[i] = [2]int8{64, 1}[i%2]
		l.byFour[i/2] = [2]int16{64 * 64, 1}[i/2%2]
	}
	for high, bit := range l.bit {
		if bit == 0 {
			l.bit[high] = foreignHalf
		}
	}
	l.turn = [16]int8{2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1} // -1: a zero
	l.join = [8]uint32{0, 1, 2, 4, 5, 6, 7, 7}
	return l
}()

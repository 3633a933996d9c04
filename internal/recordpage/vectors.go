//go:build goexperiment.simd && amd64 && go1.26 && !go1.27

package recordpage

import "simd/archsimd"

// Where Go is told to have vectors (GOEXPERIMENT=simd), base64 is decoded by 32
// characters at once. The package for them is an experiment of the release of Go
// named above, and may be another in the next: nobody gets it without asking.

// nibbles is what a nibble of a character says, for either half of a vector.
type nibbles struct {
	bit   [32]uint8 // by the high one: a bit of its own, or foreignHalf
	wrong [32]uint8 // by the low one: the bits of the high ones with which it is foreign
	shift [32]uint8 // by the high one: what to add to the character; for a slash by the one below
}

// foreignHalf is the bit of high nibbles that no character of the alphabet has.
const foreignHalf = 1 << 6

var halves = func() (n nibbles) {
	shift := func(c uint8) uint8 { return uint8(sextets[3][c]) - c }
	bit := [16]uint8{2: 1 << 0, 3: 1 << 1, 4: 1 << 2, 5: 1 << 3, 6: 1 << 4, 7: 1 << 5}
	add := [16]uint8{1: shift('/'), 2: shift('+'), 3: shift('0'), 4: shift('A'), 5: shift('P'), 6: shift('a'), 7: shift('p')}
	for i := range 32 {
		high := i % 16
		n.bit[i], n.shift[i] = max(bit[high], 1), add[high]
		if bit[high] == 0 {
			n.bit[i] = foreignHalf
		}
		n.wrong[i] = foreignHalf
		for other, b := range bit {
			if sextets[3][other<<4|i%16] == foreign {
				n.wrong[i] |= b
			}
		}
	}
	return n
}()

// What puts the six bits of four characters together, two by two, and the bytes of
// that in order.
var (
	byTwo  = [32]int8{64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1, 64, 1}
	byFour = [16]int16{4096, 1, 4096, 1, 4096, 1, 4096, 1, 4096, 1, 4096, 1, 4096, 1, 4096, 1}
	turned = [32]int8{
		2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
		2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
	}
	joined = [8]uint32{0, 1, 2, 4, 5, 6, 7, 7}
)

// vectors decodes base64 by 32 characters to 24 bytes, as groups does by sixteen,
// as far as there is room for 32 bytes.
func vectors(to, text []byte) (got, used int) {
	n := min(len(text), len(to)) / 32
	if n == 0 || !archsimd.X86.AVX2() {
		return 0, 0
	}
	bit, wrong, shift := archsimd.LoadUint8x32(&halves.bit), archsimd.LoadUint8x32(&halves.wrong), archsimd.LoadUint8x32(&halves.shift)
	two, four := archsimd.LoadInt8x32(&byTwo), archsimd.LoadInt16x16(&byFour)
	turn, join := archsimd.LoadInt8x32(&turned), archsimd.LoadUint32x8(&joined)
	low, slash := archsimd.BroadcastUint8x32(15), archsimd.BroadcastUint8x32('/')
	for len(text)-used >= 32 && len(to)-got >= 32 {
		c := archsimd.LoadUint8x32((*[32]byte)(text[used:]))
		high := c.AsUint16x16().ShiftAllRight(4).AsUint8x32().And(low)
		foreign := bit.PermuteOrZeroGrouped(high.AsInt8x32()).And(wrong.PermuteOrZeroGrouped(c.And(low).AsInt8x32()))
		if !foreign.IsZero() {
			break
		}
		slashes := c.Equal(slash).ToInt8x32() // -1 for each
		six := c.Add(shift.PermuteOrZeroGrouped(high.AsInt8x32().Add(slashes)))
		words := six.DotProductPairsSaturated(two).DotProductPairs(four)
		bytes := words.AsUint8x32().PermuteOrZeroGrouped(turn)
		bytes.AsUint32x8().Permute(join).AsUint8x32().Store((*[32]byte)(to[got:]))
		used += 32
		got += 24
	}
	archsimd.ClearAVXUpperBits()
	return got, used
}

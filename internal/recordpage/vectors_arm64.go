//go:build !purego && !race

package recordpage

// Every arm64 has NEON.
const hasVectors = true

const (
	stepText  = 64
	stepBytes = 48
	stepRoom  = 48
)

// lookups is the six bits of each character below 128, or foreignSix.
type lookups struct{ six [128]uint8 }

// foreignSix has the bit that no six have.
const foreignSix = 1 << 7

var lookup = func() (l lookups) {
	for c := range l.six {
		if l.six[c] = foreignSix; sextets[3][c] != foreign {
			l.six[c] = uint8(sextets[3][c])
		}
	}
	return l
}()

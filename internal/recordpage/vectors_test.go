//go:build (amd64 || arm64) && !purego && !race

package recordpage

import (
	"bytes"
	"testing"
)

// Where the processor has vectors they decode all steps there is text and room for,
// and stop at a step with a foreign character in it.
func TestVectorsDecodeAllTheyCan(t *testing.T) {
	text := bytes.Repeat([]byte("towpath/"), 5*stepText/8)
	for n := range len(text) + 1 {
		for room := range 5*stepBytes + stepRoom {
			want := 0
			for hasVectors && (want+1)*stepText <= n && want*stepBytes+stepRoom <= room {
				want++
			}
			got, used := vectors(make([]byte, room), text[:n])
			if got != want*stepBytes || used != want*stepText {
				t.Fatalf("%d characters, room for %d: %d bytes of %d, want %d steps", n, room, got, used, want)
			}
		}
		if n == len(text) {
			break
		}
		odd := bytes.Clone(text)
		odd[n] = '\n'
		want := 0
		if hasVectors {
			want = n / stepText
		}
		if got, used := vectors(make([]byte, len(text)), odd); got != want*stepBytes || used != want*stepText {
			t.Fatalf("foreign at %d: %d bytes of %d, want %d steps", n, got, used, want)
		}
	}
}

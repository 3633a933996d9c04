package recordpage

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"testing"
)

// Payloads are decoded up to the first character that is foreign, whichever and
// wherever it is, into memory of their own and where they are; as encoding/base64
// decodes what lies before it.
func TestPayloadsAreDecodedUpToWhatIsForeign(t *testing.T) {
	raw := make([]byte, 120)
	random := rand.New(rand.NewPCG(3, 3))
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	text := []byte(base64.StdEncoding.EncodeToString(raw))
	for i := range 256 {
		c := byte(i)
		own := bytes.IndexByte([]byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"), c) >= 0
		for at := range text {
			odd := bytes.Clone(text)
			odd[at] = c
			end := at
			if own {
				end = len(text)
			}
			want := make([]byte, len(raw))
			n, err := base64.StdEncoding.Decode(want, odd[:end/4*4])
			if err != nil {
				t.Fatal(err)
			}
			to := make([]byte, 200)
			got, used := groups(to, odd)
			if used > end || used < end-15 || got != used/4*3 || !bytes.Equal(to[:got], want[:got]) || got > n {
				t.Fatalf("%q at %d: %d bytes of %d characters: %q, want %q", c, at, got, used, to[:got], want[:n])
			}
			rest := bytes.Clone(odd[used:])
			if g, u := groups(odd, odd); g != got || u != used || !bytes.Equal(odd[:g], want[:g]) || !bytes.Equal(odd[u:], rest) {
				t.Fatalf("%q at %d, where it is: %d bytes of %d characters, want %d of %d", c, at, g, u, got, used)
			}
		}
	}
	for room := range 100 {
		to := make([]byte, room)
		got, used := groups(to, text)
		if got > room || got != used/4*3 || room-got > 14+12 && used < len(text)-15 || !bytes.Equal(to[:got], raw[:got]) {
			t.Errorf("room for %d: %d bytes of %d characters", room, got, used)
		}
	}
}

func BenchmarkGroups(b *testing.B) {
	text := []byte(base64.StdEncoding.EncodeToString(make([]byte, 1024)))
	to := make([]byte, 1040)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		groups(to, text)
	}
}

func BenchmarkStandardBase64(b *testing.B) {
	text := []byte(base64.StdEncoding.EncodeToString(make([]byte, 1024)))
	to := make([]byte, 1040)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_, _ = base64.StdEncoding.Decode(to, text)
	}
}

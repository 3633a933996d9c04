package recordpage

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
)

// fenced is a page of memory between two that nobody may touch.
func fenced(t *testing.T) []byte {
	t.Helper()
	page := os.Getpagesize()
	all, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	own := all[page : 2*page : 2*page]
	if err := syscall.Mprotect(own, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return own
}

// Nothing is read but the text and nothing written but where it is decoded to,
// however long either is; and that is what encoding/base64 writes.
func TestPayloadsAreDecodedWithinTheirMemory(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	raw := make([]byte, 150)
	random := rand.New(rand.NewPCG(4, 4))
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	whole := []byte(base64.StdEncoding.EncodeToString(raw))
	source, target := fenced(t), fenced(t)
	var n, room int
	defer func() {
		if fault := recover(); fault != nil {
			t.Errorf("%d characters, room for %d: %v", n, room, fault)
		}
	}()
	const untouched = 0xa5
	for n = range len(whole) + 1 {
		for room = range len(raw) + 20 {
			for side := range 4 {
				text, to, beside := source[len(source)-n:], target[len(target)-room:], target[len(target)-room-64:len(target)-room]
				if side&1 != 0 {
					text = source[:n]
				}
				if side&2 != 0 {
					to, beside = target[:room], target[room:room+64]
				}
				copy(text, whole)
				for i := range beside {
					beside[i] = untouched
				}
				got, used := groups(to, text)
				if got != used/4*3 || !bytes.Equal(to[:got], raw[:got]) {
					t.Fatalf("%d characters, room for %d: %d bytes of %d characters: %x, want %x", n, room, got, used, to[:got], raw[:got])
				}
				if !bytes.Equal(text, whole[:n]) || bytes.Count(beside, []byte{untouched}) != len(beside) {
					t.Fatalf("%d characters, room for %d: written to the text or beside the room", n, room)
				}
			}
		}
		for _, text := range [][]byte{source[len(source)-n:], source[:n]} {
			room = n // where it is
			copy(text, whole)
			if got, used := groups(text, text); !bytes.Equal(text[:got], raw[:got]) || !bytes.Equal(text[used:], whole[used:n]) {
				t.Fatalf("%d characters where they are: %x, and %q behind it", n, text[:got], text[used:])
			}
		}
	}
}

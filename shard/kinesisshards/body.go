package kinesisshards

import (
	"io"
	"slices"
	"sync"
)

// bodies are the bodies of answers that nobody looks at any more, by their size,
// so that a small answer does not keep the room of a large one.
type bodies struct {
	pools [len(bodySizes)]sync.Pool // of *[]byte; each has at least the room of its size
}

// bodySizes are in steps of a quarter, from 4 KiB up to 64 MiB: no more than that
// much of a body's memory is in vain. mostAnswer is below it.
var bodySizes = func() (sizes [44]int) {
	size := 4 << 10
	for i := range sizes {
		sizes[i] = size
		size += size / 4
	}
	return sizes
}()

// read reads a body into the room of a former one. One that says its length is
// read without a second allocation; one that says too much is refused by whoever
// bounds it.
func (b *bodies) read(from io.Reader, length int64) ([]byte, error) {
	want := bodySizes[0]
	if 0 <= length && length <= mostAnswer {
		want = int(length) + 1 // so that its end is seen
	}
	body := b.room(want)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			b.put(body)
			return nil, err
		}
		if len(body) == cap(body) {
			larger := append(b.room(2*len(body)), body...)
			b.put(body)
			body = larger
		}
	}
}

// room is an empty body with room for so many bytes.
func (b *bodies) room(n int) []byte {
	i, _ := slices.BinarySearch(bodySizes[:], n)
	if i == len(bodySizes) {
		return make([]byte, 0, n)
	}
	if body, ok := b.pools[i].Get().(*[]byte); ok {
		return (*body)[:0]
	}
	return make([]byte, 0, bodySizes[i])
}

// put takes a body that nobody looks at any more.
func (b *bodies) put(body []byte) {
	i, found := slices.BinarySearch(bodySizes[:], cap(body))
	if !found {
		i-- // it has the room of the size below
	}
	if i >= 0 && i < len(bodySizes) {
		b.pools[i].Put(&body)
	}
}

package awsfake

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// Rewrite applies a call and has f change the body of its answer, as a service
// with a bug or a broken middlebox does. Checksums and the length of the body
// are made to fit what f returns. It has no effect on refusals, nor on the
// events of a stream.
func Rewrite(f func(answer []byte) []byte) Fault { return Fault{rewrite: f} }

// Garble applies a call and turns over the bits of one byte of the answer's body,
// the one at the given part of its length: 0 is the first, 1 the last. Checksums
// stay what they were.
func Garble(part float64) Fault { return Fault{garbled: true, part: part} }

// Truncate applies a call and breaks the connection in the middle of the answer:
// the caller sees its head, and the given part of its body.
func Truncate(part float64) Fault { return Fault{torn: true, part: part} }

// ApplyLate breaks the connection of a call at once, and has the call reach the
// service d later, when its caller has long gone on: an orphan of the network.
// Its caller sees the same as from [Lose]. A paused caller's orphans do not wait.
func ApplyLate(d time.Duration) Fault { return Fault{late: max(d, 1)} }

// orphan has a request served when d has passed, for nobody.
func orphan(d time.Duration, handler http.Handler, r *http.Request) {
	time.AfterFunc(d, func() { handler.ServeHTTP(&answer{header: http.Header{}}, r) })
}

// spoil does to the body of an answer what a fault says.
func (w *answer) spoil(f Fault) {
	if w.line != nil || w.status >= http.StatusBadRequest {
		return
	}
	if f.rewrite != nil {
		body := f.rewrite(bytes.Clone(w.body.Bytes()))
		w.body.Reset()
		w.body.Write(body)
		w.header.Del("X-Amz-Crc32")
		w.header.Del("Content-Length")
	}
	size := w.body.Len()
	at := min(max(int(f.part*float64(size)), 0), max(size-1, 0))
	if f.garbled && size > 0 {
		w.body.Bytes()[at] ^= 0xff
	}
	if f.torn {
		w.torn, w.upTo = true, at
	}
}

// reader is the body as its caller reads it.
func (w *answer) reader() io.Reader {
	body := bytes.NewReader(w.body.Bytes())
	if w.torn {
		return io.MultiReader(io.LimitReader(body, int64(w.upTo)), brokenOff{})
	}
	return body
}

// brokenOff is where the body of an answer breaks off.
type brokenOff struct{}

// Read fails as the body of a broken connection does.
func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

package lineartest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
)

// Doer sends a request; http.Client and the SDK's HTTP clients are Doers.
type Doer interface {
	// Do sends a request and returns its answer, or the error that kept it from
	// arriving.
	Do(*http.Request) (*http.Response, error)
}

// Loss is what happens to one attempt on its way.
type Loss int

const (
	// Arrives is what happens to most: the attempt is answered.
	Arrives Loss = iota
	// RequestLost is an attempt that does not reach the server.
	RequestLost
	// AnswerLost is an attempt that the server applies, unless it refuses it, and
	// whose answer does not arrive.
	AnswerLost
	// AnswerCut is an attempt that the server applies, unless it refuses it, and
	// whose answer breaks off behind its header.
	AnswerCut
)

// Wire is a Doer for an SDK client whose calls are recorded. The SDK repeats
// what was not answered, and tells its caller about the last attempt alone; the
// wire sees every attempt. Lose, unless nil, decides about each; it is called at
// once by all clients.
func Wire(next Doer, lose func(operation string) Loss) Doer { return &wire{next: next, lose: lose} }

type wire struct {
	next Doer
	lose func(string) Loss
}

// attempts is what the wire saw of one call. It is written by the call's own
// goroutine.
type attempts struct {
	sent    int
	unheard int    // writes without an answer, or with one that does not say whether they were applied
	last    string // operation
	applied bool   // the last write was answered with success
}

type attemptsKey struct{}

// watched is a context whose attempts are counted.
func watched(ctx context.Context) (context.Context, *attempts) {
	seen := &attempts{}
	return context.WithValue(ctx, attemptsKey{}, seen), seen
}

// Do implements Doer.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	fate := Arrives
	if w.lose != nil {
		fate = w.lose(operation)
	}
	answer, err := w.send(r, fate)
	seen, ok := r.Context().Value(attemptsKey{}).(*attempts)
	if !ok {
		return answer, err
	}
	seen.sent++
	seen.last = operation
	if operation == "GetItem" || operation == "Scan" || operation == "Query" {
		return answer, err
	}
	seen.applied = err == nil && answer.StatusCode == http.StatusOK
	if err != nil && fate != RequestLost || err == nil && answer.StatusCode >= 500 {
		seen.unheard++
	}
	if seen.applied {
		answer.Body = &success{ReadCloser: answer.Body, seen: seen}
	}
	return answer, err
}

// success is the body of an answer of success. If it breaks off, the SDK repeats
// the write, and its caller does not hear that this attempt was applied. A
// connection that is closed under load does so, not only one that is cut.
type success struct {
	io.ReadCloser
	seen *attempts
	cut  bool
}

func (b *success) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && !b.cut {
		b.cut = true
		b.seen.applied = false
		b.seen.unheard++
	}
	return n, err
}

func (w *wire) send(r *http.Request, fate Loss) (*http.Response, error) {
	if fate == RequestLost {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, syscall.ECONNRESET
	}
	answer, err := w.next.Do(r)
	if err == nil && fate == AnswerLost {
		answer.Body.Close()
		return nil, syscall.ECONNRESET
	}
	if err == nil && fate == AnswerCut {
		answer.Body = cut{answer.Body}
	}
	return answer, err
}

// cut is a body of which nothing arrives.
type cut struct{ io.Closer }

func (cut) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

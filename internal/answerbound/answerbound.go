// Package answerbound is how much of an HTTP answer is read. A client decodes
// what it is sent into memory, and whoever answers may have gone mad, or not be
// the service at all.
package answerbound

import (
	"fmt"
	"io"
	"net/http"
)

// Client is what makes a call, as the AWS SDK takes it.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// Wrap returns a client that makes its calls with next, and has no more than
// most bytes read of an answer; reading further is a TooLargeError. Of an answer
// that says it is longer than that nothing is read.
func Wrap(next Client, most int64) Client { return client{next, most} }

// TooLargeError is an answer that is larger than the service's can be. A smaller
// page may do.
type TooLargeError struct {
	Most int64 // bytes that would have been read
}

// Error names the bound.
func (e TooLargeError) Error() string {
	return fmt.Sprintf("the answer has more than %d bytes, which is more than the service sends", e.Most)
}

type client struct {
	next Client
	most int64
}

// Do makes the call, and bounds the body of its answer.
func (c client) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.next.Do(r)
	if answer != nil && answer.Body != nil {
		left := c.most
		if answer.ContentLength > c.most {
			left = -1 // nothing of it is read
		}
		answer.Body = &body{ReadCloser: answer.Body, most: c.most, left: left}
	}
	return answer, err
}

// body fails behind its bound. An answer without a length that ends just there
// is whole.
type body struct {
	io.ReadCloser
	most, left int64
}

// Read reads up to the bound, and one byte further to see that there is none.
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, TooLargeError{b.most}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, TooLargeError{b.most}
	}
	return n, err
}

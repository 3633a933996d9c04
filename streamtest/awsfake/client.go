package awsfake

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Config is an aws.Config for SDK clients that call the fake in the process, as
// the named caller. It opens no socket and reads no environment; retries are
// the SDK's standard ones. It works inside a testing/synctest bubble.
func (a *AWS) Config(caller string) aws.Config {
	return aws.Config{
		Region:      Region,
		Credentials: identity(caller),
		HTTPClient:  a.HTTPClient(),
	}
}

// HTTPClient is the way into the fake for SDK clients that are configured by
// hand. Whoever signs the request is the caller.
func (a *AWS) HTTPClient() aws.HTTPClient { return inProcess{a} }

// identity are credentials whose access key id is the name of the caller.
func identity(caller string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: caller, SecretAccessKey: "secret", Source: "awsfake"}, nil
	})
}

// inProcess answers requests in the goroutine that makes them.
type inProcess struct{ aws *AWS }

// Do answers a request, or fails as a broken connection or an ended context do.
func (c inProcess) Do(r *http.Request) (*http.Response, error) {
	body, err := whole(r.Body)
	if err != nil {
		return nil, err
	}
	w, err := c.aws.exchange(r.Context(), r, body)
	if err != nil {
		return nil, err
	}
	answered := &http.Response{
		Status:        fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header,
		Body:          io.NopCloser(w.reader()),
		ContentLength: int64(w.body.Len()),
		Request:       r,
	}
	if w.line != nil {
		answered.Body, answered.ContentLength = w.line, -1
	}
	return answered, nil
}

// whole reads and closes a request body, which may be nil.
func whole(body io.ReadCloser) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read request body: %w", err)
	}
	if err := body.Close(); err != nil {
		return nil, fmt.Errorf("close request body: %w", err)
	}
	return b, nil
}

package dynamoshards_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
)

// flood answers GetRecords that asks for more than fits with bytes without an
// end, and passes everything else on.
type flood struct {
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
	fits  int
	sized bool // it says how long it is

	limits []int // that were asked for
	read   int64
}

func (f *flood) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		return f.next.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ Limit int }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	if n := len(f.limits); n == 0 || f.limits[n-1] != in.Limit {
		f.limits = append(f.limits, in.Limit)
	}
	if in.Limit <= f.fits {
		return f.next.Do(r)
	}
	out := &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   &endless{f: f, head: strings.NewReader(`{"Records":[],"Padding":"`)},
	}
	if f.sized {
		out.ContentLength = 1 << 40
	}
	return out, nil
}

// endless is a JSON string that goes on for ever.
type endless struct {
	f    *flood
	head *strings.Reader
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head.Len() > 0 {
		return e.head.Read(p)
	}
	for i := range p {
		p[i] = 'x'
	}
	e.f.read += int64(len(p))
	return len(p), nil
}

func (e *endless) Close() error { return nil }

// An answer of GetRecords that has no end is read up to 16 MiB. It is an error,
// the next page is asked for with half as many records, and nothing is lost.
func TestAnswerWithoutAnEndIsRefusedAndAskedForInPages(t *testing.T) {
	for name, sized := range map[string]bool{"no length": false, "a length": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t, 1)
				first := c.fake.StreamShards(table)[0].ID
				for range 4 {
					c.put(t, first, "key", []byte("data"))
				}
				f := &flood{next: c.HTTPClient(), fits: 250, sized: sized}
				cfg := c.Config("test")
				cfg.HTTPClient = f
				source := dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), c.fake.StreamARN(table))
				stream, err := source.Describe(t.Context())
				must(t, err)
				r := source.Open(shard.Start{Shard: first, Stream: stream})
				failed, got := 0, 0
				for began := time.Now(); got < 4 && time.Since(began) < 10*time.Minute; {
					must(t, r.Ready(context.Background()))
					chunk, err := r.Next(t.Context())
					if err != nil {
						failed++
						if !strings.Contains(err.Error(), "the answer has more than 16777216 bytes") {
							t.Errorf("error %v", err)
						}
					}
					got += len(chunk.Records)
				}
				if want := []int{1000, 500, 250}; got != 4 || failed != 2 || !slices.Equal(f.limits, want) {
					t.Errorf("%d records after %d failures and pages of %v, want 4 after 2 and %v", got, failed, f.limits, want)
				}
				if most := int64(4 * (17 << 20)); f.read > most || sized && f.read > 0 {
					t.Errorf("%d bytes were read, want at most %d", f.read, most)
				}
			})
		})
	}
}

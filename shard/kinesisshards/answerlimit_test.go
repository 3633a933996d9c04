package kinesisshards_test

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

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
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
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
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

// An answer of GetRecords that has no end is read up to 32 MiB, or not at all if
// it says how long it is. It is an error, the next page is asked for with half as
// many records, and nothing is lost or passed over.
func TestAnswerWithoutAnEndIsRefusedAndAskedForInPages(t *testing.T) {
	for name, sized := range map[string]bool{"no length": false, "a length": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := awsfake.New()
				if err := fake.Kinesis().CreateStream(clicks, 1); err != nil {
					t.Fatal(err)
				}
				for range 4 {
					if _, _, err := fake.Kinesis().Put(clicks, "key", []byte("data")); err != nil {
						t.Fatal(err)
					}
				}
				f := &flood{next: fake.HTTPClient(), fits: 2500, sized: sized}
				cfg := fake.Config("test")
				cfg.HTTPClient = f
				source := kinesisshards.Open(kinesis.NewFromConfig(cfg), clicks)
				stream, err := source.Describe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r := source.Open(shard.Start{Shard: shard0, Stream: stream})
				failed, got := 0, 0
				for began := time.Now(); got < 4 && time.Since(began) < 10*time.Minute; {
					if err := r.Ready(context.Background()); err != nil {
						t.Fatal(err)
					}
					chunk, err := r.Next(t.Context())
					if err != nil {
						failed++
						if !strings.Contains(err.Error(), "the answer has more than 33554432 bytes") {
							t.Errorf("error %v", err)
						}
					}
					got += len(chunk.Records)
				}
				if got != 4 || failed != 2 {
					t.Errorf("%d records after %d failures, want 4 after 2", got, failed)
				}
				if want := []int{10_000, 5_000, 2_500}; !slices.Equal(f.limits, want) {
					t.Errorf("asked for %v, want %v", f.limits, want)
				}
				// Two failures of at most two tries each, and what a buffer reads ahead.
				if most := int64(4 * (33 << 20)); f.read > most || sized && f.read > 0 {
					t.Errorf("%d bytes were read, want at most %d", f.read, most)
				}
			})
		})
	}
}

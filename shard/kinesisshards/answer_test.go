package kinesisshards_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// canned is a service that gives these answers to GetRecords, one after the other,
// and begins anew behind the last.
type canned struct {
	answers []answer
	next    int
	asked   []string // the bodies of the requests
}

type answer struct {
	status int // 0 is 200
	body   []byte
	err    error // behind the body
}

func (c *canned) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a := answer{body: []byte(`{"ShardIterator":"first"}`)}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		a, c.asked = c.answers[c.next%len(c.answers)], append(c.asked, string(body))
		c.next++
	}
	answer := &http.Response{
		StatusCode: max(a.status, http.StatusOK), Header: http.Header{}, Request: r, ContentLength: int64(len(a.body)),
		Body: io.NopCloser(bytes.NewReader(a.body)),
	}
	if a.err != nil {
		answer.ContentLength = -1
		answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(a.body), failing{a.err}))
	}
	return answer, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// client is the SDK's on a service of canned answers.
func (c *canned) client(options ...func(*kinesis.Options)) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region: "us-east-1", HTTPClient: c, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), Retryer: aws.NopRetryer{},
	}, options...)
}

// plain is a client that ignores the options of a call, so that the SDK's decoder
// reads its answers.
type plain struct{ *kinesis.Client }

func (p plain) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	return p.Client.GetRecords(ctx, in)
}

func (c *canned) open(client kinesisshards.Client, options ...func(*kinesisshards.Options)) shard.Reader {
	return kinesisshards.Open(client, clicks, options...).Open(shard.Start{Stream: shard.Stream{ARN: "arn"}, Shard: shard0})
}

// jsonPage is an answer of so many records from a sequence number on.
func jsonPage(first, records, size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("towpath "), size/8+1)[:size])
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"SequenceNumber":"49%054d","ApproximateArrivalTimestamp":1.763742839123E9,"Data":"%s","PartitionKey":"key-%d"}`, first+i, data, i%7)
	}
	fmt.Fprintf(&b, `],"NextShardIterator":"from-%d","MillisBehindLatest":0}`, first+records)
	return b.Bytes()
}

// Whoever ignores the options of a call reads the same.
func TestPagesAreReadAsByTheSDK(t *testing.T) {
	for _, a := range []answer{
		{body: jsonPage(1, 5, 100)},
		{body: nil},
		{body: []byte(`{}`)},
		{body: []byte(`null`)},
		{body: []byte(`{"Records":[],"NextShardIterator":"next","MillisBehindLatest":1500}`)},
		{body: []byte(`{"Records":[{"SequenceNumber":"1","Data":"YQ==","PartitionKey":"k"},{"SequenceNumber":"2"},{"SequenceNumber":"3","Data":"YQ==","EncryptionType":"KMS"}],"NextShardIterator":"next"}`)},
		{body: []byte(`{"Records":[{"SequenceNumber":"1","Data":"YWJj\nZGVm","PartitionKey":"\u00e4\ud83d\ude00"}],"NextShardIterator":"next"}`)},
		{body: []byte(`{"Records":[{"Data":"YQ=="}],"NextShardIterator":"next"}`)},
		{body: []byte(`{"Records":[null],"NextShardIterator":"next"}`)},
		{body: []byte(`{"Records":[{"SequenceNumber":"1","Data":"Y"}],"NextShardIterator":"next"}`)},
		{body: jsonPage(1, 5, 100)[:400]},
		{body: jsonPage(1, 5, 100)[:400], err: io.ErrUnexpectedEOF},
		{body: []byte(`{"Records":[{"SequenceNumber":"1","Data":"YQ=="}],"ChildShards":[{"ShardId":"shardId-000000000001","ParentShards":["shardId-000000000000"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"}}],"MillisBehindLatest":0}`)},
		{status: 400, body: []byte(`{"__type":"ExpiredIteratorException","message":"too old"}`)},
		{status: 400, body: []byte(`{"__type":"ProvisionedThroughputExceededException"}`)},
		{status: 500, body: []byte(`<html>`)},
		{status: 204, body: []byte(`{"Records":[]}`)},
	} {
		one, other := &canned{answers: []answer{a}}, &canned{answers: []answer{a}}
		got, err := one.open(one.client()).Next(t.Context())
		want, wantErr := other.open(plain{other.client()}).Next(t.Context())
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d %.60s: got %+v, want %+v", a.status, a.body, got, want)
		}
		if fmt.Sprint(kind(err)) != fmt.Sprint(kind(wantErr)) {
			t.Errorf("%d %.60s: got the error %v, want %v", a.status, a.body, err, wantErr)
		}
		if !reflect.DeepEqual(one.asked, other.asked) {
			t.Errorf("%d %.60s: asked %q, want %q", a.status, a.body, one.asked, other.asked)
		}
	}
}

// kind is of which kind an error is, as those who decide about it look at it.
func kind(err error) []any {
	_, unread := errors.AsType[*smithy.DeserializationError](err)
	_, expired := errors.AsType[*types.ExpiredIteratorException](err)
	api, _ := errors.AsType[smithy.APIError](err)
	code := ""
	if api != nil {
		code = api.ErrorCode()
	}
	return []any{err == nil, unread, expired, code, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, shard.ErrThrottled)}
}

// An answer that is cut leaves nothing behind in the one that is read instead, in
// the same call of the SDK's.
func TestARepeatedReadHasNothingOfTheFormer(t *testing.T) {
	c := &canned{answers: []answer{
		{body: []byte(`{"MillisBehindLatest":60000,"Records":[{"SequenceNumber":"7","Data":"YQ=="},{`), err: io.ErrUnexpectedEOF},
		{body: []byte(`{"NextShardIterator":"next"}`)},
	}}
	client := c.client(func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{}; o.Retryer = fewer{o.Retryer} })
	got, err := c.open(client).Next(t.Context())
	if err != nil || len(got.Records) != 0 || got.Behind != 0 || len(c.asked) != 2 {
		t.Errorf("got %+v, %v of %d answers, want an empty chunk of the second", got, err, len(c.asked))
	}
}

// fewer repeats everything once.
type fewer struct{ aws.Retryer }

func (fewer) IsErrorRetryable(error) bool { return true }
func (fewer) MaxAttempts() int            { return 2 }

// A read that fails within its answer is made again from the same iterator.
func TestACutAnswerIsReadAgain(t *testing.T) {
	c := &canned{answers: []answer{
		{body: jsonPage(1, 3, 100)},
		{body: jsonPage(4, 3, 100)[:500]},
		{body: jsonPage(4, 3, 100)},
	}}
	r := c.open(c.client())
	var got []string
	failures := 0
	for range 3 {
		chunk, err := r.Next(t.Context())
		if err != nil {
			failures++
		}
		for _, record := range chunk.Records {
			got = append(got, strings.TrimLeft(record.Sequence[2:], "0"))
		}
	}
	if failures != 1 || strings.Join(got, " ") != "1 2 3 4 5 6" || c.asked[1] != c.asked[2] {
		t.Errorf("got %s with %d failures, asked %q", got, failures, c.asked)
	}
}

// From the answer's bytes to the chunk, a record costs a fraction of an
// allocation. What the SDK does for the call itself is counted too.
func TestAllocationsOfARead(t *testing.T) {
	for _, of := range []struct {
		size, records int
		most          float64
	}{{100, 10_000, 0.1}, {1000, 2000, 0.5}} {
		c := &canned{}
		for i := range 4 {
			c.answers = append(c.answers, answer{body: jsonPage(1+i*of.records, of.records, of.size)})
		}
		r := c.open(c.client())
		got := testing.AllocsPerRun(3, func() {
			chunk, err := r.Next(t.Context())
			if err != nil || len(chunk.Records) != of.records {
				t.Fatalf("%d records, %v", len(chunk.Records), err)
			}
		}) / float64(of.records)
		t.Logf("%d B: %.3f allocations a record", of.size, got)
		if got > of.most {
			t.Errorf("%d B: %.3f allocations a record, want at most %.2f", of.size, got, of.most)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		records := min(10_000, 10<<20/size) / 4
		for _, name := range []string{"sdk", "own"} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				c := &canned{answers: []answer{{body: jsonPage(1, records, size)}}}
				var client kinesisshards.Client = c.client()
				if name == "sdk" {
					client = plain{c.client()}
				}
				source := kinesisshards.Open(client, clicks)
				b.ReportAllocs()
				for b.Loop() {
					r := source.Open(shard.Start{Stream: shard.Stream{ARN: "arn"}, Shard: shard0})
					if chunk, err := r.Next(b.Context()); err != nil || len(chunk.Records) != records {
						b.Fatal(len(chunk.Records), err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
			})
		}
	}
}

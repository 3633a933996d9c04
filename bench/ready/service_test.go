package ready

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// inProcess answers in the goroutine that asks.
type inProcess struct{ http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func client() *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region: "us-east-1", HTTPClient: inProcess{New()}, Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1,
	})
}

// What the SDK reads is one record behind the other, from wherever it begins.
func TestPagesFollowOneAnother(t *testing.T) {
	c, s := client(), Stream{Shards: 3, Records: 5, Bytes: 20}
	for _, in := range []struct {
		kind  types.ShardIteratorType
		at    *string
		first uint64
	}{
		{types.ShardIteratorTypeTrimHorizon, nil, 0},
		{types.ShardIteratorTypeAtSequenceNumber, aws.String(sequence(41)), 41},
		{types.ShardIteratorTypeAfterSequenceNumber, aws.String(sequence(41)), 42},
	} {
		out, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: aws.String(s.Name()), ShardId: aws.String(shardID(2)), ShardIteratorType: in.kind, StartingSequenceNumber: in.at,
		})
		if err != nil {
			t.Fatal(err)
		}
		next, want := out.ShardIterator, in.first
		for range 3 {
			page, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Records) != s.Records || aws.ToInt64(page.MillisBehindLatest) == 0 {
				t.Fatalf("a page of %d records, %d ms behind", len(page.Records), aws.ToInt64(page.MillisBehindLatest))
			}
			for _, r := range page.Records {
				if got := aws.ToString(r.SequenceNumber); got != sequence(want) {
					t.Fatalf("the next record is %s, want %s", got, sequence(want))
				}
				if len(r.Data) != s.Bytes || aws.ToString(r.PartitionKey) == "" || !r.ApproximateArrivalTimestamp.Equal(arrived) {
					t.Fatalf("a record of %d bytes with the key %q, of %s", len(r.Data), aws.ToString(r.PartitionKey), r.ApproximateArrivalTimestamp)
				}
				want++
			}
			next = page.NextShardIterator
			if *next != s.Token(2, want) {
				t.Fatalf("the next iterator is %s, want %s", *next, s.Token(2, want))
			}
		}
	}
}

// Every shard is listed once, over pages, and their hashes leave no gap.
func TestListingIsComplete(t *testing.T) {
	c, s := client(), Stream{Shards: 2500}
	in := &kinesis.ListShardsInput{StreamName: aws.String(s.Name())}
	var last, end string
	n := 0
	for {
		out, err := c.ListShards(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.Shards {
			if id := aws.ToString(d.ShardId); id != shardID(n) || id <= last {
				t.Fatalf("shard %d is %s, after %s", n, id, last)
			}
			last, end = aws.ToString(d.ShardId), aws.ToString(d.HashKeyRange.EndingHashKey)
			n++
		}
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
	if n != s.Shards || end != "340282366920938463463374607431768211455" {
		t.Errorf("%d shards up to the hash %s", n, end)
	}
	summary, err := c.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(s.Name())})
	if err != nil || aws.ToInt32(summary.StreamDescriptionSummary.OpenShardCount) != 2500 {
		t.Errorf("described as %+v, %v", summary, err)
	}
}

// A stream into which nobody puts anything is caught up with.
func TestIdleStreamIsAtItsTip(t *testing.T) {
	s := Stream{Shards: 1}
	page, err := client().GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String(s.Token(0, 0))})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Records) != 0 || aws.ToInt64(page.MillisBehindLatest) != 0 || aws.ToString(page.NextShardIterator) == "" {
		t.Errorf("%d records, %d ms behind", len(page.Records), aws.ToInt64(page.MillisBehindLatest))
	}
}

func TestWhatCannotBeAnsweredIsRefused(t *testing.T) {
	c := client()
	for _, token := range []string{"", "x", "bench-1-1-1:0:0:0", "bench-1-1-1:1:0", "bench-0-1-1:0:0", "bench-1-1-1:0:x"} {
		if _, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String(token)}); err == nil {
			t.Errorf("the iterator %q was answered", token)
		}
	}
	if _, err := c.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("clicks")}); err == nil {
		t.Error("a stream of another name was described")
	}
	if _, err := c.ListStreams(t.Context(), &kinesis.ListStreamsInput{}); err == nil {
		t.Error("an operation that is not there was answered")
	}
}

// The same page in CBOR has the same records.
func TestPageInCBORHasTheRecordsOfJSON(t *testing.T) {
	s := Stream{Shards: 1, Records: 300, Bytes: 300}
	p := newPage(s, asCBOR{})
	p.set(0, 1000)
	out, err := parseCBOR(p.body)
	if err != nil {
		t.Fatal(err)
	}
	page, err := client().GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String(s.Token(0, 1000))})
	if err != nil {
		t.Fatal(err)
	}
	records, _ := out["Records"].([]any)
	if len(records) != len(page.Records) || out["NextShardIterator"] != *page.NextShardIterator || out["MillisBehindLatest"] != *page.MillisBehindLatest {
		t.Fatalf("%d records, next %v", len(records), out["NextShardIterator"])
	}
	for i, want := range page.Records {
		r, _ := records[i].(map[string]any)
		if r["SequenceNumber"] != *want.SequenceNumber || r["PartitionKey"] != *want.PartitionKey || r["Data"] != string(want.Data) || r["ApproximateArrivalTimestamp"] != want.ApproximateArrivalTimestamp.UnixMilli() {
			t.Fatalf("record %d is %v", i, r)
		}
	}
}

// Requests come with maps of known and of unknown length, and a cut one is
// refused.
func TestCBORIsReadToItsEnd(t *testing.T) {
	body := append([]byte{cborMap | indefinite}, appendCBOR(appendCBOR(nil, "Limit"), 10_000)...)
	body = append(appendCBOR(appendCBOR(body, "ShardIterator"), strings.Repeat("x", 300)), stop)
	in, err := parseCBOR(body)
	if err != nil || in["Limit"] != int64(10_000) || in["ShardIterator"] != strings.Repeat("x", 300) {
		t.Errorf("read as %v, %v", in, err)
	}
	whole := appendCBOR(nil, map[string]any{"a": int64(-70_000), "b": []any{"c", time.UnixMilli(5)}, "d": map[string]any{"e": []byte("f")}})
	if in, err = parseCBOR(whole); err != nil || in["a"] != int64(-70_000) {
		t.Errorf("read as %v, %v", in, err)
	}
	for n := range whole {
		if _, err := parseCBOR(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(whole))
		}
	}
	if _, err := parseCBOR([]byte(strings.Repeat("\x81", 1000))); err == nil {
		t.Error("a thousand lists in one another were read")
	}
}

// A server says where it is, answers over TLS to who trusts it, and ends with its
// context.
func TestServerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan Address, 1)
	over := make(chan error, 1)
	go func() {
		over <- Serve(ctx, false, func(a Address) error {
			told <- a
			return nil
		})
	}()
	a := <-told
	if !strings.HasPrefix(a.Plain, "http://127.0.0.1:") || !strings.HasPrefix(a.TLS, "https://127.0.0.1:") || a.Certificate == "" {
		t.Errorf("it is at %+v", a)
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

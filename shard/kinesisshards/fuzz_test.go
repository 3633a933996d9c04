package kinesisshards_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// garbler is a service whose answer to one operation is any bytes at all.
type garbler struct {
	aws.HTTPClient
	operation string
	body      []byte
}

func (g garbler) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+g.operation) {
		return g.HTTPClient.Do(r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r, ContentLength: int64(len(g.body)),
		Body: io.NopCloser(bytes.NewReader(g.body)),
	}, nil
}

// garbled reads a shard behind record 10, where the answers to an operation are
// these bytes, and holds what comes against what is promised of any answer.
func garbled(t *testing.T, operation string, body []byte, reads int, options ...func(*kinesisshards.Options)) (records int, failed error) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		must(t, a.Kinesis().CreateStream(clicks, 1))
		_, err := a.Kinesis().RegisterConsumer(clicks, application)
		must(t, err)
		cfg := a.Config("tester")
		cfg.HTTPClient = garbler{a.HTTPClient(), operation, body}
		cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		source := kinesisshards.Open(kinesis.NewFromConfig(cfg), clicks, options...)
		stream, err := source.Describe(t.Context())
		must(t, err)
		last := shard.After("10", 0)
		r := source.Open(shard.Start{Stream: stream, Shard: shard0, After: last, LastArrival: time.Now(), ReadUpTo: time.Now()})
		if c, ok := r.(io.Closer); ok {
			defer c.Close()
		}
		// The same answer again and again may never have anything new.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for range reads {
			if r.Ready(ctx) != nil {
				return
			}
			chunk, err := r.Next(ctx)
			failed = errors.Join(failed, err)
			if err != nil && len(chunk.Records) > 0 {
				t.Errorf("an error came with %d records", len(chunk.Records))
			}
			if chunk.Bytes() > r.MaxBytes() {
				t.Errorf("a read of %d bytes, more than the %d it is bound by", chunk.Bytes(), r.MaxBytes())
			}
			for i := range chunk.Records {
				at := chunk.Records[i].Position()
				if !at.IsRecord() || at.Validate() != nil || at.Compare(last) <= 0 {
					t.Errorf("a record at %s was delivered behind %s", at, last)
				}
				last = at
				records++
			}
			if chunk.Ended && !bytes.Contains(body, []byte(`hildShards"`)) { // names fold case
				t.Error("the shard is open and the answer names no children, and was said to have ended")
			}
		}
	})
	return records, failed
}

// Any answer to GetRecords is either used, in order and behind what came before,
// or an error: one that is no JSON is never taken for an empty one, and one that
// names no children ends no shard that the listing says is open.
func FuzzGetRecordsAnswer(f *testing.F) {
	f.Add([]byte(`{"Records":[{"SequenceNumber":"11","PartitionKey":"a","Data":"AAAA","ApproximateArrivalTimestamp":1.7E9}],"NextShardIterator":"x","MillisBehindLatest":0}`))
	f.Add([]byte(`{"Records":[{"SequenceNumber":"12"},{"SequenceNumber":"11"},{"SequenceNumber":"١٢"}],"ChildShards":[{"ShardId":"shardId-000000000001","ParentShards":["shardId-000000000000"],"HashKeyRange":{}}]}`))
	f.Add([]byte(`{"Records":null,"NextShardIterator":null,"MillisBehindLatest":-1}`))
	f.Add([]byte(`{"Records":[{"SequenceNumber":"11","Data":"84mawg=="}],"NextShardIterator":"`))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := garbled(t, "GetRecords", body, 2)
		var first json.RawMessage
		if broken := json.NewDecoder(bytes.NewReader(body)).Decode(&first); broken != nil && !errors.Is(broken, io.EOF) && err == nil {
			t.Errorf("an answer that is no JSON (%v) was taken for one", broken)
		}
	})
}

// Any bytes in the place of a subscription's event stream are either used, in
// order and behind what came before, or end the subscription: any payload in a
// frame that is whole, followed by anything at all.
func FuzzSubscribeToShardAnswer(f *testing.F) {
	const records = `{"ContinuationSequenceNumber":"12","MillisBehindLatest":0,"Records":[{"SequenceNumber":"12","PartitionKey":"a","Data":"AAAA"}]}`
	f.Add("SubscribeToShardEvent", []byte(records), []byte(nil))
	f.Add("SubscribeToShardEvent", []byte(`{"ChildShards":[{"ShardId":"x","ParentShards":[]}],"Records":[]}`), event("12", "11"))
	f.Add("KMSDisabledException", []byte(`{"message":"x"}`), []byte(nil))
	f.Add("", []byte(nil), event("12", "11")[:30])
	f.Add("initial-response", []byte("null"), []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, name string, payload, rest []byte) {
		if len(name) > 1<<10 || len(payload) > 1<<20 {
			return // longer than a frame's length can say
		}
		body := slices.Concat(frame("initial-response", "{}"), frame(name, string(payload)), rest)
		_, _ = garbled(t, "SubscribeToShard", body, 3, fanOut(neverPoll))
	})
}

package dynamoshards_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
)

// garbler is a service whose answer to GetRecords is any bytes at all.
type garbler struct {
	aws.HTTPClient
	body []byte
}

func (g garbler) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		return g.HTTPClient.Do(r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r, ContentLength: int64(len(g.body)),
		Body: io.NopCloser(bytes.NewReader(g.body)),
	}, nil
}

// Any answer to GetRecords is either used, in order and behind what came before,
// or an error: one that is no JSON is never taken for an empty one, and none
// ends a shard that is open. What is delivered can be decoded.
func FuzzGetRecordsAnswer(f *testing.F) {
	f.Add([]byte(`{"Records":[{"eventID":"1","eventName":"INSERT","dynamodb":{"SequenceNumber":"100000000000000000001","Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"},"l":{"L":[{"N":"1"},{"NULL":true}]}},"SizeBytes":9,"StreamViewType":"NEW_AND_OLD_IMAGES","ApproximateCreationDateTime":1.7E9}}],"NextShardIterator":"x"}`))
	f.Add([]byte(`{"Records":[{"dynamodb":null},{"dynamodb":{"SequenceNumber":"9"}}],"NextShardIterator":null}`))
	f.Add([]byte(`{"Records":[{"dynamodb":{"SequenceNumber":"100000000000000000002","Keys":{"id":{}}}}]`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var failed error
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t, 1)
			cfg := c.Config("tester")
			cfg.HTTPClient = garbler{c.HTTPClient(), body}
			cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
			source := dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), c.fake.StreamARN(table))
			stream, err := source.Describe(t.Context())
			must(t, err)
			listed, err := source.List(t.Context())
			must(t, err)
			last := shard.TrimHorizon()
			r := source.Open(shard.Start{Stream: stream, Shard: listed[0].ID, After: last, ReadUpTo: time.Now()})
			for range 2 {
				must(t, r.Ready(t.Context()))
				chunk, err := r.Next(t.Context())
				failed = errors.Join(failed, err)
				for i := range chunk.Records {
					at := chunk.Records[i].Position()
					if !at.IsRecord() || at.Validate() != nil || at.Compare(last) <= 0 {
						t.Errorf("a record at %s was delivered behind %s", at, last)
					}
					last = at
					if !json.Valid(chunk.Records[i].Data) {
						t.Errorf("the payload is no JSON: %q", chunk.Records[i].Data)
					}
				}
				if chunk.Ended {
					t.Error("the shard is open, and was said to have ended")
				}
			}
		})
		var first json.RawMessage
		if broken := json.NewDecoder(bytes.NewReader(body)).Decode(&first); broken != nil && !errors.Is(broken, io.EOF) && failed == nil {
			t.Errorf("an answer that is no JSON (%v) was taken for one", broken)
		}
	})
}

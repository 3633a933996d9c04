package kinesisshards_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/recordpage"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func inCBOR(o *kinesisshards.Options) { o.CBOR = true }

// kinds counts the content types of requests and answers of GetRecords.
type kinds struct {
	aws.HTTPClient
	asked, answered map[string]int
}

func (k *kinds) Do(r *http.Request) (*http.Response, error) {
	answer, err := k.HTTPClient.Do(r)
	if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		k.asked[r.Header.Get("Content-Type")]++
		k.answered[answer.Header.Get("Content-Type")]++
	}
	return answer, err
}

// A stream that is split in two says the same in CBOR as in JSON, down to the
// children at the end of the shard.
func TestCBORSaysWhatJSONSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		must(t, a.Kinesis().CreateStream(clicks, 1))
		for _, data := range []string{"", "a", "two words", strings.Repeat("long ", 10_000)} {
			_, _, err := a.Kinesis().Put(clicks, "key "+data[:min(len(data), 5)], []byte(data))
			must(t, err)
		}
		_, err := a.Kinesis().PutUnkeyed(clicks, shard0, []byte("without a key"))
		must(t, err)
		_, _, err = a.Kinesis().Split(clicks, shard0)
		must(t, err)
		var chunks []shard.Chunk
		for _, options := range [][]func(*kinesisshards.Options){nil, {inCBOR}} {
			cfg := a.Config("tester")
			seen := &kinds{cfg.HTTPClient, map[string]int{}, map[string]int{}}
			cfg.HTTPClient = seen
			source := kinesisshards.Open(kinesis.NewFromConfig(cfg), clicks, options...)
			stream, err := source.Describe(t.Context())
			must(t, err)
			r := source.Open(shard.Start{Stream: stream, Shard: shard0})
			must(t, r.Ready(t.Context()))
			chunk := next(t, r)
			chunks = append(chunks, chunk)
			want := "application/x-amz-json-1.1"
			if options != nil {
				want = "application/x-amz-cbor-1.1"
			}
			if seen.asked[want] == 0 || len(seen.asked) != 1 || !reflect.DeepEqual(seen.asked, seen.answered) {
				t.Errorf("asked in %v and answered in %v, want %s", seen.asked, seen.answered, want)
			}
		}
		if len(chunks[0].Records) != 5 || !chunks[0].Ended || len(chunks[0].Children) != 2 {
			t.Errorf("in JSON there are %d records, the end %v, %d children", len(chunks[0].Records), chunks[0].Ended, len(chunks[0].Children))
		}
		if !reflect.DeepEqual(chunks[0], chunks[1]) {
			t.Errorf("in CBOR: %+v, in JSON: %+v", chunks[1], chunks[0])
		}
	})
}

// The service answers JSON, to a request in CBOR, when it likes.
func TestAnAnswerInTheOtherFormatIsRead(t *testing.T) {
	c := &canned{answers: []answer{{body: jsonPage(1, 3, 100)}}}
	if chunk := next(t, c.open(c.client(), inCBOR)); len(chunk.Records) != 3 {
		t.Errorf("got %d records, want 3", len(chunk.Records))
	}
	asked, err := recordpage.Flat([]byte(c.asked[0]))
	if err != nil || asked["ShardIterator"] != "first" || asked["Limit"] != int64(10_000) {
		t.Errorf("asked %v, %v", asked, err)
	}
}

// What goes wrong is the same error in either format.
func TestErrorsInCBORAreTheSDKs(t *testing.T) {
	refused := recordpage.CBOR(nil).Map(2).Text("__type").Text("com.amazonaws.kinesis#ProvisionedThroughputExceededException").Text("message").Text("slower")
	c := &canned{answers: []answer{{status: 400, body: refused}}}
	_, err := c.open(c.client(), inCBOR).Next(t.Context())
	throttled, ok := errors.AsType[*types.ProvisionedThroughputExceededException](err)
	if !ok || aws.ToString(throttled.Message) != "slower" || !errors.Is(err, shard.ErrThrottled) {
		t.Errorf("got %v, want the service's error", err)
	}
	for _, body := range []string{"", "<html>", string(refused[:20]), `{"__type":"ExpiredIteratorException"}`} {
		c := &canned{answers: []answer{{status: 400, body: []byte(body)}}}
		if _, err := c.open(c.client(), inCBOR).Next(t.Context()); err == nil {
			t.Errorf("%q is no error", body)
		}
	}
}

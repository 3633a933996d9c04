package kinesisshards_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// After an answer that is larger than the service's can be, half as many records
// are asked for, and nothing is lost or passed over.
func TestAnswerThatIsTooLargeIsAskedForInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := awsfake.New()
		if err := fake.Kinesis().CreateStream(clicks, 1); err != nil {
			t.Fatal(err)
		}
		for range 7 {
			if _, _, err := fake.Kinesis().Put(clicks, "key", []byte("data")); err != nil {
				t.Fatal(err)
			}
		}
		flood := true
		cfg := fake.Config("test")
		cfg.HTTPClient = smithyhttp.ClientDoFunc(func(r *http.Request) (*http.Response, error) {
			answer, err := fake.HTTPClient().Do(r)
			if err == nil && flood && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
				answer.ContentLength = 1 << 40
			}
			return answer, err
		})
		source := kinesisshards.Open(kinesis.NewFromConfig(cfg), clicks, func(o *kinesisshards.Options) { o.Limit = 4 })
		stream, err := source.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := source.Open(shard.Start{Shard: shard0, Stream: stream})
		var pages []int
		for range 5 {
			if err := r.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			chunk, err := r.Next(t.Context())
			if flood != (err != nil) || flood && !strings.Contains(err.Error(), "the answer has more than 33554432 bytes") {
				t.Fatalf("error %v", err)
			}
			pages = append(pages, len(chunk.Records))
			flood = len(pages) < 2
		}
		if want := []int{0, 0, 1, 2, 4}; !slices.Equal(pages, want) {
			t.Errorf("pages of %v records, want %v", pages, want)
		}
	})
}

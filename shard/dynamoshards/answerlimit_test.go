package dynamoshards_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
)

// After an answer that is larger than the service's can be, half as many records
// are asked for, and nothing is lost or passed over.
func TestAnswerThatIsTooLargeIsAskedForInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, 1)
		first := c.fake.StreamShards(table)[0].ID
		for range 7 {
			c.put(t, first, "key", []byte("data"))
		}
		flood := true
		cfg := c.Config("test")
		cfg.HTTPClient = smithyhttp.ClientDoFunc(func(r *http.Request) (*http.Response, error) {
			answer, err := c.HTTPClient().Do(r)
			if err == nil && flood && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
				answer.ContentLength = 1 << 40
			}
			return answer, err
		})
		source := dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), c.fake.StreamARN(table), func(o *dynamoshards.Options) { o.Limit = 4 })
		stream, err := source.Describe(t.Context())
		must(t, err)
		r := source.Open(shard.Start{Shard: first, Stream: stream})
		var pages []int
		for range 5 {
			must(t, r.Ready(t.Context()))
			chunk, err := r.Next(t.Context())
			if flood != (err != nil) || flood && !strings.Contains(err.Error(), "the answer has more than 16777216 bytes") {
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

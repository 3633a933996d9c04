package kinesisshards_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A stream of another region or partition than the client's is refused before
// any call.
func TestStreamOfAnotherRegionIsRefused(t *testing.T) {
	fake := awsfake.New()
	client := kinesis.NewFromConfig(fake.Config("test"))
	for _, given := range []string{
		"arn:aws:kinesis:eu-west-1:000000000000:stream/clicks",
		"arn:aws-cn:kinesis:cn-north-1:000000000000:stream/clicks",
		"arn:aws-us-gov:kinesis:us-gov-west-1:000000000000:stream/clicks",
	} {
		source := kinesisshards.Open(client, given)
		_, err := source.List(t.Context())
		for _, err := range []error{source.Validate(), err} {
			if err == nil || !strings.Contains(err.Error(), "it is in the region") || !strings.Contains(err.Error(), "of us-east-1") {
				t.Errorf("%s: %v", given, err)
			}
		}
	}
	must(t, kinesisshards.Open(client, "arn:aws:kinesis:us-east-1:000000000000:stream/clicks").Validate())
	must(t, kinesisshards.Open((*kinesis.Client)(nil), "arn:aws:kinesis:us-east-1:000000000000:stream/clicks").Validate())
	if n := fake.Count("", "", ""); n != 0 {
		t.Errorf("the service was asked %d times", n)
	}
}

package destination_test

import (
	"strings"
	"testing"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// The envelope of a success tells of no error, and comes back as it was.
func TestSuccessEnvelopeHasNoFunctionError(t *testing.T) {
	f := destination.Failure{
		Application: "clickstream", Stream: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", Shard: "shardId-000000000000",
		Records:   []shard.Record{{Stream: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", Shard: "shardId-000000000000", Sequence: "7", Data: []byte("x")}},
		Condition: destination.Success, Attempts: 2,
	}
	text, err := f.Envelope(destination.EnvelopeOptions{})
	if err != nil || strings.Contains(string(text), "functionError") || !strings.Contains(string(text), `"responseContext":{"statusCode":200,`) {
		t.Errorf("%v: %s", err, text)
	}
	e, err := destination.ParseEnvelope(text)
	if err != nil || e.Failure.Condition != destination.Success || e.Failure.Partial || e.Failure.Err != nil || e.Failure.Attempts != 2 || len(e.Failure.Records) != 1 {
		t.Errorf("%v: %+v", err, e)
	}
}

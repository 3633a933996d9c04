package dynamoshards_test

import (
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
)

func TestSourceTellsAllThatIsWrongWithIt(t *testing.T) {
	s := dynamoshards.Open(nil, "x", func(o *dynamoshards.Options) {
		o.Limit, o.PollFloor, o.PollCeiling, o.ReadsPerSecond = 1001, -1, -2, -3
	})
	err := s.Validate()
	for _, want := range []string{"client", "table name", "Limit", "PollFloor", "PollCeiling", "ReadsPerSecond"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, err := s.Describe(t.Context()); err == nil {
		t.Error("Describe of a wrong source did not fail")
	}
	if _, err := s.Open(shard.Start{}).Next(t.Context()); err == nil {
		t.Error("Next of a wrong source did not fail")
	}
}

func TestStreamIsNamedByItsARNOrItsTable(t *testing.T) {
	c := newCloud(t, 1)
	arn := c.fake.StreamARN(table)
	tableARN := arn[:strings.Index(arn, "/stream/")]
	for _, name := range []string{arn, tableARN, table} {
		stream, err := dynamoshards.Open(c.streams, name).Describe(t.Context())
		if err != nil || stream.ARN != arn || stream.Name != table || stream.Retention != 24*time.Hour {
			t.Errorf("%s is %+v, error %v", name, stream, err)
		}
	}
	for _, name := range []string{"", "a", "or ders", arn + "/shard/1", tableARN + "/index/x", "arn:aws:kinesis:us-east-1:1:stream/x", "arn:aws:dynamodb", "arn:aws:dynamodb:us-east-1:1:table/x/stream/"} {
		if err := dynamoshards.Open(c.streams, name).Validate(); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

// Of a table that had streams before, the newest is read, and it is told apart
// from the one before.
func TestNewestStreamOfATableIsRead(t *testing.T) {
	c := newCloud(t, 1)
	source := dynamoshards.Open(c.streams, table)
	before, err := source.Describe(t.Context())
	must(t, err)
	c.specify(t, false)
	time.Sleep(2 * time.Millisecond)
	c.specify(t, true)
	now, err := source.Describe(t.Context())
	must(t, err)
	if now.ARN == before.ARN || now.ARN != c.fake.StreamARN(table) {
		t.Errorf("the stream is %s, was %s", now.ARN, before.ARN)
	}
	reader := source.Open(shard.Start{Stream: before, Shard: c.fake.StreamShards(table)[0].ID})
	if _, err := reader.Next(t.Context()); err == nil {
		t.Error("a shard of the new stream was found in the old one")
	}
}

// A stream of another region or partition than the client's is refused before
// any call.
func TestStreamOfAnotherRegionIsRefused(t *testing.T) {
	c := newCloud(t, 1)
	calls := c.Count("", "dynamodbstreams", "")
	for _, given := range []string{
		"arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2026",
		"arn:aws-cn:dynamodb:cn-north-1:000000000000:table/orders",
		"arn:aws-us-gov:dynamodb:us-gov-west-1:000000000000:table/orders",
	} {
		source := dynamoshards.Open(c.streams, given)
		_, err := source.List(t.Context())
		for _, err := range []error{source.Validate(), err} {
			if err == nil || !strings.Contains(err.Error(), "it is in the region") || !strings.Contains(err.Error(), "of us-east-1") {
				t.Errorf("%s: %v", given, err)
			}
		}
	}
	must(t, dynamoshards.Open(c.streams, c.fake.StreamARN(table)).Validate())
	if n := c.Count("", "dynamodbstreams", ""); n != calls {
		t.Errorf("the service was asked %d times", n-calls)
	}
}

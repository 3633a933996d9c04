package streamtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// kind is a kind of stream, and how a message tells of its records.
type kind struct {
	run      func(t *testing.T, scenario func(t *testing.T, rig *streamtest.Rig))
	info, at string
}

// Kinesis has times of arrival with milliseconds, a table's stream without.
func ofShards() kind { return kind{onShards, "KinesisBatchInfo", "<time.ms>"} }

func ofItems() kind { return kind{onItems, "DDBStreamBatchInfo", "<time>"} }

// place opens a destination, and tells what has arrived there.
type place func(rig *streamtest.Rig) (destination.Destination, func() []string)

func onShards(t *testing.T, scenario func(t *testing.T, rig *streamtest.Rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		scenario(t, rig)
	})
}

func onItems(t *testing.T, scenario func(t *testing.T, rig *streamtest.Rig)) {
	t.Helper()
	onTable(t, 1, scenario)
}

func toSQS(rig *streamtest.Rig) (destination.Destination, func() []string) {
	url := rig.AWS.SQS().CreateQueue("failures")
	return sqsdestination.Open(sqs.NewFromConfig(rig.AWS.Config("w")), url), func() (bodies []string) {
		for _, m := range rig.AWS.SQS().Messages("failures") {
			bodies = append(bodies, m.Body)
		}
		return bodies
	}
}

func toSNS(rig *streamtest.Rig) (destination.Destination, func() []string) {
	arn := rig.AWS.SNS().CreateTopic("failures")
	return snsdestination.Open(sns.NewFromConfig(rig.AWS.Config("w")), arn), func() (bodies []string) {
		for _, m := range rig.AWS.SNS().Published(arn) {
			bodies = append(bodies, m.Body)
		}
		return bodies
	}
}

func toS3(rig *streamtest.Rig) (destination.Destination, func() []string) {
	if err := rig.AWS.S3().CreateBucket("failures"); err != nil {
		panic(err) // a fresh rig has no bucket yet
	}
	return s3destination.Open(s3.NewFromConfig(rig.AWS.Config("w")), "failures"), func() (bodies []string) {
		objects := rig.AWS.S3().Objects("failures")
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			bodies = append(bodies, string(objects[key].Body))
		}
		return bodies
	}
}

// settle runs a worker until every record is handled or given up, and returns
// what has arrived at the place.
func settle(t *testing.T, rig *streamtest.Rig, where place, handle func([]shard.Record) error, change ...func(*consumer.Config)) []string {
	t.Helper()
	to, arrived := where(rig)
	all := append([]func(*consumer.Config){func(c *consumer.Config) {
		c.OnFailure = to
		c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error { return handle(b.Records) })
	}}, change...)
	rig.Start("w", all...)
	rig.Await("everything is settled", rig.AllDone)
	return arrived()
}

// one is the only message that arrived.
func one(t *testing.T, bodies []string) string {
	t.Helper()
	if len(bodies) != 1 {
		t.Fatalf("%d messages arrived, want 1", len(bodies))
	}
	return bodies[0]
}

func retries(n int) func(*consumer.Config) {
	return func(c *consumer.Config) { c.MaximumRetryAttempts = batching.AtMost(n) }
}

func tooOld(c *consumer.Config) { c.MaximumRecordAge = time.Minute }

func bisect(c *consumer.Config) { c.BisectBatchOnError = true }

func boom([]shard.Record) error { return errors.New("boom") }

// from names the record with a payload as the first that is not done.
func from(records []shard.Record, data string) error {
	for i := range records {
		if string(records[i].Data) == data {
			return batching.FailFrom(&records[i], errors.New("boom"))
		}
	}
	return nil
}

func alike(text string) string {
	for _, v := range varying {
		text = v.is.ReplaceAllString(text, v.as)
	}
	return text
}

// lambdas is what Lambda was recorded to send, alike, in its order.
func lambdas(condition string, count int, response, info, at string, size int) string {
	return fmt.Sprintf(`{"requestContext":{"requestId":"<uuid>","functionArn":"arn:towpath:consumer:us-east-1:000000000000:clickstream",`+
		`"condition":"%s","approximateInvokeCount":%d},%s"version":"1.0","timestamp":"<time.ms>",`+
		`"%s":{"shardId":"<shard>","startSequenceNumber":"<number>","endSequenceNumber":"<number>",`+
		`"approximateArrivalOfFirstRecord":"%s","approximateArrivalOfLastRecord":"%s","batchSize":%d,"streamArn":"<arn>"}`,
		condition, count, response, info, at, at, size)
}

// wantDocument compares what arrived with what Lambda would have sent, and
// returns the records of its payload.
func wantDocument(t *testing.T, body, want string) []json.RawMessage {
	t.Helper()
	head, _, found := strings.Cut(body, `,"payload":`)
	if got := alike(head); !found || got != want {
		t.Errorf("what was sent is\n%s\nwant\n%s", got, want)
	}
	var document struct{ Payload string } // a string, with the event's JSON in it
	var event struct{ Records []json.RawMessage }
	if err := errors.Join(json.Unmarshal([]byte(body), &document), json.Unmarshal([]byte(document.Payload), &event)); err != nil {
		t.Fatalf("read %s: %v", body, err)
	}
	return event.Records
}

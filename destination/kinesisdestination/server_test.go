package kinesisdestination_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

func TestStreamIsADestinationOnAServer(t *testing.T) {
	client := kinesis.NewFromConfig(servertest.Config(t, "kinesis"))
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		name := makeStream(t, client)
		return destinationtest.Rig{
			Destination: kinesisdestination.Open(client, name),
			MaxBytes:    destination.MaxKinesisBytes - len("shardId-000000000007"),
			Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
				for _, r := range readAll(t, client, name) {
					all = append(all, destinationtest.Accepted{Body: r.Data})
				}
				return all
			},
		}
	})
}

func TestStreamIsAPublisherOnAServer(t *testing.T) {
	client := kinesis.NewFromConfig(servertest.Config(t, "kinesis"))
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		name := makeStream(t, client)
		return destinationtest.PublisherRig{
			Publisher: kinesisdestination.Open(client, name, func(o *kinesisdestination.Options) { o.Document = true }),
			MaxBytes:  destination.MaxKinesisBytes, BatchLimit: 500, Attributed: true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				for _, r := range readAll(t, client, name) {
					p := destinationtest.Unwrap(t, destination.FormDocument, r.Data, nil)
					p.Bytes = len(r.Data) + len(*r.PartitionKey)
					all = append(all, p)
				}
				return all
			},
		}
	})
}

// makeStream makes a stream of one shard, so that there is one order.
func makeStream(t *testing.T, client *kinesis.Client) string {
	t.Helper()
	name := fmt.Sprint("sink-", time.Now().UnixNano())
	_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
	if err == nil {
		err = kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second }).
			Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &name}, time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = client.DeleteStream(context.WithoutCancel(t.Context()), &kinesis.DeleteStreamInput{StreamName: &name})
	})
	return name
}

func readAll(t *testing.T, client *kinesis.Client, name string) (all []types.Record) {
	t.Helper()
	iterator, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: &name, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	for next := iterator.ShardIterator; ; {
		page, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
		if err != nil {
			t.Fatal(err)
		}
		all, next = append(all, page.Records...), page.NextShardIterator
		if len(page.Records) == 0 && aws.ToInt64(page.MillisBehindLatest) == 0 {
			return all
		}
	}
}

// What is put in aggregates is a publisher's work all the same, once it is taken
// apart.
func TestAggregatingStreamIsAPublisherOnAServer(t *testing.T) {
	client := kinesis.NewFromConfig(servertest.Config(t, "kinesis"))
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		name := makeStream(t, client)
		return destinationtest.PublisherRig{
			Publisher: kinesisdestination.Open(client, name, func(o *kinesisdestination.Options) { o.Document, o.Aggregate = true, 20_000 }),
			MaxBytes:  destination.MaxKinesisBytes, Attributed: true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				var put []kinesisfake.Record
				for _, r := range readAll(t, client, name) {
					put = append(put, kinesisfake.Record{SequenceNumber: *r.SequenceNumber, PartitionKey: *r.PartitionKey, Data: r.Data})
				}
				records, _ := users(t, put)
				for _, r := range records {
					p := destinationtest.Unwrap(t, destination.FormDocument, r.Data, nil)
					p.Bytes = len(r.Data) + len(r.PartitionKey)
					all = append(all, p)
				}
				return all
			},
		}
	})
}

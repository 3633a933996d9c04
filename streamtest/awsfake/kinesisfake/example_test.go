package kinesisfake_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// The last answer of a split shard has its last records and its children.
func ExampleService_Split() {
	fake := awsfake.New()
	stream := fake.Kinesis()
	_ = stream.CreateStream("clicks", 1)
	_, _, _ = stream.Put("clicks", "alice", []byte("before the split"))
	_, _, _ = stream.Split("clicks", "shardId-000000000000")

	ctx := context.Background()
	client := kinesis.NewFromConfig(fake.Config("worker-1"))
	at, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName:        aws.String("clicks"),
		ShardId:           aws.String("shardId-000000000000"),
		ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s; ended: %v\n", page.Records[0].Data, page.NextShardIterator == nil)
	for _, child := range page.ChildShards {
		fmt.Println(*child.ShardId, "of", child.ParentShards)
	}
	// Output:
	// before the split; ended: true
	// shardId-000000000001 of [shardId-000000000000]
	// shardId-000000000002 of [shardId-000000000000]
}

// Records is everything ever put, also what can no longer be read: what a test
// compares its own list with.
func ExampleService_Records() {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stream := kinesisfake.New(func() time.Time { return clock })
	_ = stream.CreateStream("clicks", 1)
	_, _, _ = stream.Put("clicks", "alice", []byte("old"))
	clock = clock.Add(25 * time.Hour)
	_, _, _ = stream.Put("clicks", "alice", []byte("new"))

	for _, r := range stream.Records("clicks") {
		fmt.Printf("%s, trimmed: %v\n", r.Data, r.Trimmed)
	}
	// Output:
	// old, trimmed: true
	// new, trimmed: false
}

// A subscription is pushed what is put, until five minutes have passed or a test
// says otherwise; then it goes on from its continuation.
func ExampleService_EndSubscriptions() {
	fake := awsfake.New(awsfake.WithKinesis(kinesisfake.WithTakeOver(0), kinesisfake.WithReadLimits(false)))
	stream := fake.Kinesis()
	_ = stream.CreateStream("clicks", 1)
	consumer, _ := stream.RegisterConsumer("clicks", "app")

	client := kinesis.NewFromConfig(fake.Config("worker-1"))
	from := &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	for _, data := range []string{"one", "two"} {
		_, _, _ = stream.Put("clicks", "alice", []byte(data))
		out, err := client.SubscribeToShard(context.Background(), &kinesis.SubscribeToShardInput{
			ConsumerARN:      &consumer,
			ShardId:          aws.String("shardId-000000000000"),
			StartingPosition: from,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		event := (<-out.GetStream().Events()).(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value
		fmt.Printf("%s\n", event.Records[0].Data)
		from = &types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: event.ContinuationSequenceNumber}

		stream.EndSubscriptions("clicks", "app", "")
		_, more := <-out.GetStream().Events()
		fmt.Println("goes on:", more)
		_ = out.GetStream().Close()
	}
	// Output:
	// one
	// goes on: false
	// two
	// goes on: false
}

package awsfake_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// A stream is filled without the protocol and read with the SDK's own client.
func ExampleNew() {
	fake := awsfake.New()
	_ = fake.Kinesis().CreateStream("clicks", 1)
	_, _, _ = fake.Kinesis().Put("clicks", "alice", []byte("bought a lamp"))

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
	for _, r := range page.Records {
		fmt.Printf("%s %s\n", *r.PartitionKey, r.Data)
	}
	// Output: alice bought a lamp
}

// A partition of one worker from one service takes two lines.
func ExampleAWS_Cut() {
	fake := awsfake.New()
	_ = fake.Kinesis().CreateStream("clicks", 1)
	list := func(worker string) string {
		config := fake.Config(worker)
		config.RetryMaxAttempts = 1
		_, err := kinesis.NewFromConfig(config).ListShards(context.Background(), &kinesis.ListShardsInput{StreamName: aws.String("clicks")})
		if err != nil {
			return "cut off"
		}
		return "connected"
	}

	heal := fake.Cut("worker-1", "kinesis")
	fmt.Println(list("worker-1"), "/", list("worker-2"))
	heal()
	fmt.Println(list("worker-1"), "/", list("worker-2"))
	// Output:
	// cut off / connected
	// connected / connected
}

// The third answer of every worker is lost, though the call was applied.
func ExampleAWS_Intercept() {
	fake := awsfake.New()
	_ = fake.Kinesis().CreateStream("clicks", 1)
	fake.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Operation == "PutRecord" && fake.Count(c.Caller, c.Service, c.Operation) == 3 {
			return awsfake.LoseAnswer()
		}
		return awsfake.Fault{}
	})

	client := kinesis.NewFromConfig(fake.Config("producer"))
	for range 3 {
		_, err := client.PutRecord(context.Background(), &kinesis.PutRecordInput{
			StreamName: aws.String("clicks"), PartitionKey: aws.String("k"), Data: []byte("x"),
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(len(fake.Kinesis().Records("clicks")), "records, for the client tried again")
	// Output: 4 records, for the client tried again
}

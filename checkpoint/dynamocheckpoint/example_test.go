package dynamocheckpoint_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// Clicks are counted exactly once a page: the counts are written in one
// transaction with the checkpoint.
func ExampleTx() {
	ctx := context.Background()
	fake := awsfake.New()
	if err := fake.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		fake.Kinesis().Put("clicks", "/home", nil)
		fake.Kinesis().Put("clicks", "/cart", nil)
	}
	cfg := fake.Config("worker")
	client := dynamodb.NewFromConfig(cfg)
	if _, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("pages"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("page"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("page"), KeyType: types.KeyTypeHash}},
	}); err != nil {
		log.Fatal(err)
	}

	count := func(_ context.Context, batch *batching.Batch) error {
		clicks := map[string]int{} // no item may be twice in a transaction
		for i := range batch.Records {
			clicks[batch.Records[i].PartitionKey]++
		}
		tx := dynamocheckpoint.Tx(batch)
		for page, n := range clicks {
			tx.Update(types.Update{
				TableName:                 aws.String("pages"),
				Key:                       map[string]types.AttributeValue{"page": &types.AttributeValueMemberS{Value: page}},
				UpdateExpression:          aws.String("ADD clicks :n"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberN{Value: fmt.Sprint(n)}},
			})
		}
		return nil
	}
	c, err := consumer.New(consumer.Config{
		Name:      "clickstream",
		Source:    kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks"),
		Leases:    dynamocheckpoint.Open(client, "clickstream", func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler:   consumer.HandlerFunc(count),
		BatchSize: 99, // what one transaction takes
		Until:     consumer.CaughtUp(),
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	for _, page := range fake.DynamoDB().Items("pages") {
		fmt.Println(page["page"].Text(), page["clicks"].Text())
	}
	// Unordered output:
	// /home 3
	// /cart 3
}

// A state that does not fit an item of DynamoDB stands in a bucket, and its row
// refers to it.
func ExampleS3Overflow() {
	ctx := context.Background()
	fake := awsfake.New()
	fake.Handle("dynamodb", dynamofake.New(time.Now))
	if err := fake.S3().CreateBucket("states"); err != nil {
		log.Fatal(err)
	}
	cfg := fake.Config("anna")
	table := dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "clickstream", func(o *dynamocheckpoint.Options) {
		o.CreateTables = true
		o.Overflow = dynamocheckpoint.S3Overflow(s3.NewFromConfig(cfg), "states", "clickstream")
	})
	if err := table.Prepare(ctx, shard.Stream{ARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"}); err != nil {
		log.Fatal(err)
	}
	if err := table.PrepareStates(ctx); err != nil {
		log.Fatal(err)
	}
	run, _ := table.Begin(ctx)
	table.Create(ctx, run, []shard.Lease{{Key: "shardId-000000000000"}})
	free, _ := table.Get(ctx, "shardId-000000000000")
	held, _ := table.Take(ctx, free, "anna", "")

	held, err := table.Save(ctx, held, "anna", checkpoint.Progress{
		Position: shard.After("4959", 0),
		States:   map[string][]byte{"": bytes.Repeat([]byte("sum"), 200_000)},
	})
	fmt.Println(held, err)
	state, err := table.State(ctx, held, "")
	fmt.Println(len(state), "bytes,", err, "in", len(fake.S3().Objects("states")), "object")
	// Output:
	// shardId-000000000000 anna #2 at 4959 <nil>
	// 600000 bytes, <nil> in 1 object
}

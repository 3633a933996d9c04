package dynamoshards_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// A program gives the source to consumer.Config, and
// consumer.EachRecord(dynamoshards.Codec{}, …) as the handler. Here a shard is
// read by hand, of a table in memory.
func ExampleOpen() {
	ctx := context.Background()
	cloud := awsfake.New()
	_, err := dynamodb.NewFromConfig(cloud.Config("shop")).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: new("orders"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, state := range []string{"paid", "sent"} {
		order := dynamofake.Item{"id": dynamofake.S("o-1"), "state": dynamofake.S(state)}
		if err := cloud.DynamoDB().Put("orders", order); err != nil {
			log.Fatal(err)
		}
	}

	source := dynamoshards.Open(dynamodbstreams.NewFromConfig(cloud.Config("worker")), "orders")
	stream, err := source.Describe(ctx)
	if err != nil {
		log.Fatal(err)
	}
	shards, err := source.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	reader := source.Open(shard.Start{Stream: stream, Shard: shards[0].ID, After: shard.TrimHorizon()})
	if err := reader.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	chunk, err := reader.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for i := range chunk.Records {
		change, err := dynamoshards.Decode(&chunk.Records[i])
		if err != nil {
			log.Fatal(err)
		}
		state := change.NewImage["state"].(*types.AttributeValueMemberS)
		fmt.Println(change.EventName, chunk.Records[i].PartitionKey, state.Value)
	}
	// Output:
	// INSERT {"id":{"S":"o-1"}} paid
	// MODIFY {"id":{"S":"o-1"}} sent
}

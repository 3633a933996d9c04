package towpath_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

func index(_ context.Context, item map[string]types.AttributeValue) error {
	_, err := fmt.Println("index", item["id"].(*types.AttributeValueMemberS).Value)
	return err
}

func archive(_ context.Context, item map[string]types.AttributeValue) error {
	_, err := fmt.Println("archive", item["id"].(*types.AttributeValueMemberS).Value)
	return err
}

// indexOrders is what docs/dynamodb-streams.md shows.
func indexOrders(cfg aws.Config) (*consumer.Consumer, error) {
	source := dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), "orders")
	handler := consumer.EachRecord(dynamoshards.Codec{}, func(ctx context.Context, _ *shard.Record, change dynamoshards.Change) error {
		if change.EventName == dynamoshards.Remove && change.Expired() {
			return archive(ctx, change.OldImage)
		}
		return index(ctx, change.NewImage)
	})
	leases := dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "order-index", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	return consumer.New(consumer.Config{
		Name: "order-index", Source: source, Leases: leases, Handler: handler, Until: consumer.CaughtUp(),
		Logger: slog.New(slog.DiscardHandler),
	})
}

// The changes of a table are handled in order, here until all have been.
func Example_dynamoDBStream() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud := awsfake.New()
	_, err := dynamodb.NewFromConfig(cloud.Config("shop")).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("orders"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		log.Fatal(err)
	}
	order := dynamofake.Item{"id": dynamofake.S("o-1")}
	if err := cloud.DynamoDB().Put("orders", order); err != nil {
		log.Fatal(err)
	}
	if err := cloud.DynamoDB().Rollover("orders"); err != nil {
		log.Fatal(err)
	}
	if err := cloud.DynamoDB().Expire("orders", order); err != nil {
		log.Fatal(err)
	}
	c, err := indexOrders(cloud.Config("worker"))
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// index o-1
	// archive o-1
}

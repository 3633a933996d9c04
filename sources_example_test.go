package towpath_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/streams"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// Two streams, one of them of another account, and the stream of a table are read
// by one consumer.
func Example_manyStreams() {
	ours, partner := awsfake.New(), awsfake.New()
	for cloud, stream := range map[*awsfake.AWS]string{ours: "clicks", partner: "visits"} {
		if err := cloud.Kinesis().CreateStream(stream, 1); err != nil {
			log.Fatal(err)
		}
		if _, _, err := cloud.Kinesis().Put(stream, "ada", []byte("/lamps")); err != nil {
			log.Fatal(err)
		}
	}
	ordersTable(ours)
	cfg := ours.Config("worker")
	client, theirs := kinesis.NewFromConfig(cfg), kinesis.NewFromConfig(partner.Config("worker"))
	tableStreams := dynamodbstreams.NewFromConfig(cfg)

	source := streams.Of([]shard.Source{
		kinesisshards.Open(client, "clicks"),
		kinesisshards.Open(theirs, "arn:aws:kinesis:us-east-1:000000000000:stream/visits"),
		dynamoshards.Open(tableStreams, "orders"),
	})
	handled := make(chan string, 10)
	c, err := consumer.New(consumer.Config{
		Name:   "clickstream",
		Source: source,
		Leases: checkpointtest.NewTable(),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			handled <- fmt.Sprint(len(b.Records), " of ", b.Stream)
			return nil
		}),
		Until:  consumer.CaughtUp(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	close(handled)
	fmt.Println(len(handled), "batches")
	// Output: 3 batches
}

// ordersTable makes a table with a stream, and a change.
func ordersTable(cloud *awsfake.AWS) {
	_, err := dynamodb.NewFromConfig(cloud.Config("shop")).CreateTable(context.Background(), &dynamodb.CreateTableInput{
		TableName: aws.String("orders"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := cloud.DynamoDB().Put("orders", dynamofake.Item{"id": dynamofake.S("o-1")}); err != nil {
		log.Fatal(err)
	}
}

// registry is where an application asks which streams it is to read.
type registry struct {
	client *kinesis.Client
	names  []string
}

func (r registry) Streams(context.Context) (sources []shard.Source, _ error) {
	for _, name := range r.names {
		sources = append(sources, kinesisshards.Open(r.client, name))
	}
	return sources, nil
}

// Which streams there are is asked every minute.
func Example_streamsThatComeAndGo() {
	cloud := awsfake.New()
	tenants := registry{kinesis.NewFromConfig(cloud.Config("worker")), []string{"anna", "bert"}}
	for _, stream := range tenants.names {
		if err := cloud.Kinesis().CreateStream(stream, 1); err != nil {
			log.Fatal(err)
		}
	}
	source := streams.Ask(func(ctx context.Context) ([]shard.Source, error) { return tenants.Streams(ctx) })
	if _, err := source.Describe(context.Background()); err != nil {
		log.Fatal(err)
	}
	for _, m := range source.Members() {
		fmt.Println(m.Key.Name)
	}
	// Output:
	// anna
	// bert
}

// fannedOut is what docs/fanout.md shows.
func fannedOut(cfg aws.Config) shard.Source {
	source := kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks", func(o *kinesisshards.Options) {
		o.FanOut = &kinesisshards.FanOut{Consumer: "clickstream"}
	})
	return source
}

// Each shard is subscribed to, and polled while it cannot be.
func Example_fanOut() {
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	if _, _, err := cloud.Kinesis().Put("clicks", "ada", []byte(`{"Visitor":"ada","Page":"/lamps"}`)); err != nil {
		log.Fatal(err)
	}
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: fannedOut(cloud.Config("worker")), Leases: checkpointtest.NewTable(),
		Handler: consumer.Each(store), Until: consumer.CaughtUp(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Run(context.Background()))
	fmt.Println(cloud.Count("worker", "kinesis", "RegisterStreamConsumer"), "consumer was registered")
	// Output:
	// ada /lamps
	// <nil>
	// 1 consumer was registered
}

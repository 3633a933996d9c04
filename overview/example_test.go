package overview_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A picture of an application: its stream has been split, and one worker is at
// work that has died since.
func ExampleLook() {
	ctx := context.Background()
	aws := awsfake.New() // instead of the account's
	cfg := aws.Config("operator")
	source := kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks")
	table := dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "clickstream", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	if err := scene(ctx, aws, source, table); err != nil {
		log.Fatal(err)
	}

	fleet, err := overview.Look(ctx, overview.Config{Tables: table, Source: source})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range fleet.Shards {
		fmt.Printf("%s %.0f%% of the keys: %s %v\n", s.ID, 100*s.Part, s.State, s.WaitsFor)
	}
	for _, p := range fleet.Problems {
		fmt.Println(p.Kind, p.Shard)
	}
	// Output:
	// shardId-000000000000 100% of the keys: orphaned []
	// shardId-000000000001 50% of the keys: to come [shardId-000000000000]
	// shardId-000000000002 50% of the keys: to come [shardId-000000000000]
	// owner_gone shardId-000000000000
}

// scene makes what the example looks at.
func scene(ctx context.Context, aws *awsfake.AWS, source shard.Source, table *dynamocheckpoint.Table) error {
	if err := aws.Kinesis().CreateStream("clicks", 1); err != nil {
		return err
	}
	if _, _, err := aws.Kinesis().Split("clicks", "shardId-000000000000"); err != nil {
		return err
	}
	stream, err := source.Describe(ctx)
	if err != nil {
		return err
	}
	if err := table.Prepare(ctx, stream); err != nil {
		return err
	}
	epoch, err := table.Begin(ctx)
	if err != nil {
		return err
	}
	rows := []shard.Lease{{Key: "shardId-000000000000", Shard: "shardId-000000000000", StreamCreated: stream.CreatedAt}}
	if err := table.Create(ctx, epoch, rows); err != nil {
		return err
	}
	row, err := table.Get(ctx, "shardId-000000000000")
	if err != nil {
		return err
	}
	_, err = table.Take(ctx, row, "pod-7/0123456789abcdef", "")
	return err
}

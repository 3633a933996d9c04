package dynamocheckpoint_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// TestTableKeepsTheContract runs the suite over the AWS in the process.
func TestTableKeepsTheContract(t *testing.T) {
	fake := func() *dynamodb.Client { return wired("anna") }
	checkpointtest.RunLeases(t, func(t *testing.T) checkpoint.Leases { return open(t, fake()) })
	checkpointtest.RunParking(t, func(t *testing.T) checkpoint.Leases { return open(t, fake()) })
	checkpointtest.RunRenewer(t, func(t *testing.T) checkpoint.Leases { return open(t, fake()) })
	checkpointtest.RunStates(t, func(t *testing.T) checkpoint.Leases { return open(t, fake()) })
	table := open(t, fake())
	claimsOnce(t, table)
	usesAnEpochOnce(t, table)
}

// The tables are made at the first start. A second worker cannot write what it
// does not hold.
func ExampleOpen() {
	ctx := context.Background()
	client := wired("worker")
	table := dynamocheckpoint.Open(client, "clickstream", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	if err := table.Prepare(ctx, shard.Stream{ARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"}); err != nil {
		fmt.Println(err)
		return
	}

	run, _ := table.Begin(ctx)
	table.Create(ctx, run, []shard.Lease{{Key: "shardId-000000000000", Checkpoint: shard.TrimHorizon()}})
	free, _ := table.Get(ctx, "shardId-000000000000")
	held, _ := table.Take(ctx, free, "anna", "")
	held, _ = table.Save(ctx, held, "anna", checkpoint.Progress{Position: shard.After("4959", 0)})
	fmt.Println(held)

	_, err := table.Save(ctx, held, "bert", checkpoint.Progress{Position: shard.After("4960", 0)})
	fmt.Println(errors.Is(err, checkpoint.ErrFenced))
	// Output:
	// shardId-000000000000 anna #2 at 4959
	// true
}

// wired is a client of a DynamoDB of its own in the process.
func wired(caller string) *dynamodb.Client {
	aws := awsfake.New()
	aws.Handle("dynamodb", dynamofake.New(time.Now))
	return dynamodb.NewFromConfig(aws.Config(caller))
}

package kinesisshards_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A program gives the source to consumer.Config. Here a shard is read by hand,
// from a stream in memory.
func ExampleOpen() {
	ctx := context.Background()
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	for _, page := range []string{"/", "/docs"} {
		if _, _, err := cloud.Kinesis().Put("clicks", "alice", []byte(page)); err != nil {
			log.Fatal(err)
		}
	}

	source := kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("worker")), "clicks")
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
	for _, r := range chunk.Records {
		fmt.Printf("%s %s\n", r.PartitionKey, r.Data)
	}
	// Output:
	// alice /
	// alice /docs
}

// What the Kinesis Producer Library has put into one record is delivered as the
// records that it is of: of one sequence number, and each with its own key.
func ExampleOpen_aggregated() {
	ctx := context.Background()
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	producer := kpl.Aggregator{Mixed: true}
	for _, user := range []string{"alice", "bob", "alice"} {
		producer.Add(kpl.User{PartitionKey: user, Data: []byte("/docs")})
	}
	put := producer.Flush()
	if _, _, err := cloud.Kinesis().Put("clicks", put.PartitionKey, put.Data); err != nil {
		log.Fatal(err)
	}

	source := kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("worker")), "clicks", func(o *kinesisshards.Options) {
		o.Aggregated = kpl.Report // the default is kpl.Deliver
	})
	shards, err := source.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	reader := source.Open(shard.Start{Shard: shards[0].ID, Hashes: shards[0].Hashes, After: shard.TrimHorizon()})
	chunk, err := reader.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range chunk.Records {
		fmt.Printf("%d: %s %s\n", r.Sub, r.PartitionKey, r.Data)
	}
	fmt.Println(chunk.Aggregates.Outside, "outside the shard")
	// Output:
	// 0: alice /docs
	// 1: bob /docs
	// 2: alice /docs
	// 0 outside the shard
}

// With fan-out the service pushes records. The consumer is registered when it is
// missing; this one is there. A program gives the source to consumer.Config,
// which closes its readers.
func ExampleFanOut() {
	ctx := context.Background()
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	if _, err := cloud.Kinesis().RegisterConsumer("clicks", "clickstream"); err != nil {
		log.Fatal(err)
	}

	source := kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("worker")), "clicks", func(o *kinesisshards.Options) {
		o.FanOut = &kinesisshards.FanOut{
			Consumer: "clickstream",
			Tell:     func(e kinesisshards.FanOutEvent) { fmt.Println(e.Shard, e.What) },
		}
	})
	stream, err := source.Describe(ctx)
	if err != nil {
		log.Fatal(err)
	}
	reader := source.Open(shard.Start{Stream: stream, Shard: "shardId-000000000000", After: shard.TrimHorizon()})
	defer reader.(io.Closer).Close()
	if _, _, err := cloud.Kinesis().Put("clicks", "alice", []byte("/")); err != nil {
		log.Fatal(err)
	}
	if err := reader.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	chunk, err := reader.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range chunk.Records {
		fmt.Printf("%s %s\n", r.PartitionKey, r.Data)
	}
	fmt.Println("by polling:", cloud.Count("worker", "kinesis", "GetRecords"))
	// Output:
	// shardId-000000000000 subscribed
	// alice /
	// by polling: 0
}

// Pooled lends a handler its payloads: what it keeps it copies. A test that reads
// with Poison sees a handler that does not.
func ExampleOptions_pooled() {
	ctx := context.Background()
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	if _, _, err := cloud.Kinesis().Put("clicks", "alice", []byte("/docs")); err != nil {
		log.Fatal(err)
	}
	source := kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("worker")), "clicks", func(o *kinesisshards.Options) {
		o.Pooled, o.Poison = true, true
		o.CBOR = true // which spares the base64 as well
	})
	stream, err := source.Describe(ctx)
	if err != nil {
		log.Fatal(err)
	}
	reader := source.Open(shard.Start{Stream: stream, Shard: "shardId-000000000000", After: shard.TrimHorizon()})
	chunk, err := reader.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	record := chunk.Records[0]
	kept, copied := record.Data, string(record.Data)
	chunk.Release() // the engine does so when the handler has finished every record
	fmt.Printf("copied: %s\nkept:   %x\n", copied, kept)
	// Output:
	// copied: /docs
	// kept:   dbdbdbdbdb
}

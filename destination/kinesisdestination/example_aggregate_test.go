package kinesisdestination_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A handler emits a thousand records of two keys: they take two records of the
// stream. A program gives the destination to consumer.Config as EmitTo.
func ExampleOpen_aggregate() {
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("sessions", 4); err != nil {
		log.Fatal(err)
	}
	sessions := kinesisdestination.Open(kinesis.NewFromConfig(cloud.Config("worker")), "sessions", func(o *kinesisdestination.Options) {
		o.Aggregate = 51_200
	})
	var emitted []batching.Emitted
	for i := range 1_000 {
		emitted = append(emitted, batching.Emitted{ID: fmt.Sprint(i), Key: []string{"alice", "bob"}[i%2], Data: []byte("a session")})
	}
	if err := sessions.Publish(context.Background(), emitted); err != nil {
		log.Fatal(err)
	}
	for _, r := range cloud.Kinesis().Records("sessions") {
		fmt.Println(r.PartitionKey, len(r.Data), "bytes")
	}
	// Output:
	// alice 7527 bytes
	// bob 7525 bytes
}

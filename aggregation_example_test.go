package towpath_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// What docs/aggregation.md shows.
func Example_aggregatedSessions() {
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("sessions", 4); err != nil {
		log.Fatal(err)
	}
	client := kinesis.NewFromConfig(cloud.Config("worker"))
	sessions := kinesisdestination.Open(client, "sessions", func(o *kinesisdestination.Options) {
		o.Aggregate = 51_200 // bytes; the KPL's own size
	})
	var emitted []batching.Emitted
	for i := range 10 {
		emitted = append(emitted, batching.Emitted{ID: fmt.Sprint(i), Key: []string{"alice", "bob"}[i%2], Data: fmt.Append(nil, i)})
	}
	if err := sessions.Publish(context.Background(), emitted); err != nil {
		log.Fatal(err)
	}
	for _, r := range cloud.Kinesis().Records("sessions") {
		aggregate, err := kpl.Decode(r.Data)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.PartitionKey, "has", aggregate.Len())
	}
	// Output:
	// alice has 5
	// bob has 5
}

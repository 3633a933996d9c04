package follow_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/follow"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The first three records of one key, read once a second at most, so that those
// who work the stream keep their share of its reads.
func ExampleRun() {
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 4); err != nil {
		log.Fatal(err)
	}
	for i := range 12 {
		if _, _, err := cloud.Kinesis().Put("clicks", fmt.Sprint("user-", i%3), fmt.Append(nil, "click ", i)); err != nil {
			log.Fatal(err)
		}
	}
	left := 3
	err := follow.Run(context.Background(), follow.Config{
		Source: kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("somebody")), "clicks", func(o *kinesisshards.Options) {
			o.ReadsPerSecond = 1
		}),
		Keyed: true, Key: "user-2",
		Take: func(_ context.Context, r *shard.Record) error {
			fmt.Printf("%s %s\n", r.PartitionKey, r.Data)
			if left--; left == 0 {
				return follow.ErrEnough
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// user-2 click 2
	// user-2 click 5
	// user-2 click 8
}

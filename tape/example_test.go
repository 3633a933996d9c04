package tape_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/tape"
)

// Two records are taped, and played into another stream at a hundred times the
// pace at which they arrived.
func Example() {
	var file strings.Builder
	lines := json.NewEncoder(&file)
	for i, page := range []string{"/", "/basket"} {
		err := lines.Encode(tape.EventOf(&shard.Record{
			Shard: "shardId-000000000000", Sequence: fmt.Sprint(1000 + i), PartitionKey: "user-1", Keyed: true,
			Data: []byte(page), ArrivedAt: time.Unix(1767225600+int64(i), 0),
		}))
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Print(file.String())

	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("copy", 1); err != nil {
		log.Fatal(err)
	}
	played, err := tape.Play(context.Background(), tape.Config{
		Events: tape.NewReader(strings.NewReader(file.String())).Next,
		Into:   tape.Into(kinesis.NewFromConfig(cloud.Config("player")), "copy"),
		Pace:   tape.Pace{Speed: 100},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(played.Put, "events were put")
	for _, r := range cloud.Kinesis().Records("copy") {
		fmt.Printf("%s %s\n", r.PartitionKey, r.Data)
	}
	// Output:
	// {"approximateArrivalTimestamp":1767225600,"shardId":"shardId-000000000000","sequenceNumber":"1000","partitionKey":"user-1","data":"Lw=="}
	// {"approximateArrivalTimestamp":1767225601,"shardId":"shardId-000000000000","sequenceNumber":"1001","partitionKey":"user-1","data":"L2Jhc2tldA=="}
	// 2 events were put
	// user-1 /
	// user-1 /basket
}

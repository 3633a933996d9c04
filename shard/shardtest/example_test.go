package shardtest_test

import (
	"context"
	"fmt"
	"log"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

func ExampleNewStream() {
	ctx := context.Background()
	stream := shardtest.NewStream(1)
	stream.Put("alice", []byte("before the split"))
	if _, _, err := stream.Split("shardId-000000000000"); err != nil {
		log.Fatal(err)
	}

	chunk, err := stream.Open(shard.Start{Shard: "shardId-000000000000"}).Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, ended: %t\n", chunk.Records[0].Data, chunk.Ended)
	for _, child := range chunk.Children {
		fmt.Println(child.ID, "after", child.Parents[0])
	}
	// Output:
	// before the split, ended: true
	// shardId-000000000001 after shardId-000000000000
	// shardId-000000000002 after shardId-000000000000
}

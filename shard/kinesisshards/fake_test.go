package kinesisshards_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestReadsASplitToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		if err := a.Kinesis().CreateStream("clicks", 1); err != nil {
			t.Fatal(err)
		}
		source := kinesisshards.Open(kinesis.NewFromConfig(a.Config("tester")), "clicks")
		stream, err := source.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		shards, err := source.List(t.Context())
		if err != nil || len(shards) != 1 {
			t.Fatal(shards, err)
		}
		for i := range 25000 {
			if _, _, err := a.Kinesis().Put("clicks", "k", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		reader := source.Open(shard.Start{Stream: stream, Shard: shards[0].ID})
		n := 0
		start := time.Now()
		for {
			if err := reader.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			chunk, err := reader.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range chunk.Records {
				if string(r.Data) != fmt.Sprint(n) {
					t.Fatalf("record %d is %s", n, r.Data)
				}
				n++
			}
			if n == 10000 {
				if _, _, err := a.Kinesis().Split("clicks", shards[0].ID); err != nil {
					t.Fatal(err)
				}
			}
			if chunk.Ended {
				t.Log(chunk.Children, n, time.Since(start))
				break
			}
		}
		if n != 25000 {
			t.Errorf("got %d records", n)
		}
	})
}

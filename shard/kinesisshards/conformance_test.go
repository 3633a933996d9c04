package kinesisshards_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a stream of the fake behind the SDK's client.
func rig(t *testing.T, options ...func(*kinesisshards.Options)) shardtest.Rig {
	const stream = "clicks"
	a := awsfake.New()
	r := rigOf(t, a, stream)
	client := kinesis.NewFromConfig(a.Config("tester"), func(o *kinesis.Options) { o.RetryMaxAttempts = 1 })
	failures := 0
	a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if failures == 0 || c.Operation != "GetRecords" {
			return awsfake.Fault{}
		}
		failures--
		return awsfake.Fail("InternalFailure", 500)
	})
	r.Source = kinesisshards.Open(client, stream, options...)
	r.Missing = kinesisshards.Open(client, "no-such-stream")
	r.Fail = func(_ *testing.T, n int) { failures = n }
	return r
}

// rigOf is what can be done to a stream of the fake that it makes.
func rigOf(t *testing.T, a *awsfake.AWS, stream string) shardtest.Rig {
	t.Helper()
	fake := a.Kinesis()
	must(t, fake.CreateStream(stream, 2))
	client := kinesis.NewFromConfig(a.Config("producer"))
	return shardtest.Rig{
		Put: func(t *testing.T, shardID, key string, data []byte) {
			for _, d := range fake.Shards(stream) {
				if d.ID == shardID {
					_, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{
						StreamName: &stream, PartitionKey: &key, Data: append([]byte{}, data...), ExplicitHashKey: &d.StartingHashKey,
					})
					must(t, err)
				}
			}
		},
		PutUnkeyed: func(t *testing.T, shardID string, data []byte) {
			_, err := fake.PutUnkeyed(stream, shardID, data)
			must(t, err)
		},
		Split: func(t *testing.T, shardID string) {
			_, _, err := fake.Split(stream, shardID)
			must(t, err)
		},
		Merge: func(t *testing.T, shardID, adjacent string) {
			_, err := fake.Merge(stream, shardID, adjacent)
			must(t, err)
		},
		Trim: func(t *testing.T, shardID string, n int) {
			for _, r := range fake.Records(stream) {
				if r.ShardID == shardID && !r.Trimmed {
					if n--; n == 0 {
						must(t, fake.Trim(stream, shardID, r.SequenceNumber))
					}
				}
			}
		},
		Largest: 10 << 20,
	}
}

func TestSourceKeepsItsPromisesOnTheFake(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig { return rig(t) })
}

func TestSourceKeepsItsPromisesInCBOR(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig { return rig(t, inCBOR, poisoned) })
}

func TestSourceKeepsItsPromisesPooled(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig { return rig(t, poisoned) })
}

package kinesisshards_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/shardtest"
)

// Only kinesis-local closes and keeps the parents of a split as Kinesis does.
func TestSourceKeepsItsPromisesOnServer(t *testing.T) {
	client := kinesis.NewFromConfig(servertest.Config(t, "kinesis"))
	shardtest.RunSource(t, func(t *testing.T) shardtest.Rig { return serverRig(t, client) })
}

// The servers called aws are ministack and LocalStack. Neither ends a subscription
// to a closed shard with the children, so that nothing is split or merged here.
// Each reader is a worker of its own, so that subscriptions pass from one to the
// next; without polling, nothing can come in another way.
func TestFanOutSourceKeepsItsPromisesOnServer(t *testing.T) {
	client := kinesis.NewFromConfig(servertest.Config(t, "aws"))
	shardtest.RunSource(t, func(t *testing.T) shardtest.Rig {
		r := serverRig(t, client)
		stream := r.Source.(*kinesisshards.Source)
		described, err := stream.Describe(t.Context())
		must(t, err)
		open := func() shard.Source { return kinesisshards.Open(client, described.ARN, fanOut(neverPoll)) }
		r.Source, r.Split, r.Merge = thereOnly{workers{open(), open}, stream}, nil, nil
		return r
	})
}

// thereOnly subscribes to shards that there are and polls others: LocalStack
// answers a subscription to one that there is not with an internal error.
type thereOnly struct {
	workers
	polling shard.Source
}

func (s thereOnly) Open(start shard.Start) shard.Reader {
	if shards, err := s.List(context.Background()); err == nil && !slices.ContainsFunc(shards, func(d shard.Shard) bool { return d.ID == start.Shard }) {
		return s.polling.Open(start)
	}
	return s.workers.Open(start)
}

// serverRig is a new stream of two shards on a server. Its retention and what is
// in it cannot be changed there.
func serverRig(t *testing.T, client *kinesis.Client) shardtest.Rig {
	t.Helper()
	ctx := t.Context()
	stream := "towpath-" + strings.ToLower(rand.Text()[:12])
	_, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: aws.Int32(2)})
	must(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx) // the test's own has ended by now
		if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &stream, EnforceConsumerDeletion: aws.Bool(true)}); err != nil {
			t.Errorf("delete %s: %v", stream, err)
		}
	})
	active := func(t *testing.T) {
		t.Helper()
		must(t, kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) {
			o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
		}).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &stream}, time.Minute))
	}
	active(t)
	source := kinesisshards.Open(client, stream)
	ranges := func(t *testing.T, shardID string) (d shard.Shard) {
		t.Helper()
		shards, err := source.List(t.Context())
		must(t, err)
		for _, d = range shards {
			if d.ID == shardID {
				return d
			}
		}
		t.Fatalf("%s is not listed", shardID)
		return d
	}
	known := map[string]shard.Shard{}
	return shardtest.Rig{
		Source:  source,
		Missing: kinesisshards.Open(client, stream+"-missing"),
		Put: func(t *testing.T, shardID, key string, data []byte) {
			t.Helper()
			if _, ok := known[shardID]; !ok {
				known[shardID] = ranges(t, shardID)
			}
			_, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{
				StreamName: &stream, PartitionKey: &key, Data: append([]byte{}, data...), ExplicitHashKey: aws.String(known[shardID].Hashes.Start),
			})
			must(t, err)
		},
		Split: func(t *testing.T, shardID string) {
			t.Helper()
			d := ranges(t, shardID)
			_, err := client.SplitShard(t.Context(), &kinesis.SplitShardInput{
				StreamName: &stream, ShardToSplit: &shardID, NewStartingHashKey: aws.String(middle(t, d.Hashes)),
			})
			must(t, err)
			active(t)
			waitClosed(t, client, stream, shardID)
		},
		Merge: func(t *testing.T, a, b string) {
			t.Helper()
			_, err := client.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: &stream, ShardToMerge: &a, AdjacentShardToMerge: &b})
			must(t, err)
			active(t)
			waitClosed(t, client, stream, a)
		},
	}
}

// waitClosed waits until a shard is listed as closed, for servers that say
// ACTIVE before they have begun.
func waitClosed(t *testing.T, client *kinesis.Client, stream, shardID string) {
	t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		out, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &stream})
		must(t, err)
		if closed(out.Shards, shardID) {
			tick.Stop()
			return
		}
	}
}

func closed(shards []types.Shard, id string) bool {
	for _, d := range shards {
		if *d.ShardId == id && d.SequenceNumberRange.EndingSequenceNumber != nil {
			return true
		}
	}
	return false
}

// middle is a hash in the middle of a range.
func middle(t *testing.T, r shard.HashRange) string {
	t.Helper()
	low, ok1 := new(big.Int).SetString(r.Start, 10)
	high, ok2 := new(big.Int).SetString(r.End, 10)
	if !ok1 || !ok2 {
		t.Fatalf("range %+v is not of two numbers", r)
	}
	sum := new(big.Int).Add(low, high)
	return sum.Rsh(sum, 1).String()
}

// Aggregates are taken apart as they come from a server, and a reader that begins
// within one goes on there.
func TestAggregatesAreUnpackedOnServer(t *testing.T) {
	rig := serverRig(t, kinesis.NewFromConfig(servertest.Config(t, "kinesis")))
	stream, err := rig.Source.Describe(t.Context())
	must(t, err)
	const shardID = "shardId-000000000000"
	rig.Put(t, shardID, "plain", []byte("before"))
	rig.Put(t, shardID, "a", aggregated("11", 20).Data)
	rig.Put(t, shardID, "plain", []byte("behind"))
	read := func(after shard.Position, want int) (records []shard.Record) {
		t.Helper()
		reader := rig.Source.Open(shard.Start{Stream: stream, Shard: shardID, After: after})
		for len(records) < want {
			must(t, reader.Ready(t.Context()))
			chunk, err := reader.Next(t.Context())
			must(t, err)
			records = append(records, chunk.Records...)
		}
		return records
	}
	all := read(shard.TrimHorizon(), 22)
	for i, r := range all[1:21] {
		if r.Sub != int64(i) || r.Sequence != all[1].Sequence || string(r.Data) != fmt.Sprint("11 has ", i) {
			t.Fatalf("user record %d is %+v", i, r)
		}
	}
	for _, at := range []int{0, 1, 8, 19, 20} {
		if got, want := positions(read(all[at].Position(), 21-at)), positions(all[at+1:]); got != want {
			t.Errorf("after %s came %s, want %s", all[at].Position(), got, want)
		}
	}
}

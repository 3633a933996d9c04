package main

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// makeStream makes the stream and the queue, and returns the queue's URL.
func (g *stage) makeStream(ctx context.Context) (string, error) {
	_, err := g.kinesisAPI.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String(streamName), ShardCount: aws.Int32(int32(g.shards))})
	if err != nil {
		return "", fmt.Errorf("make the stream: %w", err)
	}
	if err := kinesis.NewStreamExistsWaiter(g.kinesisAPI).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String(streamName)}, time.Minute); err != nil {
		return "", fmt.Errorf("wait for the stream: %w", err)
	}
	queue, err := g.sqsAPI.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("given-up")})
	if err != nil {
		return "", fmt.Errorf("make the queue: %w", err)
	}
	return *queue.QueueUrl, nil
}

// open is the open shards of the stream in the order of their ranges.
func (g *stage) open(ctx context.Context) ([]types.Shard, error) {
	in := &kinesis.ListShardsInput{StreamName: aws.String(streamName)}
	var open []types.Shard
	for {
		out, err := g.kinesisAPI.ListShards(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list the shards: %w", err)
		}
		for _, s := range out.Shards {
			if s.SequenceNumberRange.EndingSequenceNumber == nil {
				open = append(open, s)
			}
		}
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
	slices.SortFunc(open, func(a, b types.Shard) int { return first(a).Cmp(first(b)) })
	return open, nil
}

func first(s types.Shard) *big.Int { return number(s.HashKeyRange.StartingHashKey) }
func last(s types.Shard) *big.Int  { return number(s.HashKeyRange.EndingHashKey) }

func number(decimal *string) *big.Int {
	n, ok := new(big.Int).SetString(aws.ToString(decimal), 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// reshard splits the widest of some shards, or merges the narrowest of some
// neighbours, so that there are about as many as at the start; choose is below 1.
func (g *stage) reshard(ctx context.Context, choose float64) (string, error) {
	open, err := g.open(ctx)
	if err != nil {
		return "reshard", err
	}
	at := int(choose * 1e6)
	slack := max(1, g.shards/8)
	if len(open) > 1 && (len(open) >= g.shards+slack || len(open) > g.shards-slack && at%2 == 0) {
		i := at / 2 % (len(open) - 1)
		for range 8 { // a few neighbours, so that no shard grows and grows
			if j := (i + 1) % (len(open) - 1); width(open[j], open[j+1]).Cmp(width(open[i], open[i+1])) < 0 {
				i = j
			}
		}
		_, err = g.kinesisAPI.MergeShards(ctx, &kinesis.MergeShardsInput{
			StreamName: aws.String(streamName), ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId})
		return fmt.Sprintf("merged %s and %s", *open[i].ShardId, *open[i+1].ShardId), err
	}
	widest := open[at/2%len(open)]
	for k := range min(8, len(open)) {
		if s := open[(at/2+k)%len(open)]; width(s, s).Cmp(width(widest, widest)) > 0 {
			widest = s
		}
	}
	middle := new(big.Int).Add(first(widest), last(widest))
	_, err = g.kinesisAPI.SplitShard(ctx, &kinesis.SplitShardInput{
		StreamName: aws.String(streamName), ShardToSplit: widest.ShardId, NewStartingHashKey: aws.String(middle.Rsh(middle, 1).String())})
	return "split " + *widest.ShardId, err
}

func width(from, to types.Shard) *big.Int { return new(big.Int).Sub(last(to), first(from)) }

// A lease whose owner is dead is made again by the maintenance run, which may take
// minutes; a short run deletes those of the living.
const longRun = 10 * time.Minute

// deleteRow deletes a session or a lease by hand.
func (w *weather) deleteRow(ctx context.Context, r *rand.Rand) error {
	table, key := applicationName+"-sessions", "id"
	if r.IntN(2) == 0 {
		table, key = applicationName, "leaseKey"
	}
	choose := r.Float64()
	if key == "id" && w.kind == "kcl" {
		return nil // it keeps no sessions
	}
	out, err := w.dynamoAPI.Scan(ctx, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	var ids []string
	for _, item := range out.Items {
		id, _ := item[key].(*dynamotypes.AttributeValueMemberS)
		at, _ := item["checkpoint"].(*dynamotypes.AttributeValueMemberS)
		owner, _ := item["leaseOwner"].(*dynamotypes.AttributeValueMemberS)
		if key == "leaseKey" && w.duration < longRun && (owner == nil || !w.fleet.lives(owner.Value)) {
			continue
		}
		if id != nil && id.Value != "control" && (at == nil || at.Value != "SHARD_END") {
			ids = append(ids, id.Value)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	id := ids[int(choose*float64(len(ids)))]
	if key == "id" {
		name, _, _ := strings.Cut(id, "/")
		heal := w.watch.harm(name, now())
		w.after(leaseDuration, func(context.Context) error { heal(now()); return nil })
	} else {
		w.watch.upset[id] = now() + 3*leaseDuration
	}
	w.result.RowsDeleted++
	w.sayf("deleted %s of %s", id, table)
	_, err = w.dynamoAPI.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: map[string]dynamotypes.AttributeValue{
		key: &dynamotypes.AttributeValueMemberS{Value: id}}})
	if err != nil {
		return fmt.Errorf("delete %s of %s: %w", id, table, err)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// rows reads the lease table as towpath does; a row that it cannot believe is an
// error.
func (g *stage) rows(ctx context.Context) ([]shard.Lease, error) {
	rows, err := dynamocheckpoint.Open(g.dynamoAPI, g.application).List(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the lease table: %w", err)
	}
	var problems []error
	for _, row := range rows {
		if row.Fault != nil {
			problems = append(problems, fmt.Errorf("row %s: %w", row.Key, row.Fault))
		}
	}
	return rows, errors.Join(problems...)
}

// rowsOfJava has the library read the table; what it cannot read is an error.
func (g *stage) rowsOfJava() error {
	out, err := g.java("rows", "reader").CombinedOutput()
	if err != nil {
		return fmt.Errorf("the library reads the lease table: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "rows ") {
			return nil
		}
	}
	return fmt.Errorf("the library says nothing of the lease table: %s", out)
}

// makeStream makes a stream of four shards.
func (g *stage) makeStream(ctx context.Context) error {
	_, err := g.kinesisAPI.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &g.stream, ShardCount: aws.Int32(4)})
	if err != nil {
		return fmt.Errorf("make the stream: %w", err)
	}
	return kinesis.NewStreamExistsWaiter(g.kinesisAPI).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &g.stream}, failover*5)
}

// Between these many open shards the stream is kept.
const fewestShards, mostShards = 3, 7

// reshard splits a shard of the stream or merges two, whichever its size allows;
// choose is below 1.
func (g *stage) reshard(ctx context.Context, choose float64) (string, error) {
	out, err := g.kinesisAPI.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &g.stream})
	if err != nil {
		return "", fmt.Errorf("list the shards: %w", err)
	}
	var open []hashed
	for _, s := range out.Shards {
		if s.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, newHashed(s))
		}
	}
	sortByStart(open)
	at := int(choose * 1e6)
	if len(open) >= mostShards || len(open) > fewestShards && at%2 == 0 {
		i := at / 2 % (len(open) - 1)
		_, err = g.kinesisAPI.MergeShards(ctx, &kinesis.MergeShardsInput{
			StreamName: &g.stream, ShardToMerge: &open[i].id, AdjacentShardToMerge: &open[i+1].id})
		return fmt.Sprintf("merged %s and %s", open[i].id, open[i+1].id), err
	}
	widest := open[0]
	for _, s := range open {
		if s.width().Cmp(widest.width()) > 0 {
			widest = s
		}
	}
	_, err = g.kinesisAPI.SplitShard(ctx, &kinesis.SplitShardInput{
		StreamName: &g.stream, ShardToSplit: &widest.id, NewStartingHashKey: aws.String(widest.middle().String())})
	return "split " + widest.id, err
}

func newHashed(s types.Shard) hashed {
	return hashed{id: *s.ShardId, first: number(*s.HashKeyRange.StartingHashKey), last: number(*s.HashKeyRange.EndingHashKey)}
}

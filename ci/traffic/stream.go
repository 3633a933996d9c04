// Package traffic is a Kinesis stream as the programs use it that try fleets of
// processes on one: records are put until it has them, its shards are split and
// merged, and workers enter into a ledger what they handle of it.
package traffic

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// putPatience is how long a stream may take nothing before it is taken for dead,
// putTime how long one request may take.
const (
	putPatience = 2 * time.Minute
	putTime     = 30 * time.Second
)

// Stream is a stream, and a way to it that nothing disturbs.
type Stream struct {
	Name   string // in Kinesis
	client *kinesis.Client
}

// Open is the stream of that name at an endpoint.
func Open(name, endpoint string) Stream {
	return Stream{name, kinesis.NewFromConfig(awsfake.LoopbackConfig("producer", endpoint), func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })}
}

// Make makes the stream, and waits until it is there.
func (s Stream) Make(ctx context.Context, shards int) error {
	if _, err := s.client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.Name, ShardCount: aws.Int32(int32(shards))}); err != nil {
		return fmt.Errorf("make the stream: %w", err)
	}
	if err := kinesis.NewStreamExistsWaiter(s.client).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &s.Name}, time.Minute); err != nil {
		return fmt.Errorf("wait for the stream: %w", err)
	}
	return nil
}

// Put puts records, and those again that were refused, until the stream has all of
// them. It tells took where each stands, by its index. A request without an answer
// is put again as well: its records may then stand in the stream twice, which the
// audit recognises. A stream that takes nothing for two minutes is an error.
func (s Stream) Put(records []types.PutRecordsRequestEntry, took func(i int, at types.PutRecordsResultEntry)) error {
	left := make([]int, len(records)) // which are still to be put
	for i := range left {
		left[i] = i
	}
	for began := time.Now(); len(left) > 0; {
		ctx, cancel := context.WithTimeout(context.Background(), putTime)
		out, err := s.client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &s.Name, Records: records})
		cancel()
		switch {
		case err != nil && time.Since(began) > putPatience:
			return fmt.Errorf("put records for %v: %w", putPatience, err)
		case err != nil:
			time.Sleep(200 * time.Millisecond) // between two requests over the network
			continue
		}
		var again []types.PutRecordsRequestEntry
		var refused []int
		for i, at := range out.Records {
			if at.ErrorCode != nil {
				again, refused = append(again, records[i]), append(refused, left[i])
				continue
			}
			took(left[i], at)
		}
		records, left = again, refused
	}
	return nil
}

// open is the open shards in the order of their ranges.
func (s Stream) open(ctx context.Context) ([]types.Shard, error) {
	var open []types.Shard
	for in := (&kinesis.ListShardsInput{StreamName: &s.Name}); ; {
		out, err := s.client.ListShards(ctx, in)
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

// Reshard splits the widest of some shards, or merges the narrowest of some
// neighbours, so that there are from fewest to most; choose is below 1. It tells
// what it did.
func (s Stream) Reshard(ctx context.Context, fewest, most int, choose float64) (string, error) {
	open, err := s.open(ctx)
	if err != nil {
		return "reshard", err
	}
	at := int(choose * 1e6)
	if len(open) > 1 && (len(open) >= most || len(open) > fewest && at%2 == 0) {
		i := at / 2 % (len(open) - 1)
		for range 8 { // a few neighbours, so that no shard grows and grows
			if j := (i + 1) % (len(open) - 1); width(open[j], open[j+1]).Cmp(width(open[i], open[i+1])) < 0 {
				i = j
			}
		}
		_, err = s.client.MergeShards(ctx, &kinesis.MergeShardsInput{
			StreamName: &s.Name, ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId})
		return fmt.Sprintf("merged %s and %s", *open[i].ShardId, *open[i+1].ShardId), err
	}
	widest := open[at/2%len(open)]
	for k := range min(8, len(open)) {
		if s := open[(at/2+k)%len(open)]; width(s, s).Cmp(width(widest, widest)) > 0 {
			widest = s
		}
	}
	middle := new(big.Int).Add(first(widest), last(widest))
	_, err = s.client.SplitShard(ctx, &kinesis.SplitShardInput{
		StreamName: &s.Name, ShardToSplit: widest.ShardId, NewStartingHashKey: aws.String(middle.Rsh(middle, 1).String())})
	return "split " + *widest.ShardId, err
}

func width(from, to types.Shard) *big.Int { return new(big.Int).Sub(last(to), first(from)) }

func first(s types.Shard) *big.Int { return number(s.HashKeyRange.StartingHashKey) }
func last(s types.Shard) *big.Int  { return number(s.HashKeyRange.EndingHashKey) }

func number(decimal *string) *big.Int {
	n, ok := new(big.Int).SetString(aws.ToString(decimal), 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

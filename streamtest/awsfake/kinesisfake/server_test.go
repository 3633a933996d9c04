package kinesisfake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The same probe runs against the fake and against a server that others wrote,
// so that what the fake is trusted for is not only its own opinion.
//
// Not in the probe, because kinesis-local 0.6.2 answers otherwise while AWS does
// as the fake does: a sequence number of another shard, or no number at all, is
// refused; a child that is born in the second its parent ends still starts above
// its parent's ending number; a garbled iterator is refused, not a failure.

func TestFakeAnswersTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New(awsfake.WithLatency(2 * time.Millisecond))
		config := a.Config("probe")
		config.RetryMaxAttempts = 20 // the probe asks faster than the read limits allow
		probe(t, kinesis.NewFromConfig(config))
	})
}

func TestServerAnswersTheProbe(t *testing.T) {
	probe(t, kinesis.NewFromConfig(servertest.Config(t, "kinesis")))
}

// probing is a probe of one stream.
type probing struct {
	*testing.T
	client *kinesis.Client
	stream string
}

func probe(t *testing.T, client *kinesis.Client) {
	p := probing{t, client, fmt.Sprintf("probe-%d", time.Now().UnixNano())}
	_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &p.stream, ShardCount: aws.Int32(2)})
	p.must(err)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = client.DeleteStream(context.WithoutCancel(t.Context()), &kinesis.DeleteStreamInput{StreamName: &p.stream})
	})
	arn := p.settled()
	p.refusals(arn)
	p.positions(arn)
	p.split(arn)
	p.mergeAndScale()
}

func (p probing) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// settled waits until the stream is ACTIVE and tells its ARN.
func (p probing) settled() string {
	p.Helper()
	waiter := kinesis.NewStreamExistsWaiter(p.client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
	})
	out, err := waiter.WaitForOutput(p.Context(), &kinesis.DescribeStreamInput{StreamName: &p.stream}, 10*time.Second)
	p.must(err)
	return *out.StreamDescription.StreamARN
}

func (p probing) shards() []types.Shard {
	p.Helper()
	out, err := p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamName: &p.stream})
	p.must(err)
	return out.Shards
}

// ask is an iterator for a position in a shard.
func (p probing) ask(shard string, kind types.ShardIteratorType, sequence string) (*string, error) {
	in := kinesis.GetShardIteratorInput{StreamName: &p.stream, ShardId: &shard, ShardIteratorType: kind}
	if sequence != "" {
		in.StartingSequenceNumber = &sequence
	}
	out, err := p.client.GetShardIterator(p.Context(), &in)
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}

// drain reads from an iterator to the end of the shard or until a page is empty.
func (p probing) drain(iterator *string) (data []string, last *kinesis.GetRecordsOutput) {
	p.Helper()
	for {
		out, err := p.client.GetRecords(p.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(3)})
		p.must(err)
		for _, r := range out.Records {
			data = append(data, string(r.Data))
		}
		if out.NextShardIterator == nil || len(out.Records) == 0 {
			return data, out
		}
		iterator = out.NextShardIterator
	}
}

func (p probing) refusals(arn string) {
	p.Helper()
	_, err := p.client.CreateStream(p.Context(), &kinesis.CreateStreamInput{StreamName: &p.stream, ShardCount: aws.Int32(1)})
	refused(p.T, "created twice", err, "ResourceInUseException")
	_, err = p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamName: aws.String(p.stream + "x")})
	refused(p.T, "no such stream", err, "ResourceNotFoundException")
	_, err = p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamARN: aws.String(arn + "x")})
	refused(p.T, "no such ARN", err, "ResourceNotFoundException")
	_, err = p.ask("shardId-000000000009", types.ShardIteratorTypeLatest, "")
	refused(p.T, "no such shard", err, "ResourceNotFoundException")

	out, err := p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamARN: &arn, MaxResults: aws.Int32(1)})
	p.must(err)
	rest, err := p.client.ListShards(p.Context(), &kinesis.ListShardsInput{NextToken: out.NextToken})
	p.must(err)
	same(p.T, "two pages", append(numbers(out.Shards), numbers(rest.Shards)...), "[0 1]")
	_, err = p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamName: &p.stream, NextToken: out.NextToken})
	refused(p.T, "name and token", err, "InvalidArgumentException")
}

// positions puts ten records into the first shard and reads them from everywhere.
func (p probing) positions(arn string) {
	p.Helper()
	latest, err := p.ask("shardId-000000000000", types.ShardIteratorTypeLatest, "")
	p.must(err)
	var numbers []string
	for i := range 10 {
		out, err := p.client.PutRecord(p.Context(), &kinesis.PutRecordInput{
			StreamARN: &arn, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("5"), Data: []byte(fmt.Sprint(i)),
		})
		p.must(err)
		same(p.T, "shard of hash key 5", *out.ShardId, "shardId-000000000000")
		if n := len(numbers); n > 0 && *out.SequenceNumber <= numbers[n-1] {
			p.Errorf("%s after %s", *out.SequenceNumber, numbers[n-1])
		}
		same(p.T, "digits", len(*out.SequenceNumber), 56)
		numbers = append(numbers, *out.SequenceNumber)
	}
	for what, at := range map[string]struct {
		kind types.ShardIteratorType
		seq  string
		want string
	}{
		"TRIM_HORIZON": {types.ShardIteratorTypeTrimHorizon, "", "[0 1 2 3 4 5 6 7 8 9]"},
		"AT":           {types.ShardIteratorTypeAtSequenceNumber, numbers[6], "[6 7 8 9]"},
		"AFTER":        {types.ShardIteratorTypeAfterSequenceNumber, numbers[6], "[7 8 9]"},
		"AFTER last":   {types.ShardIteratorTypeAfterSequenceNumber, numbers[9], "[]"},
		"AT start":     {types.ShardIteratorTypeAtSequenceNumber, *p.shards()[0].SequenceNumberRange.StartingSequenceNumber, "[0 1 2 3 4 5 6 7 8 9]"},
	} {
		it, err := p.ask("shardId-000000000000", at.kind, at.seq)
		p.must(err)
		got, last := p.drain(it)
		same(p.T, what, got, at.want)
		same(p.T, what+": lag at the tip", *last.MillisBehindLatest, 0)
	}
	got, _ := p.drain(latest)
	same(p.T, "LATEST before the puts", got, "[0 1 2 3 4 5 6 7 8 9]")
}

func (p probing) split(arn string) {
	p.Helper()
	_, err := p.client.SplitShard(p.Context(), &kinesis.SplitShardInput{StreamARN: &arn, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("1000")})
	p.must(err)
	p.settled()
	it, err := p.ask("shardId-000000000000", types.ShardIteratorTypeTrimHorizon, "")
	p.must(err)
	data, last := p.drain(it)
	same(p.T, "records of the parent", len(data), 10)
	if last.NextShardIterator != nil || len(last.ChildShards) != 2 {
		p.Fatalf("end of the parent: next %v, %d children", last.NextShardIterator, len(last.ChildShards))
	}
	shards := p.shards()
	parent, lower, upper := shards[0], shards[2], shards[3]
	same(p.T, "lower child", []string{*lower.ParentShardId, *lower.HashKeyRange.StartingHashKey, *lower.HashKeyRange.EndingHashKey}, "[shardId-000000000000 0 999]")
	same(p.T, "upper child", []string{*upper.ParentShardId, *upper.HashKeyRange.StartingHashKey, *upper.HashKeyRange.EndingHashKey}, []string{"shardId-000000000000", "1000", *parent.HashKeyRange.EndingHashKey})
	if parent.SequenceNumberRange.EndingSequenceNumber == nil || lower.SequenceNumberRange.EndingSequenceNumber != nil {
		p.Error("the parent has no ending sequence number, or its child has one")
	}
	out, err := p.client.PutRecord(p.Context(), &kinesis.PutRecordInput{StreamName: &p.stream, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("5"), Data: []byte("x")})
	p.must(err)
	same(p.T, "where hash key 5 goes now", *out.ShardId, "shardId-000000000002")
	_, err = p.client.SplitShard(p.Context(), &kinesis.SplitShardInput{StreamARN: &arn, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("500")})
	if err == nil {
		p.Error("a closed shard was split")
	}
	open, err := p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamName: &p.stream, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	p.must(err)
	same(p.T, "AT_LATEST", numbers(open.Shards), "[1 2 3]")
}

func (p probing) mergeAndScale() {
	p.Helper()
	_, err := p.client.MergeShards(p.Context(), &kinesis.MergeShardsInput{StreamName: &p.stream, ShardToMerge: aws.String("shardId-000000000002"), AdjacentShardToMerge: aws.String("shardId-000000000003")})
	p.must(err)
	p.settled()
	child := p.shards()[4]
	same(p.T, "parents of the merged", []string{*child.ParentShardId, *child.AdjacentParentShardId}, "[shardId-000000000002 shardId-000000000003]")
	it, err := p.ask("shardId-000000000002", types.ShardIteratorTypeTrimHorizon, "")
	p.must(err)
	data, last := p.drain(it)
	same(p.T, "records of a merged parent", data, "[x]")
	if last.NextShardIterator != nil || len(last.ChildShards) != 1 || len(last.ChildShards[0].ParentShards) != 2 {
		p.Errorf("end of a merged parent: next %v, children %v", last.NextShardIterator, last.ChildShards)
	}
	_, err = p.client.UpdateShardCount(p.Context(), &kinesis.UpdateShardCountInput{StreamName: &p.stream, TargetShardCount: aws.Int32(4), ScalingType: types.ScalingTypeUniformScaling})
	p.must(err)
	p.settled()
	open, err := p.client.ListShards(p.Context(), &kinesis.ListShardsInput{StreamName: &p.stream, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	p.must(err)
	same(p.T, "open shards after scaling", len(open.Shards), 4)
	for _, s := range open.Shards {
		if s.ParentShardId == nil {
			p.Errorf("%s has no parent", *s.ShardId)
		}
	}
}

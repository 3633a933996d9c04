package kinesisfake_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

func TestSplitEndsTheParentWithItsLastRecords(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		last := ""
		for i := range 3 {
			last = w.put(fmt.Sprint(i), "before")
		}
		_, err := w.client.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: &w.stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("1000")})
		if err != nil {
			t.Fatal(err)
		}
		w.put("after", "after")
		out, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: w.horizon("shardId-000000000000"), Limit: aws.Int32(2)})
		if err != nil {
			t.Fatal(err)
		}
		if out.NextShardIterator == nil || out.ChildShards != nil {
			t.Errorf("first page ended the shard: %v", out.ChildShards)
		}
		out = w.get(out.NextShardIterator)
		if out.NextShardIterator != nil || len(out.Records) != 1 || len(out.ChildShards) != 2 {
			t.Fatalf("last page: %d records, next %v, children %v; want 1, nil, 2", len(out.Records), out.NextShardIterator, out.ChildShards)
		}
		same(t, "lower child", *out.ChildShards[0].HashKeyRange.EndingHashKey, "999")
		same(t, "parents of a child", out.ChildShards[1].ParentShards, "[shardId-000000000000]")
		out = w.get(w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &last}))
		if out.NextShardIterator != nil || len(out.Records) != 0 || len(out.ChildShards) != 2 {
			t.Errorf("after the last record: next %v, children %v", out.NextShardIterator, out.ChildShards)
		}
		shards := w.fake.Shards(w.stream)
		if shards[1].StartingSequenceNumber <= shards[0].EndingSequenceNumber {
			t.Errorf("a child starts at %s, its parent ended at %s", shards[1].StartingSequenceNumber, shards[0].EndingSequenceNumber)
		}
		if _, upper, err := w.fake.Split(w.stream, "shardId-000000000000"); err == nil {
			t.Errorf("split twice, into %s", upper)
		}
	})
}

func TestMergeHasBothParentsInItsLineage(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w world) {
		merge := func(a, b string) error {
			_, err := w.client.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: &w.stream, ShardToMerge: aws.String("shardId-00000000000" + a), AdjacentShardToMerge: aws.String("shardId-00000000000" + b)})
			return err
		}
		refused(t, "merge of shards that do not touch", merge("0", "2"), "InvalidArgumentException")
		refused(t, "merge of a shard with itself", merge("0", "0"), "InvalidArgumentException")
		if err := merge("2", "1"); err != nil {
			t.Fatal(err)
		}
		refused(t, "merge of a closed shard", merge("0", "1"), "InvalidArgumentException")

		out, err := w.client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &w.stream})
		if err != nil {
			t.Fatal(err)
		}
		child := out.Shards[3]
		same(t, "parents", []string{*child.ParentShardId, *child.AdjacentParentShardId}, "[shardId-000000000002 shardId-000000000001]")
		same(t, "range", []string{*child.HashKeyRange.StartingHashKey, *child.HashKeyRange.EndingHashKey},
			[]string{*out.Shards[1].HashKeyRange.StartingHashKey, *out.Shards[2].HashKeyRange.EndingHashKey})
		for _, parent := range out.Shards[1:3] {
			if parent.SequenceNumberRange.EndingSequenceNumber == nil || *parent.SequenceNumberRange.EndingSequenceNumber >= *child.SequenceNumberRange.StartingSequenceNumber {
				t.Errorf("%s does not end before its child starts", *parent.ShardId)
			}
			end := w.get(w.horizon(*parent.ShardId))
			if end.NextShardIterator != nil || len(end.ChildShards) != 1 || len(end.ChildShards[0].ParentShards) != 2 {
				t.Errorf("end of %s: next %v, children %v", *parent.ShardId, end.NextShardIterator, end.ChildShards)
			}
		}
	})
}

func TestUpdateShardCountKeepsLineage(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w world) {
		for _, target := range []int32{8, 6, 3, 5, 4, 2, 1, 2} {
			out, err := w.client.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: &w.stream, TargetShardCount: &target, ScalingType: types.ScalingTypeUniformScaling})
			if err != nil {
				t.Fatalf("to %d: %v", target, err)
			}
			open := w.list(kinesis.ListShardsInput{ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
			same(t, "open shards", len(open), *out.TargetShardCount)
			checkLineage(t, w)
		}
		_, err := w.client.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: &w.stream, TargetShardCount: aws.Int32(5), ScalingType: types.ScalingTypeUniformScaling})
		refused(t, "more than double", err, "InvalidArgumentException")
	})
}

// checkLineage checks that the open shards cover the ring once, and that every
// shard but the first has parents, one or two, that are closed and started
// before it, with smaller sequence numbers.
func checkLineage(t *testing.T, w world) {
	t.Helper()
	at := map[string]kinesisfake.Shard{}
	begins := map[string]bool{}
	open, ends := 0, 0
	for _, s := range w.fake.Shards(w.stream) {
		at[s.ID] = s
		if s.EndingSequenceNumber == "" {
			open++
			begins[s.StartingHashKey] = true
		}
	}
	for _, s := range at {
		if next, ok := new(big.Int).SetString(s.EndingHashKey, 10); ok && s.EndingSequenceNumber == "" {
			if next.Add(next, big.NewInt(1)); begins[next.String()] || next.BitLen() == 129 {
				ends++
			}
		}
		if len(s.Parents) > 2 || len(s.Parents) == 0 && s.ID > "shardId-000000000003" {
			t.Errorf("%s has parents %v", s.ID, s.Parents)
		}
		for _, p := range s.Parents {
			parent := at[p]
			if parent.EndingSequenceNumber == "" || parent.EndingSequenceNumber >= s.StartingSequenceNumber || !parent.Created.Before(s.Created) || parent.Closed.After(s.Created) {
				t.Errorf("%s does not follow its parent %s", s.ID, p)
			}
		}
	}
	if !begins["0"] || len(begins) != open || ends != open {
		t.Errorf("%d open shards do not cover the ring once", open)
	}
}

func TestReshardTakesItsTime(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		split := func() error {
			_, err := w.client.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamARN: aws.String(w.fake.ARN(w.stream)), ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("1000")})
			return err
		}
		status := func() types.StreamStatus {
			out, err := w.client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &w.stream})
			if err != nil {
				t.Fatal(err)
			}
			return out.StreamDescriptionSummary.StreamStatus
		}
		it := w.horizon("shardId-000000000000")
		if err := split(); err != nil {
			t.Fatal(err)
		}
		refused(t, "split while UPDATING", split(), "ResourceInUseException")
		same(t, "status", status(), "UPDATING")
		w.put("k", "meanwhile")
		page := w.get(it)
		if page.NextShardIterator == nil {
			t.Error("the shard ended before its time")
		}
		time.Sleep(30 * time.Second)
		same(t, "status", status(), "ACTIVE")
		if page = w.get(page.NextShardIterator); page.NextShardIterator != nil || len(page.ChildShards) != 2 {
			t.Errorf("after the split: next %v, children %v", page.NextShardIterator, page.ChildShards)
		}
	}, kinesisfake.WithReshardTime(30*time.Second))
}

func TestCloseShardWithoutChildren(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		w.put("k", "a")
		if err := w.fake.CloseShard(w.stream, "shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		page := w.get(w.horizon("shardId-000000000000"))
		if len(page.Records) != 1 || page.NextShardIterator != nil || page.ChildShards != nil {
			t.Errorf("got %d records, next %v, children %v; want 1, nil, nil", len(page.Records), page.NextShardIterator, page.ChildShards)
		}
		if _, _, err := w.fake.Put(w.stream, "k", nil); err == nil {
			t.Error("a put found a closed shard")
		}
	})
}

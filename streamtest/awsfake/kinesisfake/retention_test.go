package kinesisfake_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func TestRetentionTrimsRecords(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		first := w.put("k", "old")
		early := w.horizon("shardId-000000000000")
		time.Sleep(4 * time.Minute)
		if err := w.fake.SetRetention(w.stream, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		w.put("k", "new")
		same(t, "before", w.read(w.horizon("shardId-000000000000")), "[old new]")
		time.Sleep(time.Minute)
		same(t, "on the brink", w.read(early), "[old new]")
		time.Sleep(time.Millisecond)
		same(t, "after", w.read(w.horizon("shardId-000000000000")), "[new]")
		// A position that was trimmed leads to what is left, without a word.
		at := w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &first})
		same(t, "from a trimmed record", w.read(at), "[new]")
		all := w.fake.Records(w.stream)
		same(t, "ever put", []bool{all[0].Trimmed, all[1].Trimmed}, "[true false]")

		// A longer retention does not bring back what was trimmed.
		if err := w.fake.SetRetention(w.stream, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		same(t, "longer again", w.read(at), "[new]")
	})
}

func TestRetentionChanges(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		hours := func() int32 {
			out, err := w.client.DescribeStream(t.Context(), &kinesis.DescribeStreamInput{StreamName: &w.stream})
			if err != nil {
				t.Fatal(err)
			}
			return *out.StreamDescription.RetentionPeriodHours
		}
		increase := func(hours int32) error {
			_, err := w.client.IncreaseStreamRetentionPeriod(t.Context(), &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: &w.stream, RetentionPeriodHours: &hours})
			return err
		}
		w.put("k", "a")
		if err := increase(48); err != nil {
			t.Fatal(err)
		}
		same(t, "hours", hours(), 48)
		refused(t, "a shorter one", increase(24), "InvalidArgumentException")
		refused(t, "two years", increase(2*8760), "InvalidArgumentException")
		time.Sleep(25 * time.Hour)
		same(t, "after 25 of 48 hours", w.read(w.horizon("shardId-000000000000")), "[a]")
		_, err := w.client.DecreaseStreamRetentionPeriod(t.Context(), &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: &w.stream, RetentionPeriodHours: aws.Int32(24)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "after 25 of 24 hours", w.read(w.horizon("shardId-000000000000")), "[]")
	})
}

func TestClosedShardVanishesWithItsRecords(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		w.put("k", "a")
		last := w.put("k", "b")
		if _, _, err := w.fake.Split(w.stream, "shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		it := w.horizon("shardId-000000000000")
		if err := w.fake.Trim(w.stream, "shardId-000000000000", w.fake.Records(w.stream)[0].SequenceNumber); err != nil {
			t.Fatal(err)
		}
		same(t, "trimmed in part", w.read(it), "[b]")
		same(t, "listed", w.list(kinesis.ListShardsInput{}), "[0 1 2]")
		if err := w.fake.Trim(w.stream, "shardId-000000000000", last); err != nil {
			t.Fatal(err)
		}
		same(t, "listed", w.list(kinesis.ListShardsInput{}), "[1 2]")
		_, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it})
		refused(t, "reading it", err, "ResourceNotFoundException")
		_, err = w.client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: &w.stream, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		refused(t, "an iterator for it", err, "ResourceNotFoundException")

		if _, _, err := w.fake.Split(w.stream, "shardId-000000000001"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := w.fake.TrimBefore(w.stream, time.Now()); err != nil {
			t.Fatal(err)
		}
		same(t, "listed", w.list(kinesis.ListShardsInput{}), "[2 3 4]")
	})
}

func TestLagIsTold(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		w.put("k", "a")
		time.Sleep(time.Second)
		w.put("k", "b")
		time.Sleep(2 * time.Second)
		it := w.horizon("shardId-000000000000")
		if err := w.fake.EmptyPages(w.stream, "shardId-000000000000", 1); err != nil {
			t.Fatal(err)
		}
		out := w.get(it)
		same(t, "records of an empty page", len(out.Records), 0)
		same(t, "lag on an empty page", *out.MillisBehindLatest, 3000)
		out, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: out.NextShardIterator, Limit: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "lag in the middle", *out.MillisBehindLatest, 3000)
		out = w.get(out.NextShardIterator)
		same(t, "lag at the tip", *out.MillisBehindLatest, 0)
		same(t, "records at the tip", len(out.Records), 1)
	})
}

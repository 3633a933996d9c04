package kinesisfake_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

func TestReadFromEachKindOfPosition(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		time.Sleep(123456 * time.Microsecond)
		first := w.put("k", "a")
		time.Sleep(5 * time.Millisecond)
		between := time.Now().Truncate(time.Millisecond)
		second := w.put("k", "b")
		latest := w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeLatest})
		w.put("k", "c")
		time.Sleep(time.Second)

		same(t, "TRIM_HORIZON", w.read(w.horizon("shardId-000000000000")), "[a b c]")
		same(t, "LATEST", w.read(latest), "[c]")
		same(t, "AT", w.read(w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &second})), "[b c]")
		same(t, "AFTER", w.read(w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &first})), "[b c]")
		time.Sleep(time.Second)
		same(t, "AT_TIMESTAMP", w.read(w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &between})), "[b c]")
		early := between.Add(-2 * time.Millisecond)
		same(t, "AT_TIMESTAMP between", w.read(w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &early})), "[b c]")
		out := w.get(w.horizon("shardId-000000000000"))
		if got := *out.Records[1].ApproximateArrivalTimestamp; !got.Equal(between) {
			t.Errorf("arrival of b: got %v, want %v", got, between)
		}
	})
}

func TestIteratorExpires(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		it := w.horizon("shardId-000000000000")
		time.Sleep(5 * time.Minute)
		next := w.get(it).NextShardIterator
		time.Sleep(5*time.Minute + 1)
		_, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
		refused(t, "after five minutes", err, "ExpiredIteratorException")

		w.fake.Set(kinesisfake.WithIteratorTTL(10 * time.Second))
		it = w.horizon("shardId-000000000000")
		time.Sleep(11 * time.Second)
		_, err = w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it})
		refused(t, "after ten seconds", err, "ExpiredIteratorException")
	})
}

func TestShardReadsAreThrottled(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		get := func() error {
			_, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: w.horizon("shardId-000000000000")})
			return err
		}
		for i := range 5 {
			if err := get(); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		it := iteratorAfter(w, time.Second)
		for range 5 {
			w.get(it)
		}
		_, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it})
		refused(t, "sixth call in a second", err, "ProvisionedThroughputExceededException")

		big := bytes.Repeat([]byte("x"), 1<<20)
		for range 11 {
			if _, _, err := w.fake.Put(w.stream, "k", big[:1<<20-1]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		page := w.get(it)
		same(t, "records in 10 MiB", len(page.Records), 10)
		time.Sleep(5*time.Second - time.Millisecond)
		_, err = w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: page.NextShardIterator})
		refused(t, "within 5 s of 10 MiB", err, "ProvisionedThroughputExceededException")
		time.Sleep(2 * time.Millisecond)
		same(t, "after 5 s", len(w.get(page.NextShardIterator).Records), 1)

		w.fake.Set(kinesisfake.WithReadLimits(false))
		tip := w.iterator(kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeLatest})
		for range 20 {
			w.get(tip)
		}
	})
}

// iteratorAfter is the horizon of the first shard, asked for a little later.
func iteratorAfter(w world, d time.Duration) *string {
	time.Sleep(d)
	return w.horizon("shardId-000000000000")
}

func TestGarbledIteratorIsRefused(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		whole := *w.horizon("shardId-000000000000")
		garbled := []byte(whole)
		garbled[30] ^= 'A' ^ 'B'
		for _, it := range []string{"x", whole[:20], string(garbled), whole + "AAAA"} {
			_, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: &it})
			refused(t, it, err, "InvalidArgumentException")
		}
		if _, err := w.client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &w.stream}); err != nil {
			t.Fatal(err)
		}
		if err := w.fake.CreateStream(w.stream, 1); err != nil {
			t.Fatal(err)
		}
		_, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: &whole})
		refused(t, "iterator of a deleted namesake", err, "ResourceNotFoundException")
	})
}

package kinesisfake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// world is a stream in a fake, with the SDK's client in front of it.
type world struct {
	t      *testing.T
	client *kinesis.Client
	fake   *kinesisfake.Service
	stream string
}

// inBubble runs f with a stream of n shards, in virtual time, and with a client
// that does not try again.
func inBubble(t *testing.T, n int, f func(t *testing.T, w world), options ...kinesisfake.Option) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New(awsfake.WithKinesis(options...))
		config := a.Config("tester")
		config.RetryMaxAttempts = 1
		w := world{t, kinesis.NewFromConfig(config), a.Kinesis(), "clicks"}
		if err := w.fake.CreateStream(w.stream, n); err != nil {
			t.Fatal(err)
		}
		f(t, w)
	})
}

func (w world) put(key, data string) string {
	w.t.Helper()
	_, sequence, err := w.fake.Put(w.stream, key, []byte(data))
	if err != nil {
		w.t.Fatal(err)
	}
	return sequence
}

func (w world) iterator(in kinesis.GetShardIteratorInput) *string {
	w.t.Helper()
	in.StreamName = &w.stream
	if in.ShardId == nil {
		in.ShardId = aws.String("shardId-000000000000")
	}
	out, err := w.client.GetShardIterator(w.t.Context(), &in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.ShardIterator
}

func (w world) horizon(shard string) *string {
	w.t.Helper()
	return w.iterator(kinesis.GetShardIteratorInput{ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
}

func (w world) get(iterator *string) *kinesis.GetRecordsOutput {
	w.t.Helper()
	out, err := w.client.GetRecords(w.t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// read is the data that an iterator's page holds.
func (w world) read(iterator *string) []string {
	w.t.Helper()
	got := []string{}
	for _, r := range w.get(iterator).Records {
		got = append(got, string(r.Data))
	}
	return got
}

func (w world) list(in kinesis.ListShardsInput) []string {
	w.t.Helper()
	in.StreamName = &w.stream
	out, err := w.client.ListShards(w.t.Context(), &in)
	if err != nil {
		w.t.Fatal(err)
	}
	return numbers(out.Shards)
}

// numbers are the ids of shards without their common beginning.
func numbers(shards []types.Shard) []string {
	list := []string{}
	for _, s := range shards {
		list = append(list, (*s.ShardId)[len("shardId-00000000000"):])
	}
	return list
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestReadFromEachKindOfPosition(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		time.Sleep(1500 * time.Microsecond)
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
		for range 20 {
			w.get(it)
		}
	})
}

// iteratorAfter is the horizon of the first shard, asked for a little later.
func iteratorAfter(w world, d time.Duration) *string {
	time.Sleep(d)
	return w.horizon("shardId-000000000000")
}

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

func TestSequenceNumbersIncreaseAndTellTheirShard(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w world) {
		by := map[string][]string{}
		for i := range 200 {
			id, sequence, err := w.fake.Put(w.stream, fmt.Sprint(i), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(sequence) != 56 {
				t.Fatalf("%s has %d digits", sequence, len(sequence))
			}
			by[id] = append(by[id], sequence)
		}
		same(t, "shards that got records", len(by), 2)
		for id, all := range by {
			if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Errorf("numbers of %s do not increase", id)
			}
		}
		ask := func(number string) error {
			_, err := w.client.GetShardIterator(context.Background(), &kinesis.GetShardIteratorInput{
				StreamName: &w.stream, ShardId: aws.String("shardId-000000000000"),
				ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &number,
			})
			return err
		}
		refused(t, "number of another shard", ask(by["shardId-000000000001"][0]), "InvalidArgumentException")
		refused(t, "no number", ask("12x"), "InvalidArgumentException")
		old := by["shardId-000000000000"][3]
		if err := ask(old); err != nil {
			t.Error(err)
		}
		if _, err := w.client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &w.stream}); err != nil {
			t.Fatal(err)
		}
		if err := w.fake.CreateStream(w.stream, 2); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			w.put("0", "")
			w.put("1", "")
		}
		refused(t, "number of a namesake stream", ask(old), "InvalidArgumentException")
	})
}

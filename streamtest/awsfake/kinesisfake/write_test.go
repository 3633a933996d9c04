package kinesisfake_test

import (
	"context"
	"crypto/md5"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

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
		for i := range 200 {
			w.put(fmt.Sprint(i), "")
		}
		refused(t, "number of a namesake stream", ask(old), "InvalidArgumentException")
	})
}

func TestRecordsGoWhereTheirHashSays(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w world) {
		entries := []types.PutRecordsRequestEntry{}
		for i := range 400 {
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint(i)), Data: []byte{byte(i)}})
		}
		shards := w.fake.Shards(w.stream)
		entries[7].ExplicitHashKey = &shards[3].EndingHashKey
		entries[8].ExplicitHashKey = &shards[2].StartingHashKey
		entries[9].ExplicitHashKey = aws.String("0")
		out, err := w.client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: &w.stream, Records: entries})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range out.Records {
			want := new(big.Int)
			sum := md5.Sum([]byte(*entries[i].PartitionKey))
			want.SetBytes(sum[:])
			if k := entries[i].ExplicitHashKey; k != nil {
				want.SetString(*k, 10)
			}
			for _, s := range shards {
				low, _ := new(big.Int).SetString(s.StartingHashKey, 10)
				high, _ := new(big.Int).SetString(s.EndingHashKey, 10)
				if inside := low.Cmp(want) <= 0 && want.Cmp(high) <= 0; inside != (s.ID == *r.ShardId) {
					t.Fatalf("record %d with hash %s went to %s", i, want, *r.ShardId)
				}
			}
		}
	})
}

func TestPutRecordsFailsInPart(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		put := func(n, size int) *kinesis.PutRecordsOutput {
			entries := make([]types.PutRecordsRequestEntry, n)
			for i := range entries {
				entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: make([]byte, size)}
			}
			out, err := w.client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: &w.stream, Records: entries})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if err := w.fake.RejectPuts(w.stream, "shardId-000000000000", 2); err != nil {
			t.Fatal(err)
		}
		out := put(5, 1)
		same(t, "failed", *out.FailedRecordCount, 2)
		same(t, "code", *out.Records[1].ErrorCode, "ProvisionedThroughputExceededException")
		if out.Records[1].SequenceNumber != nil || out.Records[2].SequenceNumber == nil {
			t.Error("the wrong records failed")
		}

		w.fake.Set(kinesisfake.WithWriteLimits(true))
		time.Sleep(time.Second)
		same(t, "failed of 1,500", *put(500, 1).FailedRecordCount+*put(500, 1).FailedRecordCount+*put(500, 1).FailedRecordCount, 500)
		time.Sleep(time.Second)
		same(t, "failed of 1.5 MiB", *put(30, 50<<10).FailedRecordCount, 9)
		same(t, "stored", len(w.fake.Records(w.stream)), 3+1000+21)
	})
}

func TestRecordWithoutPartitionKey(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		w.put("quoted \"\\\n\u00e9", "a")
		if _, err := w.fake.PutUnkeyed(w.stream, "shardId-000000000000", []byte("b")); err != nil {
			t.Fatal(err)
		}
		out := w.get(w.horizon("shardId-000000000000"))
		same(t, "key", *out.Records[0].PartitionKey, "quoted \"\\\n\u00e9")
		if out.Records[1].PartitionKey != nil || string(out.Records[1].Data) != "b" {
			t.Errorf("got key %v, data %q", out.Records[1].PartitionKey, out.Records[1].Data)
		}
	})
}

func TestRecordOfTenMebibytes(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		put := func(size int) error {
			_, err := w.client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &w.stream, PartitionKey: aws.String("k"), Data: make([]byte, size)})
			return err
		}
		if err := put(10<<20 - 1); err != nil {
			t.Fatal(err)
		}
		refused(t, "one byte more", put(10<<20), "ValidationException")
		w.put("k", "next")
		out := w.get(w.horizon("shardId-000000000000"))
		same(t, "records of the first page", len(out.Records), 1)
		same(t, "bytes", len(out.Records[0].Data), 10<<20-1)
	})
}

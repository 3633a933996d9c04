package kinesisdestination_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

func aggregating(bytes int) func(*kinesisdestination.Options) {
	return func(o *kinesisdestination.Options) { o.Aggregate = bytes }
}

// users are the records of a stream as a reader gets them, each with the shard.
func users(t *testing.T, records []kinesisfake.Record) (all []shard.Record, aggregates int) {
	t.Helper()
	for _, r := range records {
		var u kpl.Unpacker
		u.Feed([]shard.Record{{Shard: r.ShardID, Sequence: r.SequenceNumber, PartitionKey: r.PartitionKey, Keyed: true, Data: r.Data}})
		unpacked, odd := u.Take(1<<30, 1<<40)
		if odd != (shard.Aggregates{}) {
			t.Errorf("record %s is odd: %+v", r.SequenceNumber, odd)
		}
		if kpl.Framed(r.Data) {
			aggregates++
		}
		all = append(all, unpacked...)
	}
	return all, aggregates
}

func TestAggregatingStreamIsAPublisher(t *testing.T) {
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		a, s := wired(aggregating(10_000))
		return destinationtest.PublisherRig{
			Publisher: s, MaxBytes: destination.MaxKinesisBytes, Nameless: true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				records, _ := users(t, a.Kinesis().Records("orders"))
				for _, r := range records {
					p := destinationtest.Unwrap(t, destination.FormBytes, r.Data, nil)
					p.Bytes = len(r.Data) + len(r.PartitionKey)
					all = append(all, p)
				}
				return all
			},
			// No RefuseSome: what is refused of an aggregate is all of it.
		}
	})
}

// Every record of an aggregate belongs to the shard it comes to, those of a key
// keep their order, no aggregate is larger than it may be, and there are fewer of
// them than records.
func TestAggregatesBelongToTheirShard(t *testing.T) {
	const size = 2_000
	random := rand.New(rand.NewPCG(1, 1))
	a, s := wired(aggregating(size))
	n := map[string]int{}
	total := 0
	for range 20 {
		var records []batching.Emitted
		for range 100 {
			key := fmt.Sprint("key-", random.IntN(12))
			if random.IntN(10) == 0 {
				key = strings.Repeat("é", 300) // is put as its digest
			}
			total++
			n[key]++
			records = append(records, batching.Emitted{ID: fmt.Sprint(total), Key: key, Data: fmt.Appendf(nil, "%s %d %s", key, n[key], strings.Repeat("x", random.IntN(500)))})
		}
		if err := s.Publish(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	hashes := map[string]kpl.Range{}
	for _, d := range a.Kinesis().Shards("orders") {
		hashes[d.ID] = kpl.NewRange(shard.HashRange{Start: d.StartingHashKey, End: d.EndingHashKey})
	}
	put := a.Kinesis().Records("orders")
	for _, r := range put {
		if kpl.Framed(r.Data) && len(r.Data)+len(r.PartitionKey) > size {
			t.Errorf("an aggregate has %d bytes, want at most %d", len(r.Data)+len(r.PartitionKey), size)
		}
	}
	records, aggregates := users(t, put)
	if len(records) != total || aggregates < 100 || len(put) > total/2 {
		t.Errorf("%d records came of %d, in %d records of which %d are aggregates", len(records), total, len(put), aggregates)
	}
	came := map[string]int{}
	for _, r := range records {
		if !hashes[r.Shard].Holds(&kpl.User{PartitionKey: r.PartitionKey}) {
			t.Fatalf("a record of key %q came to %s", r.PartitionKey, r.Shard)
		}
		key, rest, _ := strings.Cut(string(r.Data), " ")
		var number int
		if _, err := fmt.Sscan(rest, &number); err != nil || number != came[key]+1 {
			t.Fatalf("of %.9s came %d behind %d", key, number, came[key])
		}
		came[key] = number
	}
}

// Records without a key go together, and to a shard that owns them.
func TestRecordsWithoutAKeyAreAggregated(t *testing.T) {
	a, s := wired(aggregating(50_000))
	var records []batching.Emitted
	for i := range 100 {
		records = append(records, batching.Emitted{ID: fmt.Sprint("id-", i), Data: fmt.Append(nil, i)})
	}
	if err := s.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	put := a.Kinesis().Records("orders")
	all, _ := users(t, put)
	if len(put) != 1 || len(all) != 100 || put[0].PartitionKey != all[99].PartitionKey || s.Counts().Published != 100 {
		t.Errorf("%d records came in %d, %d were counted", len(all), len(put), s.Counts().Published)
	}
}

// An aggregate that is refused is put again as one.
func TestARefusedAggregateIsPutAgain(t *testing.T) {
	a, s := wired(aggregating(50_000))
	var refused atomic.Int64
	restore := a.Kinesis().RefuseSome(func([]byte) bool { return refused.Add(1) == 1 })
	defer restore()
	var records []batching.Emitted
	for i := range 50 {
		records = append(records, batching.Emitted{ID: fmt.Sprint(i), Key: fmt.Sprint("key-", i%2), Data: fmt.Append(nil, i)})
	}
	if err := s.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	put := a.Kinesis().Records("orders")
	if all, _ := users(t, put); len(put) != 2 || len(all) != 50 || refused.Load() != 3 {
		t.Errorf("%d records came in %d, of %d asked", len(all), len(put), refused.Load())
	}
}

func TestAnAggregateSizeThatCannotBeIsRefused(t *testing.T) {
	for _, n := range []int{-1, destination.MaxKinesisBytes + 1} {
		_, s := wired(aggregating(n))
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "Aggregate") {
			t.Errorf("%d: got %v, want a word on Aggregate", n, err)
		}
	}
}

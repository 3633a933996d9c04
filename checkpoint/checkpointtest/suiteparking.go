package checkpointtest

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// RunParking proves that a table which is a checkpoint.Parking keeps the records
// of parked keys, in order and for whom they belong to, and that nobody who lost
// the lease changes any of it. Open gives an empty table, ready to be prepared,
// for each subtest.
func RunParking(t *testing.T, open func(t *testing.T) checkpoint.Leases) {
	for _, test := range parkingTests {
		t.Run(test.name, func(t *testing.T) {
			table := open(t)
			b := &parkingBench{bench: &bench{T: t, Leases: table}}
			var ok bool
			if b.Parking, ok = table.(checkpoint.Parking); !ok {
				t.Fatalf("%T is no checkpoint.Parking", table)
			}
			b.must(b.Prepare(t.Context(), stream))
			b.must(b.PrepareParking(t.Context()))
			test.run(b)
		})
	}
}

type parkingBench struct {
	*bench
	checkpoint.Parking
}

// halfway is the first hash of the upper half of a stream.
const halfway = "170141183460469231731687303715884105728"

// half makes a row of a part of the stream, which anna takes.
func (b *parkingBench) half(key string, from, to string) shard.Lease {
	b.Helper()
	b.create(shard.Lease{Key: key, Shard: key, Checkpoint: shard.TrimHorizon(), CreatedFrom: "initial", StreamCreated: created,
		Hashes: shard.HashRange{Start: from, End: to}})
	return b.got(b.Take(b.Context(), b.got(b.Get(b.Context(), key)), anna, ""))
}

func (b *parkingBench) whole() shard.Lease {
	return b.half(key, "0", "340282366920938463463374607431768211455")
}

func recordOf(shardID, partitionKey, sequence string, size int) shard.Record {
	return shard.Record{
		Stream: stream.ARN, Shard: shardID, Sequence: sequence, Sub: 2, PartitionKey: partitionKey, Keyed: true,
		Data: bytes.Repeat([]byte{0xff, 'x', 0}, size), ArrivedAt: created.Add(time.Second),
	}
}

func keyNamed(partitionKey string) checkpoint.ParkedKey {
	return checkpoint.ParkedKey{Key: partitionKey, Hash: "hash-of-" + partitionKey, Point: shard.PointOf(partitionKey), Attempts: 3, Since: created, Due: created.Add(time.Minute)}
}

// park parks records with the next save, and returns the row and the key as they
// then are.
func (b *parkingBench) park(held shard.Lease, k checkpoint.ParkedKey, records ...shard.Record) (shard.Lease, checkpoint.ParkedKey) {
	b.Helper()
	k = k.With(records, held.SeekGen)
	effects, err := b.Park(held, k, records)
	b.must(err)
	return b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{Position: at100.Position, Effects: effects})), k
}

func (b *parkingBench) unpark(held shard.Lease, k checkpoint.ParkedKey, records ...checkpoint.ParkedRecord) shard.Lease {
	b.Helper()
	effects, err := b.Unpark(held, k, records)
	b.must(err)
	return b.got(b.Save(b.Context(), held, anna, checkpoint.Progress{Position: at100.Position, Effects: effects}))
}

// keys wants the keys of a row's shard.
func (b *parkingBench) keys(row shard.Lease, handler string, want ...checkpoint.ParkedKey) {
	b.Helper()
	got, err := b.ParkedKeys(b.Context(), row, handler)
	b.must(err)
	for i := range got {
		got[i].Since, got[i].Due = got[i].Since.UTC(), got[i].Due.UTC()
	}
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		b.Fatalf("got the keys\n%+v, want\n%+v", got, want)
	}
}

// holds wants the sequence numbers of a key's records.
func (b *parkingBench) holds(row shard.Lease, k checkpoint.ParkedKey, want string) []checkpoint.ParkedRecord {
	b.Helper()
	all, err := b.ParkedRecords(b.Context(), row, k, 100, 64<<20)
	b.must(err)
	if got := sequencesOf(all); got != want {
		b.Fatalf("the key holds %q, want %q", got, want)
	}
	return all
}

func sequencesOf(all []checkpoint.ParkedRecord) string {
	var sequences []string
	for i := range all {
		sequences = append(sequences, all[i].Record.Sequence)
	}
	return strings.Join(sequences, " ")
}

var parkingTests = []struct {
	name string
	run  func(b *parkingBench)
}{
	{"a table with nothing parked says so", func(b *parkingBench) {
		row := b.whole()
		b.keys(row, "")
		b.holds(row, keyNamed("a"), "")
	}},
	{"records come back as they were, in order", func(b *parkingBench) {
		row := b.whole()
		second, first := recordOf(key, "a", "1000", 5), recordOf(key, "a", "999", 0)
		row, k := b.park(row, keyNamed("a"), second)
		row, k = b.park(row, k, first)
		b.keys(row, "", k)
		got := b.holds(row, k, "999 1000")
		for i, want := range []shard.Record{first, second} {
			r := got[i].Record
			r.ArrivedAt = r.ArrivedAt.UTC()
			if len(r.Data) == 0 {
				r.Data = want.Data
			}
			if !reflect.DeepEqual(r, want) {
				b.Errorf("got %+v, want %+v", r, want)
			}
		}
	}},
	{"a record that is parked again stands once", func(b *parkingBench) {
		row := b.whole()
		r := recordOf(key, "a", "7", 1)
		row, k := b.park(row, keyNamed("a"), r)
		row, k = b.park(row, k, r)
		b.holds(row, k, "7")
	}},
	{"a large record is kept whole", func(b *parkingBench) {
		row := b.whole()
		large := recordOf(key, "a", "7", 1<<18) // 768 KiB, above an item of DynamoDB
		row, k := b.park(row, keyNamed("a"), recordOf(key, "a", "6", 1), large, recordOf(key, "a", "8", 1))
		got := b.holds(row, k, "6 7 8")
		if !bytes.Equal(got[1].Record.Data, large.Data) {
			b.Errorf("the large record came back with %d bytes, want %d", len(got[1].Record.Data), len(large.Data))
		}
		row = b.unpark(row, k.Without(got[:2]), got[:2]...)
		b.holds(row, k, "8")
	}},
	{"a record that is too large is refused", func(b *parkingBench) {
		row := b.whole()
		_, err := b.Park(row, keyNamed("a"), []shard.Record{recordOf(key, "a", "7", 2<<20)})
		b.is(err, checkpoint.ErrNotParkable)
	}},
	{"reading keeps its bounds, and gives one record at least", func(b *parkingBench) {
		row := b.whole()
		var records []shard.Record
		for i := range 30 {
			records = append(records, recordOf(key, "a", fmt.Sprint(100+i), 10))
		}
		row, k := b.park(row, keyNamed("a"), records...)
		for _, c := range []struct {
			records int
			bytes   int64
			want    int
		}{{4, 1 << 20, 4}, {100, 2 * int64(records[0].Size()), 2}, {100, 1, 1}, {1, 1 << 20, 1}, {100, 1 << 20, 30}} {
			got, err := b.ParkedRecords(b.Context(), row, k, c.records, c.bytes)
			b.must(err)
			if len(got) != c.want || got[0].Record.Sequence != "100" {
				b.Errorf("%d records and %d bytes gave %s, want %d from 100", c.records, c.bytes, sequencesOf(got), c.want)
			}
		}
	}},
	{"what is handled is deleted, and the key with the last", func(b *parkingBench) {
		row := b.whole()
		row, k := b.park(row, keyNamed("a"), recordOf(key, "a", "7", 1), recordOf(key, "a", "8", 1))
		all := b.holds(row, k, "7 8")
		k = k.Without(all[:1])
		row = b.unpark(row, k, all[0])
		b.holds(row, k, "8")
		b.keys(row, "", k)
		row = b.unpark(row, k.Emptied(), all[1])
		b.holds(row, k, "")
		b.keys(row, "")
	}},
	{"a key is its own handler's and its own", func(b *parkingBench) {
		row := b.whole()
		one, two := keyNamed("a"), keyNamed("a")
		one.Handler, two.Handler = "one", "two"
		other := keyNamed("z")
		other.Handler = "one"
		row, one = b.park(row, one, recordOf(key, "a", "7", 1))
		row, two = b.park(row, two, recordOf(key, "a", "8", 1))
		row, other = b.park(row, other, recordOf(key, "z", "9", 1))
		b.keys(row, "two", two)
		b.holds(row, one, "7")
		b.holds(row, two, "8")
		b.holds(row, other, "9")
	}},
	{"after a split each key is of the shard that takes its point", func(b *parkingBench) {
		row := b.whole()
		low, high := keyNamed("a"), keyNamed("b") // whose points lie in the lower and the upper half
		row, low = b.park(row, low, recordOf(key, "a", "7", 1))
		_, high = b.park(row, high, recordOf(key, "b", "8", 1))
		lower := b.half("shardId-000000000002", "0", "170141183460469231731687303715884105727")
		upper := b.half("shardId-000000000003", halfway, "340282366920938463463374607431768211455")
		b.keys(lower, "", low)
		b.keys(upper, "", high)
		b.holds(lower, low, "7")
		lower, low = b.park(lower, low, recordOf(lower.Shard, "a", "12", 1))
		b.holds(lower, low, "7 12")
	}},
	{"a key of one shard alone is no other's", func(b *parkingBench) {
		row := b.whole()
		own := keyNamed("a")
		own.Point, own.Shard = "", key
		row, own = b.park(row, own, recordOf(key, "a", "7", 1))
		b.keys(row, "", own)
		b.keys(b.half(other, "0", halfway), "")
	}},
	{"who lost the lease parks and deletes nothing", func(b *parkingBench) {
		row := b.whole()
		row, k := b.park(row, keyNamed("a"), recordOf(key, "a", "7", 1))
		stale := row
		row = b.got(b.Save(b.Context(), row, anna, at200))
		all := b.holds(row, k, "7")
		more, err := b.Park(stale, k, []shard.Record{recordOf(key, "a", "8", 1)})
		b.must(err)
		_, err = b.Save(b.Context(), stale, anna, checkpoint.Progress{Position: at100.Position, Effects: more})
		b.is(err, checkpoint.ErrFenced)
		gone, err := b.Unpark(stale, k.Emptied(), all)
		b.must(err)
		_, err = b.Save(b.Context(), stale, anna, checkpoint.Progress{Position: at100.Position, Effects: gone})
		b.is(err, checkpoint.ErrFenced)
		b.holds(row, k, "7")
		b.keys(row, "", k)
		// The same counter does not help another worker.
		_, err = b.Save(b.Context(), row, bert, checkpoint.Progress{Position: at200.Position, Effects: gone})
		b.is(err, checkpoint.ErrFenced)
		b.holds(row, k, "7")
	}},
}

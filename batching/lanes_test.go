package batching

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/towpath/towpath/shard"
)

func keyed(key string) *shard.Record {
	return &shard.Record{PartitionKey: key, Keyed: true}
}

func TestLaneOfAKeyIsStable(t *testing.T) {
	lanes := Lanes{Count: 7}
	for i := range 1000 {
		a, b := keyed(strconv.Itoa(i)), keyed(strconv.Itoa(i))
		b.Sequence, b.Sub = "9", 4
		if lanes.Of(a) != lanes.Of(b) {
			t.Fatalf("records of key %d are in lanes %d and %d", i, lanes.Of(a), lanes.Of(b))
		}
	}
}

// The lanes of keys that differ in little are alike in number: none is further
// than a quarter from the mean.
func TestLanesAreEven(t *testing.T) {
	records := map[string]func(i int) *shard.Record{
		"numbered": func(i int) *shard.Record { return keyed(fmt.Sprintf("user-%d", i)) },
		"padded":   func(i int) *shard.Record { return keyed(fmt.Sprintf("%016d", i*8)) },
		"without keys": func(i int) *shard.Record {
			return &shard.Record{Sequence: fmt.Sprintf("4960118965842235937883629852182763847532018901230%07d", i)}
		},
		"one aggregate": func(i int) *shard.Record { return &shard.Record{Sequence: "1", Sub: int64(i)} },
	}
	const each = 1000
	for name, record := range records {
		for _, count := range []int{2, 3, 8, 16, 100} {
			lanes := Lanes{Count: count}
			got := make([]int, count)
			for i := range each * count {
				got[lanes.Of(record(i))]++
			}
			for lane, n := range got {
				if n < each*3/4 || n > each*5/4 {
					t.Errorf("%s: lane %d of %d has %d, want about %d", name, lane, count, n, each)
				}
			}
		}
	}
}

func TestLaneFollowsTheKeyFunction(t *testing.T) {
	byTenant := Lanes{Count: 16, Key: func(r *shard.Record) string { return string(r.Data) }}
	a, b := keyed("a"), keyed("b")
	a.Data, b.Data = []byte("tenant"), []byte("tenant")
	if byTenant.Of(a) != byTenant.Of(b) {
		t.Error("two records of one tenant are in two lanes")
	}
}

func TestOneLaneAsksForNoKey(t *testing.T) {
	for _, count := range []int{-1, 0, 1} {
		lanes := Lanes{Count: count, Key: func(*shard.Record) string { panic("asked") }}
		if got := lanes.Of(keyed("a")); got != 0 {
			t.Errorf("lane %d of %d", got, count)
		}
	}
}

// Split gives every lane its records in order, with their tickets.
func TestSplitKeepsEachLanesOrder(t *testing.T) {
	for _, count := range []int{0, 1, 2, 7} {
		lanes := Lanes{Count: count}
		for _, n := range []int{0, 1, 50} {
			records, tickets := make([]shard.Record, n), make([]int64, n)
			for i := range records {
				records[i], tickets[i] = *keyed("user-" + string(rune('a'+i%9))), int64(100+i)
				records[i].Sub = int64(i)
			}
			ends := lanes.Split(records, tickets)
			if len(ends) != max(1, count) || ends[len(ends)-1] != n {
				t.Fatalf("%d records on %d lanes: ends %v", n, count, ends)
			}
			from := 0
			for lane, end := range ends {
				last := int64(-1)
				for i := from; i < end; i++ {
					if lanes.Of(&records[i]) != lane || records[i].Sub <= last || tickets[i] != 100+records[i].Sub {
						t.Fatalf("lane %d of %d: record %d with ticket %d stands behind %d", lane, count, records[i].Sub, tickets[i], last)
					}
					last = records[i].Sub
				}
				from = end
			}
		}
	}
}

func BenchmarkSplit(b *testing.B) {
	lanes := Lanes{Count: 10}
	records, tickets := make([]shard.Record, 1000), make([]int64, 1000)
	for i := range records {
		records[i] = *keyed("user-" + string(rune('a'+i%26)))
	}
	b.ReportAllocs()
	for b.Loop() {
		lanes.Split(records, tickets)
	}
}

func BenchmarkLanes(b *testing.B) {
	lanes := Lanes{Count: 10}
	r := keyed("2f1d6d52-9a0f-4d0e-8f7e-0f6ad1c2f0aa")
	b.ReportAllocs()
	for b.Loop() {
		lanes.Of(r)
	}
}

package kpl_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
)

// BenchmarkUnpacker takes pages of aggregates of 50 KB apart, whose user records
// have 100 bytes and a key each, and tells what one user record costs.
func BenchmarkUnpacker(b *testing.B) {
	a := kpl.Aggregator{Mixed: true}
	for i := 0; a.Add(kpl.User{PartitionKey: fmt.Sprintf("device-%012d", i), Data: bytes.Repeat([]byte("x"), 100)}); i++ {
	}
	data := a.Flush().Data
	half := kpl.NewRange(shard.HashRange{Start: "0", End: "170141183460469231731687303715884105727"})
	for _, policy := range []kpl.Policy{kpl.Deliver, kpl.Drop, kpl.Whole} {
		b.Run(policy.String(), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for range b.N {
				u := kpl.Unpacker{Policy: policy, Hashes: half}
				u.Feed([]shard.Record{raw("1", data)})
				for more := true; more; more = u.Left() {
					records, odd := u.Take(10_000, 10<<20)
					n += len(records) + odd.Dropped
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
		})
	}
}

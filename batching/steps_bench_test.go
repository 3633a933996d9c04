package batching

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// BenchmarkDecideSuccess is a batch of a hundred that its handler accepts: what
// Read and Decide cost where nothing goes wrong.
func BenchmarkDecideSuccess(b *testing.B) {
	records := recordsOf(100)
	var work Work
	b.ReportAllocs()
	for b.Loop() {
		work.Begin(len(records))
		s, _ := work.Next()
		work.Settle(Policy{}.Decide(s, Read(records, nil)))
	}
}

// BenchmarkBisect finds one record at fault among a thousand by halving.
func BenchmarkBisect(b *testing.B) {
	records, fault := recordsOf(1000), errors.New("bad")
	policy := Policy{Bisect: true, MaximumRetryAttempts: AtMost(0)}
	b.ReportAllocs()
	for b.Loop() {
		work := NewWork(len(records))
		for s, ok := work.Next(); ok; s, ok = work.Next() {
			var err error
			if s.From <= 700 && 700 < s.To {
				err = fault
			}
			work.Settle(policy.Decide(s, Read(records[s.From:s.To], err)))
		}
	}
}

// BenchmarkGate passes records of a thousand keys: none of them held, and each of
// them limited.
func BenchmarkGate(b *testing.B) {
	records := make([]shard.Record, 1000)
	for i := range records {
		records[i] = shard.Record{PartitionKey: "user-" + strconv.Itoa(i), Keyed: true}
	}
	for name, limit := range map[string]KeyLimit{"idle": {}, "limited": {RecordsPerSecond: 1000, Burst: 1000}} {
		b.Run(name, func(b *testing.B) {
			g := NewGate(limit)
			now := origin
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				r := &records[n%1000]
				now = now.Add(10 * time.Microsecond)
				if !g.Idle() && !g.Pass(r.PartitionKey, Waiting{Record: *r, Ticket: int64(n), Added: now}) {
					b.Fatal("held")
				}
			}
		})
	}
}

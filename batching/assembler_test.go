package batching

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// overhead is what an empty record counts.
var overhead = int64((&shard.Record{}).Size())

func TestAssemblerIsDue(t *testing.T) {
	add := func(a *Assembler, n int, at time.Duration) {
		for i := range n {
			a.Add(shard.Record{}, int64(i), 0, origin.Add(at))
		}
	}
	tests := []struct {
		name   string
		limits Gathering
		add    int
		flush  bool
		after  time.Duration
		want   bool
	}{
		{"nothing gathered", Gathering{}, 0, true, time.Hour, false},
		{"no window", Gathering{Records: 10}, 1, false, 0, true},
		{"window not over", Gathering{Records: 10, Window: time.Second}, 9, false, time.Second - 1, false},
		{"window over", Gathering{Records: 10, Window: time.Second}, 1, false, time.Second, true},
		{"enough records", Gathering{Records: 10, Window: time.Second}, 10, false, 0, true},
		{"no bound on records", Gathering{Window: time.Second}, 1000, false, 0, false},
		{"enough bytes", Gathering{Bytes: 2 * overhead, Window: time.Second}, 2, false, 0, true},
		{"not enough bytes", Gathering{Bytes: 2*overhead + 1, Window: time.Second}, 2, false, 0, false},
		{"flushed", Gathering{Window: time.Second}, 1, true, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := NewAssembler(test.limits)
			add(a, test.add, 0)
			if test.flush {
				a.Flush()
			}
			now := origin.Add(test.after)
			if got := a.Due(now); got != test.want {
				t.Errorf("due %v, want %v", got, test.want)
			}
			if at, ok := a.DueAt(); ok != (test.add > 0) || (ok && !at.After(now)) != test.want {
				t.Errorf("due at %s %v, now %s", at, ok, now)
			}
		})
	}
}

func TestAssemblerMeasuresTheWindowOfWhatRemains(t *testing.T) {
	a := NewAssembler(Gathering{Records: 2, Window: time.Minute})
	for i := range 3 {
		a.Add(shard.Record{}, int64(i), 0, origin.Add(time.Duration(i)*time.Second))
	}
	a.Take()
	if at, ok := a.DueAt(); !ok || !at.Equal(origin.Add(time.Minute+2*time.Second)) {
		t.Errorf("due at %s %v, want a minute after the third was added", at, ok)
	}
	if oldest, ok := a.Oldest(); !ok || !oldest.Equal(origin.Add(2*time.Second)) {
		t.Errorf("oldest %s %v, want the third", oldest, ok)
	}
}

func TestFlushIsForWhatIsGatheredThen(t *testing.T) {
	a := NewAssembler(Gathering{Records: 2, Window: time.Minute})
	for i := range 3 {
		a.Add(shard.Record{}, int64(i), 0, origin)
	}
	a.Flush()
	a.Take()
	if !a.Due(origin) {
		t.Error("the third record was flushed, and waits")
	}
	a.Add(shard.Record{}, 3, 0, origin)
	if g := a.Take(); len(g.Records) != 2 {
		t.Errorf("took %d, want the fourth with the third", len(g.Records))
	}
	a.Add(shard.Record{}, 4, 0, origin)
	if a.Due(origin) {
		t.Error("a record that came after the flush does not wait")
	}
}

func TestTakeAlwaysTakesOne(t *testing.T) {
	a := NewAssembler(Gathering{Bytes: 10})
	a.Add(shard.Record{Data: make([]byte, 100)}, 0, time.Second, origin)
	a.Add(shard.Record{}, 1, time.Minute, origin)
	if g := a.Take(); len(g.Records) != 1 || g.Behind != time.Second || g.Bytes != 100+overhead {
		t.Errorf("took %d records, %d bytes, %s behind; want the one that is too large", len(g.Records), g.Bytes, g.Behind)
	}
	a.Take()
	if g := a.Take(); len(g.Records) != 0 || a.Bytes() != 0 {
		t.Errorf("took %d of nothing, %d bytes remain", len(g.Records), a.Bytes())
	}
}

// Whatever is added and taken, the batches are the records in order, within
// bounds, and no batch is changed by what happens later.
func TestAssemblerLosesAndReordersNothing(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 4))
		limits := Gathering{Records: random.IntN(20), Bytes: random.Int64N(20) * overhead, Window: time.Minute}
		a := NewAssembler(limits)
		var taken []Gathered
		var added, bytes int64
		for range 300 {
			if random.IntN(3) > 0 {
				for range random.IntN(15) {
					r := shard.Record{Sub: added, Data: make([]byte, random.IntN(300))}
					a.Add(r, added, time.Duration(added), origin)
					added++
					bytes += int64(r.Size())
				}
				continue
			}
			g := a.Take()
			bytes -= g.Bytes
			taken = append(taken, g)
		}
		for a.Len() > 0 {
			g := a.Take()
			bytes -= g.Bytes
			taken = append(taken, g)
		}
		if bytes != 0 || a.Bytes() != 0 {
			t.Fatalf("seed %d: %d bytes not accounted for, %d said to remain", seed, bytes, a.Bytes())
		}
		var next int64
		for _, g := range taken {
			if limits.Records > 0 && len(g.Records) > limits.Records {
				t.Fatalf("seed %d: a batch of %d, want at most %d", seed, len(g.Records), limits.Records)
			}
			if limits.Bytes > 0 && g.Bytes > limits.Bytes && len(g.Records) > 1 {
				t.Fatalf("seed %d: a batch of %d bytes, want at most %d", seed, g.Bytes, limits.Bytes)
			}
			for i, ticket := range g.Tickets {
				if ticket != next || g.Records[i].Sub != next {
					t.Fatalf("seed %d: ticket %d with record %d, want %d", seed, ticket, g.Records[i].Sub, next)
				}
				next++
			}
			if n := len(g.Tickets); n > 0 && g.Behind != time.Duration(next-1) {
				t.Fatalf("seed %d: behind is not that of the last record", seed)
			}
		}
		if next != added {
			t.Fatalf("seed %d: %d records came out of %d", seed, next, added)
		}
	}
}

// BenchmarkAssembler gathers and takes batches of a hundred.
func BenchmarkAssembler(b *testing.B) {
	a := NewAssembler(Gathering{Records: 100, Window: time.Second})
	r := shard.Record{Sequence: "49601189658422359378836298521827638475320189012309704722", PartitionKey: "user-1"}
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		a.Add(r, n, 0, origin)
		if n++; a.Due(origin) {
			a.Take()
		}
	}
}

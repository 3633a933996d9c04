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
		var behind []time.Duration // by ticket
		for range 300 {
			if random.IntN(3) > 0 {
				together := random.IntN(2) > 0
				var records []shard.Record
				var tickets []int64
				for range random.IntN(15) {
					r := shard.Record{Sub: added, Data: make([]byte, random.IntN(300))}
					if records, tickets = append(records, r), append(tickets, added); !together {
						a.Add(r, added, time.Duration(added), origin)
					}
					behind = append(behind, time.Duration(added))
					added++
					bytes += int64(r.Size())
				}
				if together {
					a.AddAll(records, tickets, time.Duration(added), origin)
					for i := range tickets {
						behind[tickets[i]] = time.Duration(added)
					}
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
			if n := len(g.Tickets); n > 0 && g.Behind != behind[next-1] {
				t.Fatalf("seed %d: behind is not that of the last record", seed)
			}
		}
		if next != added {
			t.Fatalf("seed %d: %d records came out of %d", seed, next, added)
		}
	}
}

// A batch that lies within what was added together is a view of it: nothing is
// allocated, and nothing behind it can be written through it.
func TestBatchesOfOneReadAreViewsOfIt(t *testing.T) {
	records, tickets := make([]shard.Record, 1000), make([]int64, 1000)
	a := NewAssembler(Gathering{Records: 100})
	a.AddAll(records, tickets, 0, origin)
	allocated := testing.AllocsPerRun(8, func() { // and once before
		if g := a.Take(); cap(g.Records) != 100 || cap(g.Tickets) != 100 {
			t.Fatalf("took %d of room for %d, want 100 of 100", len(g.Records), cap(g.Records))
		}
	})
	if allocated > 0 {
		t.Errorf("a batch made %v allocations", allocated)
	}
	if g := a.Take(); &g.Records[99] != &records[999] {
		t.Error("the last batch is a copy")
	}
}

// What is left of a read and is to wait for a window does not keep all of the
// read alive.
func TestRestThatWaitsIsCopied(t *testing.T) {
	a := NewAssembler(Gathering{Records: 100, Window: time.Minute})
	records := make([]shard.Record, 120)
	a.AddAll(records, make([]int64, 120), 0, origin)
	a.Take()
	if a.Len() != 20 || &a.first().records[0] == &records[100] {
		t.Errorf("%d records wait in what was read, want 20 in room of their own", a.Len())
	}
	if at, _ := a.DueAt(); !at.Equal(origin.Add(time.Minute)) {
		t.Errorf("they are due at %s", at)
	}
}

// BenchmarkAssembler gathers and takes batches of a hundred: records that come
// one by one, and a thousand at a time.
func BenchmarkAssembler(b *testing.B) {
	r := shard.Record{Sequence: "49601189658422359378836298521827638475320189012309704722", PartitionKey: "user-1"}
	b.Run("one by one", func(b *testing.B) {
		a := NewAssembler(Gathering{Records: 100, Window: time.Second})
		b.ReportAllocs()
		var n int64
		for b.Loop() {
			a.Add(r, n, 0, origin)
			if n++; a.Due(origin) {
				a.Take()
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		a := NewAssembler(Gathering{Records: 100, Window: time.Second})
		records, tickets := make([]shard.Record, 1000), make([]int64, 1000)
		for i := range records {
			records[i] = r
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%1000 == 0 {
				a.AddAll(records, tickets, 0, origin)
			}
			if n%100 == 0 {
				a.Take()
			}
		}
	})
}

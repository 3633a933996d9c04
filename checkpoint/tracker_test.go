package checkpoint

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/internal/scenariotest"
	"github.com/towpath/towpath/shard"
)

var origin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func record(n int) *shard.Record {
	return &shard.Record{Shard: "s", Sequence: strconv.Itoa(n), ArrivedAt: origin.Add(time.Duration(n) * time.Second)}
}

func TestTrackerScenarios(t *testing.T) {
	scenariotest.Run(t, "testdata/tracker.txt", func(t *testing.T, input []string) []string {
		tracker := NewTracker(Progress{Position: shard.TrimHorizon()})
		tickets := map[string]int64{}
		var out []string
		for _, line := range input {
			words := strings.Fields(line)
			switch words[0] {
			case "from":
				tracker = NewTracker(Progress{Position: shard.After(words[1], 0), Arrived: origin})
			case "begin":
				for _, w := range words[1:] {
					sequence, index, _ := strings.Cut(w, "/")
					sub, _ := strconv.ParseInt("0"+index, 10, 64)
					n, err := strconv.Atoi(sequence)
					if err != nil {
						t.Fatal(err)
					}
					r := record(n)
					r.Sub = sub
					tickets[w] = tracker.Begin(r)
				}
			case "done":
				var done []int64
				for _, w := range words[1:] {
					ticket, ok := tickets[w]
					if !ok {
						ticket = 1000 // was never given
					}
					done = append(done, ticket)
				}
				tracker.Done(done...)
			default:
				t.Fatalf("no such step: %s", line)
			}
			mark, arrived := tracker.Mark()
			state := fmt.Sprintf("%s: mark %s, pending %d", line, mark, tracker.Pending())
			if !arrived.IsZero() {
				state += ", arrived " + arrived.Sub(origin).String()
			}
			if oldest, ok := tracker.Oldest(); ok {
				state += ", oldest " + oldest.String()
			}
			out = append(out, state)
		}
		return out
	})
}

// The mark is compared with what a list of all records says, over random orders
// of beginning and finishing.
func TestTrackerHoldsBackUnfinished(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		tracker := NewTracker(Progress{Position: shard.TrimHorizon()})
		var done []bool
		var open []int64
		for range 400 {
			if random.IntN(2) == 0 || len(open) == 0 {
				ticket := tracker.Begin(record(len(done) + 1))
				if ticket != int64(len(done)) {
					t.Fatalf("seed %d: ticket %d, want %d", seed, ticket, len(done))
				}
				open = append(open, ticket)
				done = append(done, false)
			} else {
				n := min(len(open), 1+random.IntN(5))
				random.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
				tracker.Done(open[:n]...)
				tracker.Done(open[0], -1, int64(len(done))) // again, and two that never were
				for _, ticket := range open[:n] {
					done[ticket] = true
				}
				open = open[n:]
			}
			want := 0
			for want < len(done) && done[want] {
				want++
			}
			mark, arrived := tracker.Mark()
			if want == 0 && !mark.IsTrimHorizon() || want > 0 && mark.Sequence != strconv.Itoa(want) {
				t.Fatalf("seed %d: mark %s, want %d", seed, mark, want)
			}
			if want > 0 && !arrived.Equal(record(want).ArrivedAt) {
				t.Fatalf("seed %d: arrived %s, want that of %d", seed, arrived, want)
			}
			if tracker.Pending() != len(open) {
				t.Fatalf("seed %d: pending %d, want %d", seed, tracker.Pending(), len(open))
			}
			oldest, ok := tracker.Oldest()
			if ok != (want < len(done)) || ok && oldest.Sequence != strconv.Itoa(want+1) {
				t.Fatalf("seed %d: oldest %s %v, want %d of %d", seed, oldest, ok, want+1, len(done))
			}
		}
	}
}

func TestTrackerNeverMovesBack(t *testing.T) {
	tracker := NewTracker(Progress{Position: shard.After("50", 0), Arrived: origin})
	tracker.Done(tracker.Begin(record(10)))
	if mark, arrived := tracker.Mark(); mark.Sequence != "50" || !arrived.Equal(origin) {
		t.Errorf("mark %s arrived %s, want 50 and its own arrival", mark, arrived)
	}
}

func TestTrackerKeepsUnknownArrivalZero(t *testing.T) {
	tracker := NewTracker(Progress{Position: shard.TrimHorizon(), Arrived: origin})
	r := record(1)
	r.ArrivedAt = time.Time{}
	tracker.Done(tracker.Begin(r))
	if _, arrived := tracker.Mark(); !arrived.IsZero() {
		t.Errorf("arrived %s, want zero", arrived)
	}
}

func TestTrackerAllocatesNothingPerRecord(t *testing.T) {
	tracker := NewTracker(Progress{})
	r := record(1)
	for range 1000 {
		tracker.Done(tracker.Begin(r))
	}
	if n := testing.AllocsPerRun(1000, func() { tracker.Done(tracker.Begin(r)) }); n != 0 {
		t.Errorf("%v allocations for a record, want 0", n)
	}
}

func ExampleTracker() {
	tracker := NewTracker(Progress{Position: shard.TrimHorizon()})
	a := tracker.Begin(&shard.Record{Sequence: "101"})
	b := tracker.Begin(&shard.Record{Sequence: "102"})
	tracker.Done(b)
	mark, _ := tracker.Mark()
	fmt.Println(mark, tracker.Pending())
	tracker.Done(a)
	mark, _ = tracker.Mark()
	fmt.Println(mark, tracker.Pending())
	// Output:
	// TRIM_HORIZON 1
	// 102 0
}

// At rest a tracker has no room, and goes on with the next ticket where it was.
func TestTrackerAtRestHoldsNoRoom(t *testing.T) {
	tr := NewTracker(Progress{})
	for i := range 5000 {
		tr.Begin(record(i + 1))
	}
	for i := range int64(4999) {
		tr.Done(i)
	}
	if tr.Rest(); tr.Pending() != 1 || tr.ring == nil {
		t.Fatal("a tracker with a record in hand is not at rest")
	}
	tr.Done(4999)
	if tr.Rest(); tr.ring != nil {
		t.Errorf("room for %d is kept", len(tr.ring))
	}
	tr.Rest()
	if ticket := tr.Begin(record(5001)); ticket != 5000 {
		t.Errorf("the next ticket is %d", ticket)
	}
	tr.Done(5000)
	if at, _ := tr.Mark(); at != record(5001).Position() {
		t.Errorf("the mark is %s", at)
	}
}

// BenchmarkTracker keeps a thousand records in flight and finishes them in
// groups of four, last first.
func BenchmarkTracker(b *testing.B) {
	tracker := NewTracker(Progress{})
	r := record(1)
	r.Sequence = "49601189658422359378836298521827638475320189012309704722"
	for range 1000 {
		tracker.Begin(r)
	}
	done := make([]int64, 4)
	b.ReportAllocs()
	var next int64
	for b.Loop() {
		tracker.Begin(r)
		if next++; next%4 == 0 {
			for i := range done {
				done[i] = next - 1 - int64(i)
			}
			tracker.Done(done...)
		}
	}
}

// What is written with a position wants all before it finished, and not only what
// has come so far.
func TestFinishedBeforeIsOfEveryRecordBefore(t *testing.T) {
	tr := NewTracker(Progress{})
	for i := range 3 {
		tr.Begin(&shard.Record{Sequence: strconv.Itoa(i + 1)})
	}
	tr.Done(1)
	for ticket, want := range []bool{true, false, false} {
		if got := tr.FinishedBefore(int64(ticket)); got != want {
			t.Errorf("before the third of three, with the second finished: ticket %d got %v, want %v", ticket, got, want)
		}
	}
	if tr.Done(0); !tr.FinishedBefore(2) || tr.FinishedBefore(3) {
		t.Errorf("with the first two finished: before the third %v, behind it %v", tr.FinishedBefore(2), tr.FinishedBefore(3))
	}
}

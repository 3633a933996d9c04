package main

import (
	"testing"
	"time"

	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
)

// The time to catch up is what is behind by what is done more than comes; never,
// if that is nothing.
func TestCatchUpIsBacklogByWhatIsDoneMore(t *testing.T) {
	known := func(records float64) rate { return rate{Records: records, Known: true} }
	for _, c := range []struct {
		name              string
		backlog           int64
		behind            time.Duration
		handling, arrival rate
		want              time.Duration
		how               string
	}{
		{"nothing behind", 0, 0, rate{}, rate{}, 0, caughtUp},
		{"faster than it comes", 1000, time.Minute, known(30), known(10), 50 * time.Second, inTime},
		{"nothing comes", 1000, time.Hour, known(10), known(0), 100 * time.Second, inTime},
		{"as fast as it comes", 1000, time.Minute, known(10), known(10), 0, never},
		{"slower than it comes", 1000, time.Minute, known(9), known(10), 0, never},
		{"nothing is done", 1000, time.Minute, known(0), known(0), 0, never},
		{"so little faster that it is never", 1 << 50, time.Hour, known(10.0001), known(10), 0, never},
		{"what came since the position was written", 100, 9 * time.Second, known(10), known(10), 0, keepingUp},
		{"little behind, and nothing done", 100, 9 * time.Second, known(0), known(10), 0, never},
		{"nobody knows what is done", 1000, time.Minute, rate{}, known(10), 0, unknown},
		{"nobody knows what comes", 1000, time.Minute, known(10), rate{}, 0, unknown},
	} {
		if got, how := catchUp(c.backlog, c.behind, c.handling, c.arrival); got != c.want || how != c.how {
			t.Errorf("%s: got %s %s, want %s %s", c.name, how, got, c.how, c.want)
		}
	}
}

// A backlog is exact where a read reached the tip, and else what was read with
// what comes in the time that is left.
func TestBacklogIsCountedOrEstimated(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	read := page{amount: amount{100, 5000}, First: at, Last: at.Add(10 * time.Second), Rest: time.Minute}
	whole := read
	whole.Whole, whole.Rest = true, 0
	for _, c := range []struct {
		name string
		p    page
		in   rate
		want amount
		how  string
	}{
		{"to the tip", whole, rateOf(amount{7, 7}, time.Second), amount{100, 5000}, byCount},
		{"by what comes", read, rateOf(amount{2, 10}, time.Second), amount{220, 5600}, byEstimate},
		{"by the page where nothing comes", read, rateOf(amount{}, time.Second), amount{700, 35000}, byEstimate},
		{"by the page where nobody looked", read, rate{}, amount{700, 35000}, byEstimate},
		{"by nothing", page{Rest: time.Minute}, rate{}, amount{}, unknown},
	} {
		if got, how := backlogOf(c.p, c.in); got != c.want || how != c.how {
			t.Errorf("%s: got %+v %s, want %+v %s", c.name, got, how, c.want, c.how)
		}
	}
	if got := whole.behind(at.Add(time.Minute)); got != time.Minute {
		t.Errorf("the oldest record waits for %s, want 1m", got)
	}
	if got := (page{Whole: true}).behind(at); got != 0 {
		t.Errorf("nothing waits for %s", got)
	}
	if got := (page{Rest: time.Hour}).behind(at); got != time.Hour {
		t.Errorf("behind an empty page is %s, want 1h", got)
	}
}

// The pace of a shard is measured between positions that were seen to be written.
func TestPaceIsMeasuredBetweenWrittenPositions(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	p := func(s string) shard.Position { return shard.After(s, 0) }
	moves := []move{{at, p("1"), p("2")}, {at.Add(3 * time.Second), p("2"), p("5")}, {at.Add(7 * time.Second), p("5"), p("9")}}
	for n, want := range map[int]struct {
		from, to shard.Position
		in       time.Duration
	}{
		0: {in: 10 * time.Second}, 1: {p("1"), p("2"), 10 * time.Second}, 2: {p("2"), p("5"), 3 * time.Second}, 3: {p("2"), p("9"), 7 * time.Second},
	} {
		if from, to, in := stretch(moves[:n], 10*time.Second); from != want.from || to != want.to || in != want.in {
			t.Errorf("of %d moves: %s to %s in %s, want %+v", n, from, to, in, want)
		}
	}
}

func TestTotalIsTheSumAndTheWorst(t *testing.T) {
	all := []lagging{
		{Behind: overview.Seconds(time.Second), Records: 3, Bytes: 30, By: byCount, arrival: rate{1, 10, true}, handling: rate{2, 20, true}, CatchUp: inTime, CatchUpIn: overview.Seconds(time.Minute)},
		{Behind: overview.Seconds(time.Minute), Records: 4, Bytes: 40, By: byEstimate, arrival: rate{1, 10, true}, handling: rate{1, 10, true}, CatchUp: keepingUp},
	}
	got := totalOf(all)
	if got.Behind.Of() != time.Minute || got.Records != 7 || got.Bytes != 70 || got.By != byEstimate || *got.Arrival != 2 || *got.Handling != 3 || got.CatchUp != inTime || got.CatchUpIn.Of() != time.Minute {
		t.Errorf("the total is %+v", got)
	}
	all[1].CatchUp, all[1].arrival.Known = never, false
	if got = totalOf(all); got.CatchUp != never || got.CatchUpIn != 0 || got.Arrival != nil {
		t.Errorf("with one that never does the total is %+v", got)
	}
}

package batching_test

import (
	"flag"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// property checks a property in so many cases.
func property(t *testing.T, cases int, prop func(*rapid.T)) {
	t.Helper()
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(cases), "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, prop)
}

// Bisecting gives up exactly the records that cannot be handled, handles each of
// the others once, in order, and needs at most k·⌈log₂ n⌉ + k failing calls for k
// of n.
func TestBisectIsolatesExactlyThePoison(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		poison := map[int]bool{}
		for range rapid.IntRange(0, min(n, 8)).Draw(t, "k") {
			poison[rapid.IntRange(0, n-1).Draw(t, "poison")] = true
		}
		policy := batching.Policy{Bisect: true, MaximumRetryAttempts: batching.AtMost(0)}
		work := batching.NewWork(n)
		var handled, givenUp []int
		failing, next := 0, 0
		for s, ok := work.Next(); ok; s, ok = work.Next() {
			if s.From != next {
				t.Fatalf("called with %s, want it to begin at %d", s, next)
			}
			var o batching.Outcome
			for i := s.From; i < s.To; i++ {
				o.Failed = o.Failed || poison[i]
			}
			if o.Failed {
				failing++
			}
			v := policy.Decide(s, o)
			for i := range v.Handled {
				handled = append(handled, s.From+i)
			}
			for i := range v.GiveUp {
				givenUp = append(givenUp, s.From+v.Handled+i)
			}
			next = s.From + v.Handled + v.GiveUp
			work.Settle(v)
		}
		for i := range n {
			if slices.Contains(givenUp, i) != poison[i] || slices.Contains(handled, i) == poison[i] {
				t.Fatalf("record %d: given up %v, handled %v", i, givenUp, handled)
			}
		}
		if len(handled)+len(givenUp) != n || !slices.IsSorted(handled) || work.Remaining() != 0 {
			t.Fatalf("of %d, handled %v, given up %v", n, handled, givenUp)
		}
		if k := len(poison); failing > k*bits.Len(uint(n-1))+k {
			t.Fatalf("%d failing calls for %d of %d", failing, k, n)
		}
	})
}

// A handler that names the record it fails at is called once with each poison
// record alone, and its others cost no failing call more than one for each.
func TestNamedRecordIsIsolatedAtOnce(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "n")
		poison := map[int]bool{}
		for range rapid.IntRange(0, min(n, 8)).Draw(t, "k") {
			poison[rapid.IntRange(0, n-1).Draw(t, "poison")] = true
		}
		policy := batching.Policy{Bisect: true, MaximumRetryAttempts: batching.AtMost(0)}
		work := batching.NewWork(n)
		failing, settled := 0, 0
		for s, ok := work.Next(); ok; s, ok = work.Next() {
			var o batching.Outcome
			for i := s.From; i < s.To && !o.Failed; i++ {
				if poison[i] {
					o = batching.Outcome{Failed: true, Partial: true, From: i - s.From}
					failing++
				}
			}
			v := policy.Decide(s, o)
			for i := s.From + v.Handled; i < s.From+v.Handled+v.GiveUp; i++ {
				if !poison[i] {
					t.Fatalf("record %d is given up", i)
				}
			}
			settled += v.Handled + v.GiveUp
			work.Settle(v)
		}
		if settled != n || failing > 2*len(poison) {
			t.Fatalf("%d settled of %d, %d failing calls for %d poison records", settled, n, failing, len(poison))
		}
	})
}

// Nothing overtakes at a Gate: whatever is set aside, paused and limited, each key's
// records come out in order and once, and all of them at last.
func TestGateKeepsTheOrderOfKeys(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		var limit batching.KeyLimit
		if rapid.Bool().Draw(t, "limited") {
			limit = batching.KeyLimit{RecordsPerSecond: float64(rapid.IntRange(1, 5).Draw(t, "rate")), Burst: rapid.IntRange(0, 3).Draw(t, "burst")}
		}
		g := newGated(t, limit)
		for _, op := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 60).Draw(t, "ops") {
			key := fmt.Sprint("key", rapid.IntRange(0, 2).Draw(t, "key"))
			switch {
			case op < 5:
				g.come(key)
			case op == 5:
				g.settle(key)
			case op == 6:
				g.fail(key)
			case op == 7:
				g.pause(key)
			default:
				g.now = g.now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
				g.advance(rapid.Bool().Draw(t, "own fails"))
			}
			g.count()
		}
		g.pause("")
		for range 400 {
			g.now = g.now.Add(time.Second)
			g.advance(false)
			for key := range g.out {
				g.settle(key)
			}
		}
		for key, came := range g.came {
			if !slices.Equal(g.settled[key], came) {
				t.Fatalf("%s: settled %v, want %v", key, g.settled[key], came)
			}
		}
		if g.Keys() != 0 || g.Records() != 0 || g.Bytes() != 0 {
			t.Fatalf("%d keys, %d records and %d bytes are left", g.Keys(), g.Records(), g.Bytes())
		}
	})
}

// gated is a gate, and what lies behind it: records that are out and not settled.
type gated struct {
	*batching.Gate
	t             *rapid.T
	now           time.Time
	next          int64
	paused        string
	came, settled map[string][]int64
	out           map[string][]batching.Waiting
	until         map[string]time.Time // of keys that are set aside
}

func newGated(t *rapid.T, limit batching.KeyLimit) *gated {
	return &gated{
		Gate: batching.NewGate(limit), t: t, now: time.Unix(0, 0),
		came: map[string][]int64{}, settled: map[string][]int64{}, out: map[string][]batching.Waiting{}, until: map[string]time.Time{},
	}
}

func (g *gated) come(key string) {
	w := batching.Waiting{Record: shard.Record{PartitionKey: key, Data: []byte(key)}, Ticket: g.next, Added: g.now}
	g.next++
	g.came[key] = append(g.came[key], w.Ticket)
	if g.Idle() || g.Pass(key, w) {
		g.passed(key, w)
	}
}

func (g *gated) passed(key string, w batching.Waiting) {
	if n := len(g.settled[key]) + len(g.out[key]); g.came[key][n] != w.Ticket {
		g.t.Fatalf("%s: %d comes out, want %d", key, w.Ticket, g.came[key][n])
	}
	g.out[key] = append(g.out[key], w)
}

// settle has the lane finish what it has of a key.
func (g *gated) settle(key string) {
	for _, w := range g.out[key] {
		g.settled[key] = append(g.settled[key], w.Ticket)
	}
	delete(g.out, key)
}

// fail has the lane fail with what it has of a key, which is set aside.
func (g *gated) fail(key string) {
	if len(g.out[key]) == 0 || g.Calling(key) {
		return
	}
	g.giveBack(key, g.out[key], 1)
	delete(g.out, key)
}

func (g *gated) giveBack(key string, waiting []batching.Waiting, attempts int) {
	var back batching.Gathered
	for _, w := range waiting {
		back.Records, back.Tickets = append(back.Records, w.Record), append(back.Tickets, w.Ticket)
	}
	g.Return(key, back, g.now)
	g.until[key] = g.now.Add(time.Second)
	g.SetAside(key, attempts, g.until[key], g.now)
}

func (g *gated) pause(key string) {
	if g.paused = key; key == "" {
		g.SetPaused(nil, g.now)
		return
	}
	hash := batching.HashKey(key)
	g.SetPaused(func(h string) bool { return h == hash }, g.now)
}

// advance lets time pass, and calls what was set aside and is due.
func (g *gated) advance(fails bool) {
	g.Advance(g.now, g.passed)
	var due []string
	g.Due(func(key string, _ *shard.Record) { due = append(due, key) })
	for _, key := range due {
		if g.now.Before(g.until[key]) || g.Paused(key) {
			g.t.Fatalf("%s is due at %v, want %v and not paused", key, g.now, g.until[key])
		}
		if len(g.out[key]) > 0 {
			g.t.Fatalf("%s is due while records of it are out", key)
		}
		batch, attempts := g.Take(key, batching.Gathering{Records: 3}, g.now)
		var taken []batching.Waiting
		for i, r := range batch.Records {
			taken = append(taken, batching.Waiting{Record: r, Ticket: batch.Tickets[i]})
		}
		if len(taken) == 0 {
			g.t.Fatalf("%s is due, and there is nothing of it", key)
		}
		for _, w := range taken {
			g.passed(key, w)
		}
		if fails {
			delete(g.out, key)
			g.giveBack(key, taken, attempts+1)
			continue
		}
		g.settle(key)
		g.Settled(key, g.now)
	}
}

// count holds what the gate says it has against what has not come out.
func (g *gated) count() {
	want := 0
	for key, came := range g.came {
		n := len(came) - len(g.settled[key]) - len(g.out[key])
		if g.Len(key) != n {
			g.t.Fatalf("%s: %d wait, want %d", key, g.Len(key), n)
		}
		want += n
	}
	if g.Records() != want {
		g.t.Fatalf("%d wait, want %d", g.Records(), want)
	}
}

// A key never gets more than its burst and what its rate brings, and as much as
// that if it asks for it.
func TestKeyLimitIsKeptAndUsed(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		limit := batching.KeyLimit{RecordsPerSecond: float64(rapid.IntRange(1, 50).Draw(t, "rate")), Burst: rapid.IntRange(0, 20).Draw(t, "burst")}
		burst := float64(limit.Burst)
		if limit.Burst == 0 {
			burst = limit.RecordsPerSecond
		}
		g := batching.NewGate(limit)
		now := time.Unix(0, 0)
		passed := 0
		for ticket := range int64(200) { // more than it may have
			if g.Pass("key", batching.Waiting{Ticket: ticket, Added: now}) {
				passed++
			}
		}
		var since time.Duration
		for range rapid.IntRange(1, 20).Draw(t, "looks") {
			step := time.Duration(rapid.IntRange(1, 400).Draw(t, "ms")) * time.Millisecond
			since += step
			// The gate is looked at when it says so, as the engine does.
			for {
				at, ok := g.DueAt()
				if !ok || at.After(now.Add(since)) {
					break
				}
				g.Advance(at, func(string, batching.Waiting) { passed++ })
			}
			most := burst + since.Seconds()*limit.RecordsPerSecond
			if float64(passed) > most+1e-3 {
				t.Fatalf("%d passed in %v, want at most %.2f", passed, since, most)
			}
			if least := min(most, 200) - 1.001; float64(passed) < least {
				t.Fatalf("%d passed in %v, want at least %.2f", passed, since, least)
			}
		}
	})
}

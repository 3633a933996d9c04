package batching_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

var gateStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// yard is a gate with a lane behind it.
type yard struct {
	*batching.Gate
	now    time.Time
	ticket int64
	passed []string
}

func newYard(limit batching.KeyLimit) *yard {
	return &yard{Gate: batching.NewGate(limit), now: gateStart}
}

func (y *yard) put(key, data string) bool {
	y.ticket++
	passes := y.Pass(key, batching.Waiting{Record: shard.Record{PartitionKey: key, Keyed: true, Data: []byte(data)}, Ticket: y.ticket, Added: y.now})
	if passes {
		y.passed = append(y.passed, key+data)
	}
	return passes
}

func (y *yard) after(d time.Duration) {
	y.now = y.now.Add(d)
	y.Advance(y.now, func(key string, w batching.Waiting) { y.passed = append(y.passed, key+string(w.Record.Data)) })
}

// wants compares what has passed since the last look.
func (y *yard) wants(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(y.passed, " "); got != want {
		t.Errorf("at %v there passed %q, want %q", y.now.Sub(gateStart), got, want)
	}
	y.passed = nil
}

func one(key, data string) batching.Gathered {
	return batching.Gathered{Records: []shard.Record{{PartitionKey: key, Keyed: true, Data: []byte(data)}}, Tickets: []int64{0}}
}

func (y *yard) due() (keys []string) {
	y.Due(func(key string, _ *shard.Record) { keys = append(keys, key) })
	return keys
}

func TestGateLetsOthersPassWhileAKeyIsSetAside(t *testing.T) {
	y := newYard(batching.KeyLimit{})
	if !y.Idle() {
		t.Error("a new gate is not idle")
	}
	y.Return("a", one("a", "1"), y.now)
	y.SetAside("a", 3, y.now.Add(5*time.Second), y.now)
	y.put("a", "2")
	y.put("b", "1")
	y.put("a", "3")
	y.wants(t, "b1")
	if got := y.Records(); got != 3 {
		t.Errorf("%d records wait, want 3", got)
	}
	if at, ok := y.DueAt(); !ok || !at.Equal(gateStart.Add(5*time.Second)) {
		t.Errorf("due at %v (%v), want in 5s", at, ok)
	}
	y.after(4 * time.Second)
	if keys := y.due(); len(keys) != 0 {
		t.Errorf("%q are due too early", keys)
	}
	y.after(time.Second)
	if keys := y.due(); !slices.Equal(keys, []string{"a"}) {
		t.Fatalf("%q are due, want a", keys)
	}
	batch, attempts := y.Take("a", batching.Gathering{Records: 2}, y.now)
	if attempts != 3 || len(batch.Records) != 2 || string(batch.Records[0].Data) != "1" || string(batch.Records[1].Data) != "2" {
		t.Errorf("the batch has %d records after %d attempts, want records 1 and 2 after 3", len(batch.Records), attempts)
	}
	if keys := y.due(); len(keys) != 0 {
		t.Errorf("%q are due while their batch is out", keys)
	}
	y.put("a", "4")
	y.after(time.Hour)
	y.wants(t, "")
	y.Settled("a", y.now)
	y.after(0)
	y.wants(t, "a3 a4")
	if !y.Idle() || y.Records() != 0 || y.Bytes() != 0 {
		t.Errorf("the gate holds %d keys, %d records, %d bytes, want nothing", y.Keys(), y.Records(), y.Bytes())
	}
	y.put("a", "5")
	y.wants(t, "a5")
}

func TestGateKeepsAKeyWithinItsLimit(t *testing.T) {
	y := newYard(batching.KeyLimit{RecordsPerSecond: 2, Burst: 3})
	for i := range 6 {
		y.put("a", fmt.Sprint(i))
	}
	y.put("b", "0")
	y.wants(t, "a0 a1 a2 b0")
	y.after(499 * time.Millisecond)
	y.wants(t, "")
	at, _ := y.DueAt()
	y.after(at.Sub(y.now))
	y.wants(t, "a3")
	if y.now.Sub(gateStart) > 501*time.Millisecond {
		t.Errorf("the next was due after %v, want 500ms", y.now.Sub(gateStart))
	}
	y.after(500 * time.Millisecond)
	y.wants(t, "a4")
	y.after(500 * time.Millisecond)
	y.wants(t, "a5")
	if y.Keys() != 0 {
		t.Error("the key is held with nothing waiting")
	}
	y.after(time.Minute)
	for i := range 5 {
		y.put("a", fmt.Sprint(i))
	}
	y.wants(t, "a0 a1 a2")
}

// A key is forgotten when its bucket is full again, so that the gate does not
// grow with every key there ever was.
func TestGateForgetsKeysThatAreSilent(t *testing.T) {
	y := newYard(batching.KeyLimit{RecordsPerSecond: 1000})
	for i := range 200_000 {
		y.put(fmt.Sprint("k", i), "")
		if i%1000 == 0 {
			y.passed = nil
			y.after(time.Second)
		}
	}
	if got := y.Counted(); got > 5000 {
		t.Errorf("%d keys are counted, want no more than came lately", got)
	}
}

func TestGateHoldsPausedKeysInOrder(t *testing.T) {
	y := newYard(batching.KeyLimit{})
	hash := batching.HashKey("a")
	y.SetPaused(func(h string) bool { return h == hash }, y.now)
	y.put("a", "1")
	y.put("b", "1")
	y.Return("a", one("a", "0"), y.now) // what a lane had gathered
	y.after(time.Hour)
	y.wants(t, "b1")
	y.SetAside("a", 1, y.now, y.now)
	y.after(time.Hour)
	if keys := y.due(); len(keys) != 0 || !y.Paused("a") {
		t.Errorf("%q are due though paused", keys)
	}
	y.SetPaused(nil, y.now)
	y.after(0)
	if keys := y.due(); len(keys) != 1 {
		t.Errorf("%q are due, want a: it failed before it was paused", keys)
	}
	y.Take("a", batching.Gathering{}, y.now)
	y.Settled("a", y.now)
	y.put("a", "2")
	y.wants(t, "a2")
}

func TestGateKeepsAParkedKeysRecordsUntilTheyAreDropped(t *testing.T) {
	y := newYard(batching.KeyLimit{})
	y.Park("a", y.now)
	for i := range 4 {
		y.put("a", fmt.Sprint(i))
	}
	if got := y.Peek("a", batching.Gathering{Records: 2}); len(got.Records) != 2 || got.Tickets[0] != 1 {
		t.Errorf("peeked %d records from ticket %d, want 2 from 1", len(got.Records), got.Tickets[0])
	}
	y.Remove("a", []int64{1, 2})
	y.after(time.Hour)
	y.wants(t, "")
	y.Unpark("a", y.now)
	y.after(0)
	y.wants(t, "a2 a3")
}

// Whatever happens to keys, the records of each come out in order, none is
// lost, and what is counted is what waits.
func TestGateKeepsTheOrderOfEachKey(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var limit batching.KeyLimit
		if r.IntN(2) == 0 {
			limit = batching.KeyLimit{RecordsPerSecond: 1 + 20*r.Float64(), Burst: r.IntN(5)}
		}
		g := batching.NewGate(limit)
		now := gateStart
		const keys = 4
		put, done := [keys]int{}, [keys]int{}
		pausedKey := ""
		out := func(i int, data []byte) {
			if want := fmt.Sprint(done[i]); string(data) != want {
				t.Fatalf("seed %d: key %d gave out %s, want %s", seed, i, data, want)
			}
			done[i]++
		}
		number := func(key string) int { return int(key[0] - '0') }
		pass := func(key string, w batching.Waiting) { out(number(key), w.Record.Data) }
		for range 400 {
			i := r.IntN(keys)
			key := fmt.Sprint(i)
			switch r.IntN(8) {
			case 0, 1, 2:
				rec := shard.Record{PartitionKey: key, Data: fmt.Append(nil, put[i])}
				put[i]++
				if g.Pass(key, batching.Waiting{Record: rec, Ticket: int64(put[i]), Added: now}) {
					out(i, rec.Data)
				}
			case 3: // the last one that came out failed
				if done[i] > 0 && !g.Parked(key) {
					done[i]--
					g.Return(key, batching.Gathered{Records: []shard.Record{{Data: fmt.Append(nil, done[i])}}, Tickets: []int64{int64(done[i]) + 1}}, now)
					g.SetAside(key, 1, now.Add(time.Duration(r.IntN(2000))*time.Millisecond), now)
				}
			case 4:
				pausedKey = []string{"", key}[r.IntN(2)]
				g.SetPaused(func(h string) bool { return h == batching.HashKey(pausedKey) }, now)
			case 5:
				if r.IntN(2) == 0 {
					g.Park(key, now)
				} else if g.Parked(key) {
					some := g.Peek(key, batching.Gathering{Records: 1 + r.IntN(3)})
					for _, rec := range g.Remove(key, some.Tickets).Records {
						out(i, rec.Data)
					}
					g.Unpark(key, now)
				}
			case 6, 7:
				now = now.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
				g.Advance(now, pass)
				drain(g, now, r, func(key string, data []byte) { out(number(key), data) })
			}
			waits := 0
			for i := range keys {
				waits += put[i] - done[i]
			}
			if g.Records() != waits {
				t.Fatalf("seed %d: %d records wait, %d are counted", seed, waits, g.Records())
			}
		}
		g.SetPaused(nil, now)
		for i := range keys {
			g.Unpark(fmt.Sprint(i), now)
		}
		for range 10_000 {
			g.Advance(now, pass)
			drain(g, now, r, func(key string, data []byte) { out(number(key), data) })
			at, more := g.DueAt()
			if !more {
				break
			}
			now = at
		}
		if put != done || g.Keys() != 0 || g.Bytes() != 0 {
			t.Fatalf("seed %d: put %v, came out %v, %d keys and %d bytes are left", seed, put, done, g.Keys(), g.Bytes())
		}
	}
}

// drain takes every batch that is due, and settles it.
func drain(g *batching.Gate, now time.Time, r *rand.Rand, out func(key string, data []byte)) {
	for {
		taken := ""
		g.Due(func(key string, _ *shard.Record) { taken = key })
		if taken == "" {
			return
		}
		batch, _ := g.Take(taken, batching.Gathering{Records: 1 + r.IntN(3)}, now)
		for _, rec := range batch.Records {
			out(taken, rec.Data)
		}
		g.Settled(taken, now)
	}
}

// What passes costs nothing while nothing is held.
func TestIdleGateAllocatesNothing(t *testing.T) {
	g := batching.NewGate(batching.KeyLimit{})
	g.SetAside("held", 1, gateStart, gateStart)
	w := batching.Waiting{Record: shard.Record{PartitionKey: "a"}, Added: gateStart}
	if n := testing.AllocsPerRun(100, func() {
		if !g.Idle() {
			g.Pass("a", w)
		}
	}); n != 0 {
		t.Errorf("a record that passes costs %v allocations, want none", n)
	}
}

func ExampleGate() {
	g := batching.NewGate(batching.KeyLimit{RecordsPerSecond: 1})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, data := range []string{"first", "second"} {
		w := batching.Waiting{Record: shard.Record{PartitionKey: "tenant-1", Data: []byte(data)}, Added: now}
		fmt.Println(data, "passes:", g.Pass("tenant-1", w))
	}
	at, _ := g.DueAt()
	g.Advance(at, func(_ string, w batching.Waiting) {
		fmt.Println(string(w.Record.Data), "after", at.Sub(now).Round(time.Millisecond))
	})
	// Output:
	// first passes: true
	// second passes: false
	// second after 1s
}

package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
)

var noon = time.Date(2024, 3, 13, 12, 0, 0, 0, time.UTC)

func click(key string, n int, at time.Duration) event {
	return event{Key: key, Time: noon.Add(at), Name: "click", N: n}
}

func TestOnlyAGapOfMoreThanThirtyMinutesStartsASession(t *testing.T) {
	l := newLedger()
	steps := []struct {
		at   time.Duration
		want bool
	}{
		{0, true},
		{30 * time.Minute, false},
		{60*time.Minute + time.Nanosecond, true},
		{60*time.Minute + time.Nanosecond, false},
	}
	for i, s := range steps {
		if v := l.handle(fmt.Sprint(i), click("a", i+1, s.at)); v.NewSession != s.want {
			t.Errorf("event %d at %v: new session %v, want %v", i+1, s.at, v.NewSession, s.want)
		}
	}
	if v := l.handle("other", click("b", 1, time.Hour)); !v.NewSession {
		t.Error("the first event of another key started no session")
	}
	old := event{Key: "c", N: 1} // the year 1 is a time like any other
	if v := l.handle("old", old); !v.NewSession {
		t.Error("a first event at the zero time started no session")
	}
}

func TestASecondDeliveryHasNoSecondEffect(t *testing.T) {
	l := newLedger()
	l.deliver("1")
	l.handle("1", click("a", 1, 0))
	l.handle("2", click("a", 2, time.Hour))
	l.fail("3")
	l.filter("4")
	before := l.sums()

	l.deliver("1")
	if v := l.handle("1", click("a", 1, 0)); !v.Repeat || v.NewSession || v.Violation != "" {
		t.Errorf("second delivery: got %+v, want a repeat and nothing else", v)
	}
	l.fail("3")
	l.filter("4")
	l.fail("1") // handled by one worker, given up by another that was cut off
	l.handle("3", click("b", 1, 0))
	want := before
	want.Redelivered = 5
	if got := l.sums(); got.Redelivered != want.Redelivered || got.Handled != want.Handled || got.Failed != want.Failed ||
		got.Filtered != want.Filtered || got.Read != want.Read || got.Sessions != want.Sessions || got.OrderViolations != 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestARetryIsNotARedelivery(t *testing.T) {
	l := newLedger()
	l.deliver("1") // a first attempt that failed half-way
	l.deliver("1")
	l.handle("1", click("a", 1, 0))
	if got := l.sums(); got.Read != 1 || got.Handled != 1 || got.Redelivered != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestGapsAndInversionsAreOrderViolations(t *testing.T) {
	tests := []struct {
		name     string
		ordinals []int
		want     int
	}{
		{"in order", []int{1, 2, 3}, 0},
		{"replayed from the start", []int{1, 2, 1, 2, 3}, 0},
		{"one missing at the start", []int{2, 3}, 1},
		{"one missing", []int{1, 3, 4}, 1},
		{"two swapped", []int{1, 3, 2, 4}, 2},
		{"not numbered", []int{0, 0, 0}, 0},
	}
	for _, tt := range tests {
		l := newLedger()
		for i, n := range tt.ordinals {
			id := fmt.Sprint("n", n)
			if n == 0 {
				id = fmt.Sprint("i", i)
			}
			l.handle(id, click("a", n, time.Duration(n)*time.Minute))
		}
		if got := l.sums().OrderViolations; got != tt.want {
			t.Errorf("%s: %d violations, want %d", tt.name, got, tt.want)
		}
	}
}

func TestWhatIsDeliveredAndNotEndedIsMissingInTheBooks(t *testing.T) {
	l := newLedger()
	l.deliver("1")
	l.deliver("2")
	l.fail("2")
	if got := l.sums(); got.Read != 2 || got.ended() != 1 {
		t.Errorf("read %d, ended %d; want 2 and 1", got.Read, got.ended())
	}
}

func TestAServiceRemembersKeysAndNotRecords(t *testing.T) {
	l := newServiceLedger()
	l.deliver("1")
	for _, n := range []int{5, 6, 5, 6, 9} { // joined midway, a replay, a gap while the shard was elsewhere
		l.handle(fmt.Sprint(n), click("a", n, time.Duration(n)*time.Minute))
	}
	l.fail("x")
	if len(l.fates) != 0 {
		t.Errorf("it remembers %d records", len(l.fates))
	}
	want := totals{Read: 4, Handled: 3, Failed: 1, Redelivered: 2, Keys: 1, Sessions: 1}
	if got := l.sums(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Workers that are killed leave a tail to be done again, by another, while the
// rest goes on. Whatever the cut, the totals are those of one clean pass.
func TestTotalsAreTheSameWhateverIsReplayed(t *testing.T) {
	f := loadDefault(t)
	type record struct {
		id string
		e  event
	}
	const shards = 4
	var parts [shards][]record // a key lives on one shard
	for i, it := range f.Items {
		e, err := decodeEvent(it.Data)
		if err != nil {
			t.Fatal(err)
		}
		s := int(e.Key[len(e.Key)-1]) % shards
		parts[s] = append(parts[s], record{fmt.Sprint(i), e})
	}
	l := newLedger()
	var wg sync.WaitGroup
	for s := range parts {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(s)))
			for at, saved := 0, 0; at < len(parts[s]); at++ {
				switch rng.IntN(200) {
				case 0:
					saved = at
				case 1:
					at = saved // killed: from the last checkpoint again
				}
				l.deliver(parts[s][at].id)
				l.handle(parts[s][at].id, parts[s][at].e)
			}
		})
	}
	wg.Wait()
	got := l.sums()
	if got.Redelivered == 0 {
		t.Error("nothing was replayed: the test shows nothing")
	}
	got.Redelivered = 0
	if want := (totals{Read: 31_106, Handled: 31_106, Keys: 600, Sessions: 3605}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestALaterTenureShutsOutAnEarlierOne(t *testing.T) {
	l := newLedger()
	older, newer := batching.Fence{Stream: 1, Counter: 7}, batching.Fence{Stream: 1, Counter: 9}
	for i, w := range []struct {
		shard string
		fence batching.Fence
		want  bool
	}{
		{"shard 0", older, true},
		{"shard 0", newer, true},
		{"shard 0", older, false},
		{"shard 1", older, true}, // tokens are compared within a shard
		{"shard 0", newer, true},
	} {
		before := l.sums().Handled
		_, ok := l.handleFenced(w.shard, w.fence, fmt.Sprint(i), click(w.shard+fmt.Sprint(i), 1, 0))
		if ok != w.want || l.sums().Handled-before != map[bool]int{true: 1}[w.want] {
			t.Errorf("entry %d with token %v: %v, want %v", i, w.fence, ok, w.want)
		}
	}
}

package kinesisshards

import (
	"testing"
	"time"
)

// Each line is a history of a shard's subscriptions, and when the next call is
// due, counted from its end, without luck and with the most of it.
func TestWhenAShardIsSubscribedTo(t *testing.T) {
	begin := time.Unix(1_000_000, 0)
	const min = time.Minute
	type step func(a attempts, now time.Time, luck float64) attempts
	subscribed := func(a attempts, now time.Time, _ float64) attempts { return a.subscribed(now) }
	flowing := func(a attempts, _ time.Time, _ float64) attempts { return a.flowing() }
	ended := func(a attempts, now time.Time, luck float64) attempts { return a.ended(now, luck) }
	cut := func(k trouble) step {
		return func(a attempts, now time.Time, luck float64) attempts { return a.cut(now, k, luck) }
	}
	refused := func(k trouble) step {
		return func(a attempts, now time.Time, luck float64) attempts { return a.refused(now, k, luck) }
	}
	type at struct {
		after time.Duration
		what  step
	}
	for _, c := range []struct {
		name        string
		history     []at
		least, most time.Duration
		contested   bool
	}{
		{"at the beginning", nil, 0, 0, false},
		{"lived its life", []at{{0, subscribed}, {5 * min, ended}}, 0, 0, false},
		{"ended early", []at{{0, subscribed}, {3 * min, ended}}, time.Second, 1500 * time.Millisecond, false},
		{"ended within five seconds", []at{{0, subscribed}, {2 * time.Second, ended}}, 3 * time.Second, 3 * time.Second, false},
		{"cut", []at{{0, subscribed}, {min, cut(troubleOther)}}, time.Second, 1500 * time.Millisecond, false},
		{"cut at once", []at{{0, subscribed}, {0, cut(troubleOther)}}, 5 * time.Second, 5 * time.Second, false},
		{"cut after events, again and again", []at{
			{0, subscribed}, {min, flowing}, {min, cut(troubleOther)}, {2 * min, subscribed}, {3 * min, flowing}, {3 * min, cut(troubleOther)},
		}, time.Second, 1500 * time.Millisecond, false},
		{"cut without events, again and again", []at{
			{0, subscribed}, {min, cut(troubleOther)}, {2 * min, subscribed}, {3 * min, cut(troubleOther)}, {4 * min, subscribed}, {5 * min, cut(troubleOther)},
		}, 4 * time.Second, 6 * time.Second, false},
		{"taken over", []at{{0, subscribed}, {min, cut(troubleInUse)}}, 5 * time.Second, 7500 * time.Millisecond, false},
		{"in use", []at{{0, refused(troubleInUse)}}, time.Second, 1500 * time.Millisecond, false},
		{"in use as long as a hand-over takes", []at{{0, refused(troubleInUse)}, {5 * time.Second, refused(troubleInUse)}}, time.Second, 1500 * time.Millisecond, false},
		{"in use for longer", []at{{0, refused(troubleInUse)}, {11 * time.Second, refused(troubleInUse)}}, 5 * time.Second, 7500 * time.Millisecond, true},
		{"throttled", []at{{0, refused(troubleThrottled)}}, time.Second, 1500 * time.Millisecond, false},
		{"throttled ten times", []at{
			{0, refused(troubleThrottled)}, {0, refused(troubleThrottled)}, {0, refused(troubleThrottled)}, {0, refused(troubleThrottled)}, {0, refused(troubleThrottled)},
			{0, refused(troubleThrottled)}, {0, refused(troubleThrottled)}, {0, refused(troubleThrottled)}, {0, refused(troubleThrottled)}, {0, refused(troubleThrottled)},
		}, 30 * time.Second, 45 * time.Second, false},
		{"denied", []at{{0, refused(troubleDenied)}}, 10 * time.Second, 15 * time.Second, false},
	} {
		for luck, want := range map[float64]time.Duration{0: c.least, 1: c.most} {
			a, now := newAttempts(begin), begin
			for _, s := range c.history {
				now = begin.Add(s.after)
				a = s.what(a, now, luck)
			}
			if got := a.due.Sub(now); got != want {
				t.Errorf("%s, luck %v: %v, which is after %s; want %s", c.name, luck, a, got, want)
			}
			if a.contested(now) != c.contested {
				t.Errorf("%s: contested is %t", c.name, !c.contested)
			}
		}
	}
}

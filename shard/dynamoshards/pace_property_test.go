package dynamoshards

import (
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the answers are, a shard is read no more often in any second than its
// limit allows, and it is read again before long.
func TestPaceKeepsItsLimitAndComesBack(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": "10000", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		limits := Options{ReadsPerSecond: rapid.IntRange(1, 5).Draw(t, "reads")}.withDefaults()
		now := time.Unix(0, 0)
		p := newPace(limits, now)
		var ends []time.Time
		for range rapid.IntRange(1, 25).Draw(t, "n") {
			if due := p.next(); due.After(now) {
				now = due
			}
			if n := len(ends); n >= limits.ReadsPerSecond && now.Sub(ends[n-limits.ReadsPerSecond]) < time.Second {
				t.Fatalf("read %d begins %v after the end of the one %d before", n, now.Sub(ends[n-limits.ReadsPerSecond]), limits.ReadsPerSecond)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 800).Draw(t, "took")) * time.Millisecond)
			ends = append(ends, now)
			most := limits.PollCeiling
			switch rapid.IntRange(0, 5).Draw(t, "answer") {
			case 0:
				p = p.refused(now, troubleThrottled, rapid.Float64Range(0, 1).Draw(t, "luck"))
				most = throttleMost + time.Second
			case 1:
				p = p.refused(now, troubleDenied, rapid.Float64Range(0, 1).Draw(t, "luck"))
				most = deniedWait + time.Second
			default:
				p = p.answered(now, rapid.IntRange(0, 3).Draw(t, "records"), rapid.Bool().Draw(t, "behind"))
			}
			if most = max(most, time.Second); p.next().Sub(now) > most {
				t.Fatalf("the next read is in %v, want at most %v", p.next().Sub(now), most)
			}
		}
	})
}

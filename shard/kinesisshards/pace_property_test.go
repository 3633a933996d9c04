package kinesisshards

import (
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the answers are, a shard is read no more often in any second, and for no
// more bytes over any time, than its limits allow; and it is read again before long.
func TestPaceKeepsItsLimitsAndComesBack(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": "10000", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		limits := Options{
			ReadsPerSecond: rapid.IntRange(1, 5).Draw(t, "reads"), BytesPerSecond: rapid.Int64Range(1<<10, 2<<20).Draw(t, "bytes"),
		}.withDefaults()
		now := time.Unix(0, 0)
		p := newPace(limits, now)
		var ends []time.Time
		var sizes []int64
		for range rapid.IntRange(1, 25).Draw(t, "n") {
			if due := p.next(); due.After(now) {
				now = due
			}
			began := now
			if n := len(ends); n >= limits.ReadsPerSecond && began.Sub(ends[n-limits.ReadsPerSecond]) < time.Second {
				t.Fatalf("read %d begins %v after the end of the one %d before", n, began.Sub(ends[n-limits.ReadsPerSecond]), limits.ReadsPerSecond)
			}
			var sum int64
			for i := len(ends) - 1; i >= 0; i-- {
				sum += sizes[i]
				if paid := time.Duration(float64(sum) / float64(limits.BytesPerSecond) * float64(time.Second)); began.Sub(ends[i]) < paid-time.Microsecond {
					t.Fatalf("%d bytes in %v, at %d a second", sum, began.Sub(ends[i]), limits.BytesPerSecond)
				}
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 800).Draw(t, "took")) * time.Millisecond)
			size := int64(0)
			most := limits.PollCeiling
			switch rapid.IntRange(0, 5).Draw(t, "answer") {
			case 0:
				p = p.refused(now, troubleThrottled, rapid.Float64Range(0, 1).Draw(t, "luck"))
				most = throttleMost + time.Second
			case 1:
				p = p.refused(now, troubleDenied, rapid.Float64Range(0, 1).Draw(t, "luck"))
				most = deniedWait + time.Second
			default:
				size = rapid.Int64Range(0, 10<<20).Draw(t, "size")
				p = p.answered(now, answer{records: int(size), bytes: size, behind: rapid.Bool().Draw(t, "behind")})
			}
			ends, sizes = append(ends, now), append(sizes, size)
			if most = max(most, time.Second); p.next().After(later(now.Add(most), p.paid)) {
				t.Fatalf("the next read is in %v, want at most %v, or when the bytes are paid", p.next().Sub(now), most)
			}
		}
	})
}

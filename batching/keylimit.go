package batching

import (
	"math"
	"time"
)

// KeyLimit bounds how many records of one key a shard's lanes get, so that a key
// that chatters does not keep the others waiting: its own records wait, in
// order. The zero KeyLimit is no bound.
type KeyLimit struct {
	// RecordsPerSecond is how many records of each key may go on; 0 is no bound.
	// A key is counted in each shard apart, which matters only where Config.Key
	// joins keys of several shards.
	RecordsPerSecond float64
	// Burst is how many may go on at once after a silence. Default: as many as
	// in one second, but one at least.
	Burst int
}

// On reports whether there is a bound.
func (l KeyLimit) On() bool { return l.RecordsPerSecond > 0 }

func (l KeyLimit) burst() float64 {
	if l.Burst > 0 {
		return float64(l.Burst)
	}
	return math.Max(1, math.Ceil(l.RecordsPerSecond))
}

// buckets count what each key may still have. A key that is not in it has all of
// its burst.
type buckets struct {
	limit KeyLimit
	left  map[string]bucket
	sweep int // when so many are kept, the full ones are forgotten
}

type bucket struct {
	tokens float64
	at     time.Time
}

// firstSweep is how many keys are counted before the first look for those that
// need not be: 64 KiB or so a shard.
const firstSweep = 1024

func newBuckets(limit KeyLimit) buckets {
	b := buckets{limit: limit, sweep: firstSweep}
	if limit.On() {
		b.left = map[string]bucket{}
	}
	return b
}

// tokens is what a key has at now.
func (b *buckets) tokens(key string, now time.Time) float64 {
	one, counted := b.left[key]
	if !counted {
		return b.limit.burst()
	}
	return math.Min(b.limit.burst(), one.tokens+max(0, now.Sub(one.at)).Seconds()*b.limit.RecordsPerSecond)
}

// slack absorbs the rounding of nanoseconds: a token that is due is there.
const slack = 1e-6

// spend takes one record's token, if there is one.
func (b *buckets) spend(key string, now time.Time) bool {
	if !b.limit.On() {
		return true
	}
	has := b.tokens(key, now)
	if has < 1-slack {
		return false
	}
	b.set(key, has-1, now)
	return true
}

// room is how many records the key may have now.
func (b *buckets) room(key string, now time.Time) int { return int(b.tokens(key, now) + slack) }

// take takes the tokens of n records.
func (b *buckets) take(key string, n int, now time.Time) {
	if b.limit.On() && n > 0 {
		b.set(key, b.tokens(key, now)-float64(n), now)
	}
}

func (b *buckets) set(key string, tokens float64, now time.Time) {
	if _, counted := b.left[key]; !counted && len(b.left) >= b.sweep {
		for k := range b.left {
			if b.tokens(k, now) >= b.limit.burst() {
				delete(b.left, k)
			}
		}
		b.sweep = max(firstSweep, 2*len(b.left))
	}
	b.left[key] = bucket{tokens: tokens, at: now}
}

// at is when the key may have its next record.
func (b *buckets) at(key string, now time.Time) time.Time {
	if !b.limit.On() {
		return now
	}
	missing := 1 - slack - b.tokens(key, now)
	if missing <= 0 {
		return now
	}
	return now.Add(time.Duration(math.Ceil(missing / b.limit.RecordsPerSecond * float64(time.Second))))
}

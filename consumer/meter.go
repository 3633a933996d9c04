package consumer

import (
	"math"
	"time"
)

// meter measures what a shard brings in payloads, as an average in which what is
// older counts less: after a minute about a third.
type meter struct {
	rate float64 // KiB a second, as of at
	at   time.Time
}

const meterMemory = time.Minute

// add counts so many bytes.
func (m *meter) add(bytes int64, now time.Time) {
	m.rate = m.value(now) + float64(bytes)/1024/meterMemory.Seconds()
	m.at = now
}

// value is the average at now.
func (m *meter) value(now time.Time) float64 {
	if m.at.IsZero() {
		return 0
	}
	return m.rate * math.Exp(-now.Sub(m.at).Seconds()/meterMemory.Seconds())
}

// fallen reports whether a load that was written is so far above what it is now
// that the row misleads whoever shares the shards out.
func fallen(written, now float64) bool { return written >= leastLoad/4 && now < written/2 }

// leastLoad is how far apart the loads of two workers must be, in KiB a second,
// before a shard is moved for that: a quarter of what one shard can take in.
const leastLoad = 256

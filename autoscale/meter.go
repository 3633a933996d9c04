package autoscale

import (
	"math"
	"time"
)

// Reading is what a worker has counted of one shard.
type Reading struct {
	// ID is the shard's.
	ID string
	// Read is how many records have been read of it so far.
	Read float64
	// Tip is how far behind the tip the last read ended.
	Tip time.Duration
	// Behind is how old the oldest record is that is not finished; at least Tip
	// counts.
	Behind time.Duration
}

// Meter makes Shards out of what a worker counts. Its zero value begins; it is not
// safe for use by several goroutines.
//
// How many records arrive is not what is read: a reader that catches up reads
// faster. While a reader goes on for the time t, and is then further behind by b, it
// has read what arrived in t − b, wherever in the stream that is:
//
//	arrival = records / (t − b)
//
// What is measured is evened out over about a minute.
type Meter struct {
	at     time.Time
	calls  time.Duration
	per    float64 // seconds of calls for a record
	shards map[string]metered
}

// metered is what is known of a shard.
type metered struct {
	read    float64
	tip     time.Duration
	arrival float64
}

const (
	evened    = time.Minute     // over which measurements are evened out
	leastStep = 5 * time.Second // between two measurements: two reads and more
)

// Shards are the shards of the readings as they are at now, in their order. Calls
// is how long the worker's handler calls have run so far, all together. What is
// asked for sooner than five seconds after the last time is measured with the next.
func (m *Meter) Shards(now time.Time, calls time.Duration, readings []Reading) []Shard {
	step := now.Sub(m.at)
	first := m.at.IsZero() || step < 0 || calls < m.calls
	if first || step >= leastStep {
		m.measure(now, step, first, calls, readings)
	}
	shards := make([]Shard, len(readings))
	for i, r := range readings {
		shards[i] = Shard{
			ID: r.ID, Arrival: m.shards[r.ID].arrival, Behind: max(r.Behind, r.Tip),
			PerRecord: time.Duration(m.per * float64(time.Second)),
		}
	}
	return shards
}

func (m *Meter) measure(now time.Time, step time.Duration, first bool, calls time.Duration, readings []Reading) {
	known := make(map[string]metered, len(readings))
	var read float64 // since the last time, of shards that were there
	for _, r := range readings {
		before, there := m.shards[r.ID]
		one := metered{read: r.Read, tip: r.Tip}
		if there && !first && r.Read >= before.read {
			read += r.Read - before.read
			one.arrival = before.arrival
			// A reader that did not get on says nothing of what arrives.
			if span := step - (r.Tip - before.tip); span >= step/100 {
				one.arrival = even(before.arrival, (r.Read-before.read)/span.Seconds(), step)
			}
		}
		known[r.ID] = one
	}
	if !first && read > 0 {
		m.per = even(m.per, (calls-m.calls).Seconds()/read, step)
	}
	m.at, m.calls, m.shards = now, calls, known
}

// even is the mean that a value moves to; the first value is taken as it is.
func even(mean, value float64, step time.Duration) float64 {
	if mean == 0 {
		return value
	}
	return mean + (value-mean)*(1-math.Exp(-step.Seconds()/evened.Seconds()))
}

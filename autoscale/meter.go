package autoscale

import (
	"math"
	"time"
)

// Reading is what a worker has counted of one shard.
type Reading struct {
	// ID is the shard's.
	ID string
	// Read is how many records have been read of it so far, and Done how many of them
	// are finished.
	Read, Done float64
	// Tip is how far behind the tip the reader is now: how far behind its last read
	// ended, and how long ago that was. A reader that waits for its handler falls
	// behind too, though its last read said nothing of it.
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
// A reader that did not get on says nothing, and what it has read meanwhile counts
// when it has.
//
// What a record costs is the time of the calls that have ended, divided by the
// records that were finished meanwhile. Calls that finished none count with those
// that follow, and so do records that took no call, such as filters drop.
//
// What is measured is evened out over about a minute.
type Meter struct {
	at     time.Time
	calls  time.Duration
	per    float64 // seconds of calls for a record
	owed   owed
	shards map[string]metered
}

// owed is what no cost of a record was made of yet.
type owed struct {
	since time.Time
	calls time.Duration
	done  float64
}

// metered is what is known of a shard.
type metered struct {
	done    float64 // when it was last looked at
	arrival float64
	// From here on the next arrival is measured.
	at   time.Time
	read float64
	tip  time.Duration
}

const (
	evened    = time.Minute      // over which measurements are evened out
	leastStep = 5 * time.Second  // between two measurements: two reads and more
	longCall  = 15 * time.Minute // after which records without a call cost nothing: Lambda's longest
)

// Shards are the shards of the readings as they are at now, in their order. Calls
// is how long the worker's handler calls have run so far, all together. What is
// asked for sooner than five seconds after the last time is measured with the next.
func (m *Meter) Shards(now time.Time, calls time.Duration, readings []Reading) []Shard {
	step := now.Sub(m.at)
	first := m.at.IsZero() || step < 0 || calls < m.calls
	if first || step >= leastStep {
		m.measure(now, first, calls, readings)
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

func (m *Meter) measure(now time.Time, first bool, calls time.Duration, readings []Reading) {
	if first {
		m.owed = owed{since: now}
	} else {
		m.owed.calls += calls - m.calls
	}
	known := make(map[string]metered, len(readings))
	for _, r := range readings {
		before, there := m.shards[r.ID]
		if !there || first || r.Read < before.read || r.Done < before.done {
			known[r.ID] = metered{done: r.Done, at: now, read: r.Read, tip: r.Tip}
			continue
		}
		m.owed.done += r.Done - before.done
		known[r.ID] = before.next(now, r)
	}
	if waited := now.Sub(m.owed.since); m.owed.done > 0 && (m.owed.calls > 0 || waited >= longCall) {
		m.per = even(m.per, m.owed.calls.Seconds()/m.owed.done, waited)
		m.owed = owed{since: now}
	}
	m.at, m.calls, m.shards = now, calls, known
}

// next is what is known of a shard with another reading.
func (k metered) next(now time.Time, r Reading) metered {
	passed := now.Sub(k.at)
	span := passed - (r.Tip - k.tip)
	k.done = r.Done
	switch {
	case span >= leastStep/2:
		k.arrival = even(k.arrival, (r.Read-k.read)/span.Seconds(), passed)
	case span >= 0:
		return k // it did not get on
	}
	k.at, k.read, k.tip = now, r.Read, r.Tip
	return k
}

// even is the mean that a value moves to; the first value is taken as it is.
func even(mean, value float64, step time.Duration) float64 {
	if mean == 0 {
		return value
	}
	return mean + (value-mean)*(1-math.Exp(-step.Seconds()/evened.Seconds()))
}

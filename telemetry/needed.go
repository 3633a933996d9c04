package telemetry

import (
	"time"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/consumer"
)

// workers puts which part of a worker the worker's shards need.
func (b *board) workers(r *Recorder, s *consumer.Status) {
	if r.options.Sizing.PerWorker == 0 {
		return
	}
	readings := r.readings(b.now, s)
	r.needMu.Lock()
	shards := r.need.Shards(b.now, r.callTime(), readings)
	r.needMu.Unlock()
	if d, err := r.options.Sizing.Demand(shards); err == nil {
		b.put(workersNeeded, d.Workers)
	}
}

// readings are what is counted of each shard. Several handlers on one have finished
// as much as they have on average; the last of them tells how old what waits is.
func (r *Recorder) readings(now time.Time, s *consumer.Status) []autoscale.Reading {
	var readings []autoscale.Reading
	for rest := s.Shards; len(rest) > 0; {
		n := 1 // how many handlers it has; those of a shard stand together
		for n < len(rest) && rest[n].Shard == rest[0].Shard {
			n++
		}
		reading := autoscale.Reading{ID: rest[0].Shard}
		var at time.Time
		if series := r.series(reading.ID); series != nil {
			reading.Read, at = series.reached()
		}
		for i := range rest[:n] {
			one := &rest[i]
			reading.Done += float64(one.Handled) / float64(n)
			reading.Behind = max(reading.Behind, one.Age)
			// All has come that there was. Before, what was read last may still wait to
			// be taken, and ReadAt is not when it was read.
			if one.Behind == 0 && one.Pending == 0 && one.ReadAt.After(at) {
				at = one.ReadAt
			}
		}
		if !at.IsZero() {
			reading.Tip = max(0, now.Sub(at))
		}
		readings, rest = append(readings, reading), rest[n:]
	}
	return readings
}

// callTime is how long the calls of all handlers have run so far. It begins anew
// when it is more than a Duration holds, which a Meter bears.
func (r *Recorder) callTime() time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var sum int64
	for _, f := range r.flows {
		s := f.spread[handlerDuration]
		sum += s.high.Load()<<sumShift + s.low.Load()
	}
	return time.Duration(sum)
}

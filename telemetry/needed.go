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
	var readings []autoscale.Reading
	place := map[string]int{} // of a shard, which several handlers may work
	for i := range s.Shards {
		one := &s.Shards[i]
		at, there := place[one.Shard]
		if !there {
			at, place[one.Shard] = len(readings), len(readings)
			reading := autoscale.Reading{ID: one.Shard}
			if series := r.series(one.Shard); series != nil {
				reading.Read = float64(series.counts[0].Load()) // shardReadRecords
			}
			readings = append(readings, reading)
		}
		readings[at].Tip = max(readings[at].Tip, one.Behind)
		readings[at].Behind = max(readings[at].Behind, one.Age)
	}
	r.needMu.Lock()
	shards := r.need.Shards(b.now, r.callTime(), readings)
	r.needMu.Unlock()
	if d, err := r.options.Sizing.Demand(shards); err == nil {
		b.put(workersNeeded, d.Workers)
	}
}

// callTime is how long the calls of all handlers have run so far.
func (r *Recorder) callTime() time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var sum int64
	for _, f := range r.flows {
		sum += f.spread[handlerDuration].sum.Load()
	}
	return time.Duration(sum)
}

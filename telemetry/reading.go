package telemetry

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
)

// Point is one series of a metric as it is now.
type Point struct {
	// Metric is whose series it is. It is not to be changed.
	Metric *Metric
	// Values are the values of Metric.Attributes, in their order. A handler
	// without a name has "".
	Values []string
	// Value is the value of a counter or a gauge, in Metric.Unit.
	Value float64
	// Count, Total and Buckets are a histogram's: how many values, their sum, and
	// how many in each of the buckets of Metric.Bounds and in the last, which has
	// no bound.
	Count   uint64
	Total   float64
	Buckets []uint64

	id   id
	from *spread // a histogram's
}

// Points are all series as they are now, those of one metric together, in the
// order of the catalogue. A counter that was never counted is there with 0. Gauges
// are there once Watch was called and while the consumer runs.
func (r *Recorder) Points() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		r.mu.RLock()
		flows := make([]*flow, 0, len(r.flows))
		for _, f := range r.flows {
			flows = append(flows, f)
		}
		r.mu.RUnlock()
		slices.SortFunc(flows, func(a, b *flow) int { return strings.Compare(a.handler, b.handler) })
		for i := range firstState {
			for _, f := range flows {
				if !f.points(i, len(flows) > 1, yield) {
					return
				}
			}
		}
		for _, p := range r.state() {
			if !yield(p) {
				return
			}
		}
	}
}

// points are those of one metric in a flow; false is that no more are wanted.
func (f *flow) points(i id, named bool, yield func(Point) bool) bool {
	m := &catalogue[i]
	if m.byHandler() && named && f.handler == "" && f.idle(i) {
		return true // the consumer's handlers have names
	}
	var values []string
	if m.byHandler() {
		values = append(values, f.handler)
	}
	if s := f.spread[i]; s != nil {
		p := Point{Metric: m, Values: values, id: i, from: s}
		p.Count, p.Total, p.Buckets = s.read()
		return yield(p)
	}
	for class := range f.counts[i] {
		p := Point{Metric: m, Values: values, Value: float64(f.counts[i][class].Load()), id: i}
		if m.classed() {
			p.Values = append(values[:len(values):len(values)], m.Allowed[class])
		}
		if !yield(p) {
			return false
		}
	}
	return true
}

// idle reports whether nothing was counted of a metric.
func (f *flow) idle(i id) bool {
	if s := f.spread[i]; s != nil {
		n, _, _ := s.read()
		return n == 0
	}
	for class := range f.counts[i] {
		if f.counts[i][class].Load() != 0 {
			return false
		}
	}
	return true
}

// state is what is the case, from the status.
func (r *Recorder) state() []Point {
	status := r.status.Load()
	if status == nil {
		return nil
	}
	had := r.held()
	s := (*status)()
	if s.Worker == "" {
		return nil
	}
	b := &board{now: time.Now()}
	b.worker(&s)
	b.shards(r, &s)
	r.prune(had, &s)
	slices.SortStableFunc(b.points, func(x, y Point) int { return int(x.id - y.id) })
	return b.points
}

// held are the shards that are counted for.
func (r *Recorder) held() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	ids := make([]string, 0, len(r.shards))
	for id := range r.shards {
		ids = append(ids, id)
	}
	return ids
}

// prune dismisses the shards that were counted for before the status was read, and
// are not in it.
func (r *Recorder) prune(had []string, s *consumer.Status) {
	worked := make(map[string]bool, len(s.Shards))
	for i := range s.Shards {
		worked[s.Shards[i].Shard] = true
	}
	for _, id := range had {
		if !worked[id] {
			r.dismiss(id)
		}
	}
}

// board is where points are put together.
type board struct {
	now    time.Time
	points []Point
}

func (b *board) put(metric id, value float64, values ...string) {
	b.points = append(b.points, Point{Metric: &catalogue[metric], Values: values, Value: value, id: metric})
}

func (b *board) truth(metric id, is bool) {
	value := 0.0
	if is {
		value = 1
	}
	b.put(metric, value)
}

// worker puts what the worker is doing as a whole.
func (b *board) worker(s *consumer.Status) {
	b.truth(sessionValid, s.Valid)
	if !s.Loops.Answered.IsZero() {
		b.put(heartbeatAge, max(0, b.now.Sub(s.Loops.Answered).Seconds()))
	}
	b.put(runningCalls, float64(s.Running))
	b.put(memoryHeld, float64(s.MemoryHeld))
	b.put(memoryBudget, float64(s.MemoryBudget))
	if s.Limited {
		b.put(concurrencyLimit, float64(s.Limit))
		b.put(concurrencyShare, float64(s.Share))
	}
	b.truth(breakerOpen, s.Breaker != batching.BreakerClosed)
	b.put(pauses, float64(len(s.Pauses)))
	b.put(neighbours, float64(len(s.Neighbours)))
	if len(s.Streams) == 0 {
		return
	}
	in := make([]float64, len(streamStates))
	for _, one := range s.Streams {
		in[classIn(streamStates, one.State.String())]++
	}
	for i, n := range in {
		b.put(streamsIn, n, streamStates[i])
	}
}

package telemetry

import (
	"sync/atomic"
	"time"
)

// flow is the counters and histograms of one handler, or of what belongs to none.
type flow struct {
	handler string
	counts  [firstState][]atomic.Int64 // by class
	spread  [firstState]*spread
}

func newFlow(handler string) *flow {
	f := &flow{handler: handler}
	for i := range firstState {
		m := &catalogue[i]
		if handler != "" && !m.byHandler() {
			continue // those are counted once, in the flow without a name
		}
		if m.Kind == Histogram {
			f.spread[i] = newSpread(m)
			continue
		}
		f.counts[i] = make([]atomic.Int64, max(1, len(m.Allowed)))
	}
	return f
}

func (f *flow) add(metric id, n int) {
	if n > 0 {
		f.counts[metric][0].Add(int64(n))
	}
}

func (f *flow) count(metric id, class, n int) {
	if n > 0 {
		f.counts[metric][class].Add(int64(n))
	}
}

// spread is a histogram. Values are nanoseconds where the unit is seconds, and the
// plain number otherwise.
type spread struct {
	scale   float64 // of a value to the metric's unit
	bounds  []int64
	buckets []atomic.Uint64 // one more than bounds
	// The sum is high · 2^sumShift + low. One number would not do: nanoseconds of
	// records that are a day old are more than 63 bits after a hundred thousand calls.
	high, low atomic.Int64
	peak      atomic.Int64 // the largest since EMF last took it
}

// sumShift is the bits of a value that go into the lower part of a sum: it is full
// after 2^43 values, the higher one after 2^20 times the ages that 63 bits hold.
const sumShift = 20

func newSpread(m *Metric) *spread {
	s := &spread{scale: 1, bounds: make([]int64, len(m.Bounds)), buckets: make([]atomic.Uint64, len(m.Bounds)+1)}
	if m.Unit == seconds {
		s.scale = 1 / float64(time.Second)
	}
	for i, b := range m.Bounds {
		s.bounds[i] = int64(b/s.scale + .5)
	}
	return s
}

// take counts one value; one below zero, as of clocks that differ, is none.
func (s *spread) take(v int64) {
	v = max(0, v)
	low, high := 0, len(s.bounds)
	for low < high {
		if mid := (low + high) / 2; v > s.bounds[mid] {
			low = mid + 1
		} else {
			high = mid
		}
	}
	s.low.Add(v & (1<<sumShift - 1))
	s.high.Add(v >> sumShift)
	s.buckets[low].Add(1)
	for known := s.peak.Load(); v > known && !s.peak.CompareAndSwap(known, v); known = s.peak.Load() {
	}
}

// read is what was counted so far. The buckets are read one after the other: a
// value that comes meanwhile is in this reading or in the next.
func (s *spread) read() (count uint64, sum float64, buckets []uint64) {
	sum = (float64(s.high.Load())*(1<<sumShift) + float64(s.low.Load())) * s.scale
	buckets = make([]uint64, len(s.buckets))
	for i := range s.buckets {
		buckets[i] = s.buckets[i].Load()
		count += buckets[i]
	}
	return count, sum, buckets
}

// takePeak is the largest value since it was last asked for.
func (s *spread) takePeak() float64 { return float64(s.peak.Swap(0)) * s.scale }

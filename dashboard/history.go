package dashboard

import (
	"encoding/json"
	"math"
	"time"
)

// mostSeries bounds of how many shards there are curves: what comes later has
// none until an earlier one is gone.
const mostSeries = 4096

// point is one moment of the fleet's curves: when, in milliseconds; the longest
// lag in seconds; records a second and KiB a second; the middle and the 99th
// percentile of the calls in milliseconds; failures; records in flight. What is
// not known is null.
type point [8]float64

// MarshalJSON writes the numbers with three digits behind the dot at most.
func (p point) MarshalJSON() ([]byte, error) { return numbers(p[:]) }

// numbers writes numbers as a list, and NaN as null.
func numbers[F float32 | float64](list []F) ([]byte, error) {
	out := make([]any, len(list))
	for i, n := range list {
		if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
			out[i] = math.Round(f*1000) / 1000
		}
	}
	return json.Marshal(out)
}

// history is the curves of one source: rings of one length, side by side.
type history struct {
	points []point // a ring; n of them are filled, the last at head
	head   int
	n      int
	shards map[string]*series
	// finished is how many records each tenure had finished when that was last
	// seen.
	finished map[tenureKey]int64
	at       time.Time // of the last sample; zero before the first
}

// series is the curves of one shard, aligned with the points.
type series struct {
	lag, rate []float32
	idle      int // for how many samples it has not been seen
	mean      float64
}

// tenureKey names what a worker does with a shard for one handler.
type tenureKey struct{ worker, shard, handler string }

func newHistory(size int) *history {
	return &history{points: make([]point, size), head: -1, shards: map[string]*series{}, finished: map[tenureKey]int64{}}
}

// rates is how many records a second were finished of each shard since the last
// sample; nil at the first, from which nothing follows. A tenure that was not
// there then has finished all its records since.
func (h *history) rates(now time.Time, finished map[tenureKey]int64) map[string]float64 {
	last, span := h.finished, now.Sub(h.at).Seconds()
	first := h.at.IsZero()
	h.finished, h.at = finished, now
	if first || span <= 0 {
		return nil
	}
	rates := map[string]float64{}
	for key, n := range finished {
		before := last[key]
		if before > n {
			before = 0 // another tenure of the same worker
		}
		rates[key.shard] += float64(n-before) / span
	}
	return rates
}

// sample adds a point, and one to the curves of each shard that is there.
func (h *history) sample(p point, lag map[string]float64, rate map[string]float64) {
	h.head = (h.head + 1) % len(h.points)
	h.n = min(h.n+1, len(h.points))
	h.points[h.head] = p
	for id := range lag {
		if h.shards[id] == nil && len(h.shards) < mostSeries {
			h.shards[id] = newSeries(len(h.points))
		}
	}
	for id, s := range h.shards {
		l, there := lag[id]
		if !there {
			l = math.NaN()
			if s.idle++; s.idle >= len(h.points) {
				delete(h.shards, id)
				continue
			}
		} else {
			s.idle = 0
		}
		r, known := rate[id]
		if !known {
			r = math.NaN()
		}
		s.lag[h.head], s.rate[h.head] = float32(l), float32(r)
		// The table shows a rate that does not flicker: most of it is of the last
		// five samples.
		switch {
		case !known:
			s.mean = math.NaN()
		case math.IsNaN(s.mean):
			s.mean = r // there is none before it to be weighed with
		default:
			s.mean += (r - s.mean) / 3
		}
	}
}

func newSeries(size int) *series {
	s := &series{lag: make([]float32, size), rate: make([]float32, size), mean: math.NaN()}
	for i := range size {
		s.lag[i], s.rate[i] = float32(math.NaN()), float32(math.NaN())
	}
	return s
}

// steady is the rate of a shard without its flicker.
func (h *history) steady(id string) (float64, bool) {
	s := h.shards[id]
	if s == nil || math.IsNaN(float64(s.rate[max(0, h.head)])) {
		return 0, false
	}
	return s.mean, true
}

// all are the points, in order.
func (h *history) all() []point {
	out := make([]point, 0, h.n)
	for i := range h.n {
		out = append(out, h.points[h.index(i)])
	}
	return out
}

// index is where the i-th of the points that are filled lies.
func (h *history) index(i int) int {
	return (h.head - h.n + 1 + i + len(h.points)) % len(h.points)
}

// ofShard is the curves of one shard in JSON: times, lags in seconds, records a
// second. It is false if there are none.
func (h *history) ofShard(id string) ([]byte, bool) {
	s := h.shards[id]
	if s == nil {
		return nil, false
	}
	times, lag, rate := make([]float64, h.n), make([]float32, h.n), make([]float32, h.n)
	for i := range h.n {
		at := h.index(i)
		times[i], lag[i], rate[i] = h.points[at][0], s.lag[at], s.rate[at]
	}
	t, _ := numbers(times)
	l, _ := numbers(lag)
	r, _ := numbers(rate)
	text, err := json.Marshal(map[string]json.RawMessage{"t": t, "lag": l, "rate": r})
	return text, err == nil
}

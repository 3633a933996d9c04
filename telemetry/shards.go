package telemetry

import (
	"sync"
	"sync/atomic"
	"time"
)

// shardCounts are the counters of one shard, by their place behind shardReadRecords.
type shardCounts [lastState - shardReadRecords]atomic.Int64

// shardSeries is what is counted for one shard. A worker has one for each of its
// shards; how many of them are shown by themselves is another matter.
type shardSeries struct {
	own    bool // it has series of its own
	counts shardCounts
	reader reader
	// unsaved is since when records are finished whose position is not written,
	// in nanoseconds since the recorder was made; 0 if none are.
	unsaved atomic.Int64
}

// reader is how far the reading of a shard has come that is for all its handlers: a
// handler that has fallen behind reads by itself, and reads the same once more.
type reader struct {
	mu      sync.Mutex // guards what is below, which belongs together
	records int64
	at      time.Time // up to when what has arrived is read
}

// came notes what a read has brought, and how far behind the tip it ended.
func (s *shardSeries) came(records int, behind time.Duration) {
	if s == nil {
		return
	}
	at := time.Now().Add(-behind)
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	s.reader.records, s.reader.at = s.reader.records+int64(records), at
}

// reached is how many records have been read, and up to when what has arrived is
// read; zero before the first read.
func (s *shardSeries) reached() (records float64, at time.Time) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	return float64(s.reader.records), s.reader.at
}

// series is what is counted for a shard; nil if it is not worked here.
func (r *Recorder) series(shard string) *shardSeries {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.shards[shard]
}

// admit begins to count for a shard.
func (r *Recorder) admit(shard string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shards[shard] != nil {
		return
	}
	s := &shardSeries{own: !r.options.Shards.Exceeded(r.own + 1)}
	if s.own {
		r.own++
	}
	r.shards[shard] = s
}

// dismiss drops the series of a shard. What belongs to no series of its own stays
// in that of the others, as counters do not go back.
func (r *Recorder) dismiss(shard string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.shards[shard]
	switch {
	case s == nil:
		return
	case s.own:
		r.own--
	default:
		for i := range s.counts {
			r.left[i].Add(s.counts[i].Load())
		}
	}
	delete(r.shards, shard)
}

func (s *shardSeries) add(metric id, n int64) {
	if s != nil && n > 0 {
		s.counts[metric-shardReadRecords].Add(n)
	}
}

// progressed notes that records of a shard are finished.
func (r *Recorder) progressed(s *shardSeries) {
	if s != nil && s.unsaved.Load() == 0 {
		s.unsaved.CompareAndSwap(0, max(1, int64(time.Since(r.born))))
	}
}

// saved notes that the position of a shard is written.
func (s *shardSeries) saved() {
	if s != nil {
		s.unsaved.Store(0)
	}
}

// unsavedFor is for how long records of a shard have been finished whose position
// is not written.
func (r *Recorder) unsavedFor(s *shardSeries) time.Duration {
	if s == nil {
		return 0
	}
	since := s.unsaved.Load()
	if since == 0 {
		return 0
	}
	return time.Since(r.born) - time.Duration(since)
}

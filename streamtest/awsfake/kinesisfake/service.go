package kinesisfake

import (
	"sync"
	"time"
)

// Service is one account's Kinesis in one region. It is an http.Handler for the
// AWS JSON 1.1 protocol and safe for use by many goroutines. Make one with [New].
type Service struct {
	now func() time.Time

	mu      sync.Mutex // guards all below; held for work in memory only
	refuse  func(data []byte) bool
	limits  limits
	streams map[string]*stream
	birth   uint64 // the last number given to a stream or a generation of shards
}

// limits are what options set.
type limits struct {
	read, write bool
	iteratorTTL time.Duration
	reshard     time.Duration
}

// Option changes how a [Service] behaves.
type Option func(*limits)

// WithReadLimits says whether a shard's read limits hold: five GetRecords and
// five GetShardIterator a second, 2 MiB a second, 5 s of silence after 10 MiB.
// They do by default.
func WithReadLimits(on bool) Option { return func(l *limits) { l.read = on } }

// WithWriteLimits says whether a shard's write limits hold: 1,000 records and
// 1 MiB a second. They do not by default, so that tests can fill streams.
func WithWriteLimits(on bool) Option { return func(l *limits) { l.write = on } }

// WithIteratorTTL sets how long a shard iterator can be used. The default is
// five minutes, as in the real service.
func WithIteratorTTL(d time.Duration) Option { return func(l *limits) { l.iteratorTTL = d } }

// WithReshardTime sets how long a stream is UPDATING after SplitShard,
// MergeShards or UpdateShardCount was accepted. The default is no time at all.
func WithReshardTime(d time.Duration) Option { return func(l *limits) { l.reshard = d } }

// New makes a Kinesis without streams whose clock is now.
func New(now func() time.Time, options ...Option) *Service {
	s := &Service{
		now:     now,
		streams: map[string]*stream{},
		limits:  limits{read: true, iteratorTTL: 5 * time.Minute},
	}
	s.Set(options...)
	return s
}

// Set changes options while the service runs. A resharding under way keeps the
// end it had.
func (s *Service) Set(options ...Option) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, option := range options {
		option(&s.limits)
	}
}

// generation is a number for the birth of a stream or of shards: the second of
// the clock, moved on if that was given before. It is what makes the sequence
// numbers of a child larger than its parents' and those of a stream differ from
// those of its namesakes.
func (s *Service) generation(now time.Time) uint64 {
	s.birth = max(s.birth+1, uint64(max(now.Unix(), 0)))
	return s.birth
}

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
	consumer    time.Duration
	fanOut      fanOut
}

// Option changes how a [Service] behaves.
type Option func(*limits)

// WithReadLimits says whether a shard's read limits hold: five GetRecords and
// five GetShardIterator a second, 2 MiB a second, 5 s of silence after 10 MiB; and
// for each consumer of it one SubscribeToShard a second and 2 MiB a second. They
// do by default.
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

// WithConsumerTime sets how long a consumer is CREATING after it was registered,
// and DELETING after it was deregistered. The default is no time at all.
func WithConsumerTime(d time.Duration) Option { return func(l *limits) { l.consumer = d } }

// WithSubscriptionLife sets after how long a SubscribeToShard ends. The default
// is five minutes, as in the real service.
func WithSubscriptionLife(d time.Duration) Option { return func(l *limits) { l.fanOut.life = d } }

// WithTakeOver sets how long after a successful SubscribeToShard another one of
// the same consumer and shard gets a ResourceInUseException; later it takes over.
// The default is 5 s, as in the real service.
func WithTakeOver(d time.Duration) Option { return func(l *limits) { l.fanOut.takeOver = d } }

// WithHeartbeat sets how long after an event of a subscription an empty one
// follows if there are no records. The default is 5 s.
func WithHeartbeat(d time.Duration) Option { return func(l *limits) { l.fanOut.heartbeat = d } }

// WithPushDelay sets how long after a record arrived its subscribers are sent it.
// The default is no time at all; the average of the real service is 70 ms.
func WithPushDelay(d time.Duration) Option { return func(l *limits) { l.fanOut.delay = d } }

// WithSubscribeRate sets how many SubscribeToShard a second one consumer can
// call, over all shards; 0 is no such limit, and the default. The documented
// limit, one call a second for each shard, is one of [WithReadLimits]; five a
// second for the whole consumer is what the service allowed in its first years.
func WithSubscribeRate(calls int) Option { return func(l *limits) { l.fanOut.calls = calls } }

// New makes a Kinesis without streams whose clock is now.
func New(now func() time.Time, options ...Option) *Service {
	s := &Service{
		now:     now,
		streams: map[string]*stream{},
		limits:  limits{read: true, iteratorTTL: 5 * time.Minute, fanOut: asTheService},
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

package kinesisfake

import (
	"sync"
	"time"
)

// misbehaviour is what a test wants of a subscription.
type misbehaviour struct {
	silent bool // it sends nothing, not even its end
	drop   int  // how many of the next events with records are never sent
	repeat int  // how many are sent twice
	tear   bool // the next is sent half, and the connection breaks
}

// Subscription is a SubscribeToShard under way.
type Subscription struct {
	Consumer string    // the name of the consumer
	ShardID  string    // of the shard it reads
	Began    time.Time // when the call succeeded, by the clock of the service
	Events   int       // sent so far, those without records too
}

// Subscriptions are those under way on a stream, by consumer in the order of
// registration, and by shard.
func (s *Service) Subscriptions(stream string) []Subscription {
	var all []Subscription
	s.subscriptions(stream, "", "", func(f *feed) {
		if sub := f.current; sub != nil {
			all = append(all, Subscription{f.consumer.name, f.shard.id, sub.began, sub.count})
		}
	})
	return all
}

// RegisterConsumer registers a consumer with a stream as RegisterStreamConsumer
// does, and tells its ARN.
func (s *Service) RegisterConsumer(stream, name string) (arn string, err error) {
	out, err := s.registerStreamConsumer(registerStreamConsumerInput{StreamARN: s.ARN(stream), ConsumerName: name})
	return out.Consumer.ConsumerARN, err
}

// DeregisterConsumer deregisters a consumer as DeregisterStreamConsumer does: its
// subscriptions fail with a ResourceNotFoundException.
func (s *Service) DeregisterConsumer(stream, name string) error {
	_, err := s.deregisterStreamConsumer(namedConsumer{StreamARN: s.ARN(stream), ConsumerName: name})
	return err
}

// EndSubscriptions ends subscriptions under way as the end of their five minutes
// does, without an error, and tells how many they were. An empty consumer or
// shard means all, here and below.
func (s *Service) EndSubscriptions(stream, consumer, shardID string) int {
	return s.current(stream, consumer, shardID, func(sub *subscription) { sub.feed.end(nil) })
}

// FailSubscriptions ends subscriptions under way with an exception in the stream,
// for example InternalFailureException or KMSThrottlingException, and tells how
// many they were.
func (s *Service) FailSubscriptions(stream, consumer, shardID, code string) int {
	return s.current(stream, consumer, shardID, func(sub *subscription) {
		sub.feed.end(&Error{code, "injected by the test"})
	})
}

// SilenceSubscriptions has subscriptions under way send nothing, not even their
// end, until restore is called: a connection that is half open. Those that begin
// later are not affected.
func (s *Service) SilenceSubscriptions(stream, consumer, shardID string) (restore func()) {
	var silenced []*subscription
	s.current(stream, consumer, shardID, func(sub *subscription) {
		sub.silent = true
		silenced = append(silenced, sub)
	})
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sub := range silenced {
			sub.silent = false
			sub.wake()
		}
	})
}

// TearSubscriptions has subscriptions under way send half of their next event that
// has records,
// and then break the connection. It tells how many they are.
func (s *Service) TearSubscriptions(stream, consumer, shardID string) int {
	return s.current(stream, consumer, shardID, func(sub *subscription) { sub.tear = true })
}

// RepeatEvents has subscriptions under way send each of their next n events that
// have records twice. It tells how many they are.
func (s *Service) RepeatEvents(stream, consumer, shardID string, n int) int {
	return s.current(stream, consumer, shardID, func(sub *subscription) { sub.repeat = n })
}

// DropEvents has subscriptions under way leave out their next n events that have
// records, which the real service does not do. It tells how many they are.
func (s *Service) DropEvents(stream, consumer, shardID string, n int) int {
	return s.current(stream, consumer, shardID, func(sub *subscription) { sub.drop = n })
}

// RefuseSubscribe has the next n SubscribeToShard of a consumer to a shard refused
// with an error code, such as ResourceInUseException. Here no argument may be
// empty.
func (s *Service) RefuseSubscribe(stream, consumer, shardID, code string, n int) error {
	return s.with(stream, shardID, func(t *streamAt, d *shard) error {
		c := t.consumer(consumer, t.now)
		if c == nil {
			return notFound("Consumer %s of stream %s not found.", consumer, stream)
		}
		f := c.feed(d)
		for range n {
			f.refused = append(f.refused, code)
		}
		return nil
	})
}

// current runs f on subscriptions under way, and tells how many they are.
func (s *Service) current(stream, consumer, shardID string, f func(*subscription)) int {
	n := 0
	s.subscriptions(stream, consumer, shardID, func(fd *feed) {
		if sub := fd.current; sub != nil {
			f(sub)
			n++
		}
	})
	return n
}

// subscriptions runs f on what is kept of consumers and shards, under the lock.
func (s *Service) subscriptions(stream, consumer, shardID string, f func(*feed)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(named{StreamName: stream})
	if err != nil {
		return
	}
	for _, c := range t.registered(s.now()) {
		for _, d := range t.shards {
			if fd := c.feeds[d]; fd != nil && (consumer == "" || consumer == c.name) && (shardID == "" || shardID == d.id) {
				f(fd)
			}
		}
	}
}

package kinesisfake

import (
	"net/http"
	"slices"
	"time"
)

// fanOut is how subscriptions behave.
type fanOut struct {
	life      time.Duration // of a subscription
	takeOver  time.Duration // how long after one began it can not be taken over
	heartbeat time.Duration // between events while there is nothing to send
	delay     time.Duration // from a record's arrival to its event
	calls     int           // of SubscribeToShard a second by one consumer; 0 is no limit
}

// asTheService are the numbers of the real service. Its documentation gives five
// minutes and five seconds, https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html;
// that an idle subscription gets an event about every five seconds is seen, not
// promised. The average delay of 70 ms is left out, since it is no bound.
var asTheService = fanOut{life: 5 * time.Minute, takeOver: 5 * time.Second, heartbeat: 5 * time.Second}

// feed is what the service keeps of one consumer on one shard: the subscription
// there is, and what outlives it.
type feed struct {
	consumer *enhanced
	shard    *shard
	granted  time.Time // of the last successful call; zero before the first
	calls    window
	bytes    budget
	current  *subscription // or nil

	refused []string // error codes that a test wants for the next calls
}

// subscription is one SubscribeToShard under way.
type subscription struct {
	feed  *feed
	began time.Time
	until time.Time // its five minutes end
	place int       // of the next record
	sent  time.Time // of the last event
	count int       // of events sent

	woken chan struct{} // holds one when there is something to look at
	over  bool          // it has ended
	why   *Error        // what it tells of its end; nil is nothing

	misbehaviour
}

type subscribeInput struct {
	ConsumerARN      string
	ShardId          string
	StartingPosition position
}

// subscribe begins a subscription, or says why not. One that has lasted gives
// way.
func (s *Service) subscribe(in subscribeInput) (*subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findConsumer(namedConsumer{ConsumerARN: in.ConsumerARN})
	if err != nil {
		return nil, err
	}
	now, t := s.now(), c.stream
	d, err := t.find(in.ShardId, now)
	if err != nil {
		return nil, err
	}
	f := c.feed(d)
	switch {
	case len(f.refused) > 0:
		code := f.refused[0]
		f.refused = f.refused[1:]
		return nil, refusal(code, "SubscribeToShard of %s on %s was refused by the test.", c.arn(), d.id)
	case s.limits.read && !f.calls.allow(now, subscribePerSecond),
		s.limits.fanOut.calls > 0 && !c.calls.allow(now, s.limits.fanOut.calls):
		return nil, refusal("LimitExceededException", "Rate exceeded for SubscribeToShard of consumer %s on shard %s.", c.arn(), d.id)
	case c.status(now) != "ACTIVE":
		return nil, refusal("ResourceInUseException", "Consumer %s is not ACTIVE, instead in state %s.", c.arn(), c.status(now))
	case !f.granted.IsZero() && now.Sub(f.granted) < s.limits.fanOut.takeOver:
		return nil, refusal("ResourceInUseException", "Another active subscription exists for this consumer: %s on shard %s.", c.arn(), d.id)
	}
	place, err := t.place(d, in.StartingPosition, now)
	if err != nil {
		return nil, err
	}
	f.end(&Error{"ResourceInUseException", "Another subscription of this consumer has taken over shard " + d.id + "."})
	f.granted = now
	f.current = &subscription{
		feed: f, began: now, until: now.Add(s.limits.fanOut.life), place: place, sent: now,
		woken: make(chan struct{}, 1),
	}
	return f.current, nil
}

// feed is what is kept of the consumer on a shard.
func (c *enhanced) feed(d *shard) *feed {
	f := c.feeds[d]
	if f == nil {
		f = &feed{consumer: c, shard: d}
		c.feeds[d] = f
		d.feeds = append(d.feeds, f)
	}
	return f
}

// end ends all subscriptions of a consumer.
func (c *enhanced) end(why error) {
	for _, f := range c.feeds {
		f.end(why.(*Error))
		f.shard.feeds = slices.DeleteFunc(f.shard.feeds, func(other *feed) bool { return other == f })
	}
}

// end ends the subscription there is, which tells why if that is not nil.
func (f *feed) end(why *Error) {
	if sub := f.current; sub != nil {
		sub.over, sub.why, f.current = true, why, nil
		sub.wake()
	}
}

// wake has the subscriptions to a shard look at it.
func (d *shard) wake() {
	for _, f := range d.feeds {
		if f.current != nil {
			f.current.wake()
		}
	}
}

func (sub *subscription) wake() {
	select {
	case sub.woken <- struct{}{}:
	default:
	}
}

// leave is the end of a subscription whose client is gone, or that has said all.
func (s *Service) leave(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.over = true
	if sub.feed.current == sub {
		sub.feed.current = nil
	}
}

// subscribeToShard answers with events until the subscription ends or the client
// leaves.
func (s *Service) subscribeToShard(w http.ResponseWriter, r *http.Request, body []byte) {
	var in subscribeInput
	if err := parse(body, &in); err != nil {
		writeError(w, err)
		return
	}
	sub, err := s.subscribe(in)
	if err != nil {
		writeError(w, err)
		return
	}
	defer s.leave(sub)
	control := http.NewResponseController(w)
	s.bound(sub, control)
	defer control.SetWriteDeadline(time.Time{}) // the connection may go on to other requests
	w.Header().Set("Content-Type", eventStream)
	events := [][]byte{eventFrame("initial-response", []byte("{}"))}
	for {
		for _, e := range events {
			if _, err := w.Write(e); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
		next := s.next(sub)
		events = next.frames
		switch {
		case next.torn:
			_, _ = w.Write(events[0][:len(events[0])/2])
			_ = control.Flush()
			panic(http.ErrAbortHandler) // how a handler breaks its connection
		case len(events) > 0:
			continue
		case next.over:
			return
		}
		if !next.wait(sub, r) {
			return
		}
	}
}

// grace is how long after the end of its five minutes a client that does not read
// is waited for.
const grace = time.Second

// bound has a client that does not read waited for no longer than the life of
// its subscription. Where writes have no deadlines, it is waited for.
func (s *Service) bound(sub *subscription, control *http.ResponseController) {
	_ = control.SetWriteDeadline(time.Now().Add(sub.until.Sub(s.now()) + grace))
}

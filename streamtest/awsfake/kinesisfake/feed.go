package kinesisfake

import (
	"net/http"
	"sort"
	"time"
)

// step is what a subscription does next: it sends frames, and then more of them;
// or it has said all; or it waits.
type step struct {
	frames [][]byte
	torn   bool // only half of the frame is sent, and the connection breaks
	over   bool
	pause  time.Duration // the longest wait
}

// next is the next step of a subscription.
func (s *Service) next(sub *subscription) step {
	s.mu.Lock()
	now := s.now()
	e, st := sub.look(now, s.limits)
	s.mu.Unlock()
	if e != nil { // without the lock: records never change
		payload, err := e.json()
		if err != nil {
			return step{frames: [][]byte{exceptionFrame(&Error{"InternalFailureException", err.Error()})}}
		}
		st.frames = append(st.frames, eventFrame("SubscribeToShardEvent", payload))
		if e.twice {
			st.frames = append(st.frames, st.frames[0])
		}
	}
	return st
}

// event is one SubscribeToShardEvent.
type event struct {
	page
	twice bool // a test wants it repeated
}

// look decides what a subscription does at a moment: send an event, or the step.
func (sub *subscription) look(now time.Time, l limits) (*event, step) {
	f, d, t := sub.feed, sub.feed.shard, sub.feed.consumer.stream
	t.settle(now)
	horizon := t.horizon(now)
	if d.expired(horizon) && f.current == sub {
		f.end(t.noShard(d.id).(*Error))
	}
	switch {
	case sub.silent:
		return nil, step{pause: time.Hour}
	case sub.over && sub.why != nil:
		why := sub.why
		sub.why = nil
		return nil, step{frames: [][]byte{exceptionFrame(why)}}
	case sub.over, !now.Before(sub.until):
		return nil, step{over: true}
	}

	sub.place = max(sub.place, d.first(horizon))
	ready := d.arrived(sub.place, now.Add(-l.fanOut.delay))
	ended := !d.closed.IsZero() && !now.Before(d.closed.Add(l.fanOut.delay))
	open := !l.read || f.bytes.open(now, readPerSecond)
	switch {
	case ready > sub.place && open, ended && sub.place == len(d.records):
		records, bytes := d.batch(sub.place, ready)
		return sub.deliver(records, bytes, ended, now)
	case !now.Before(sub.sent.Add(l.fanOut.heartbeat)):
		sub.sent, sub.count = now, sub.count+1
		return &event{page: page{behind: d.behind(sub.place, now), continuation: d.continuation(sub.place, now)}}, step{}
	}

	// Nothing to send: until when is that certain?
	until := sub.until
	sooner := func(at time.Time) {
		if at.Before(until) {
			until = at
		}
	}
	sooner(sub.sent.Add(l.fanOut.heartbeat))
	switch {
	case ready > sub.place:
		sooner(now.Add(f.bytes.opens(readPerSecond)))
	case ready < len(d.records):
		sooner(d.records[ready].arrival.Add(l.fanOut.delay))
	case !d.closed.IsZero():
		sooner(d.closed.Add(l.fanOut.delay))
	}
	if t.change != nil {
		sooner(t.change.ready)
	}
	return nil, step{pause: until.Sub(now)}
}

// arrived is how many records of a shard had arrived at a moment; at least those
// before a place.
func (d *shard) arrived(place int, at time.Time) int {
	return place + sort.Search(len(d.records)-place, func(i int) bool { return d.records[place+i].arrival.After(at) })
}

// batch is the records of the next event out of those between two places, and
// how many bytes they are.
func (d *shard) batch(from, to int) ([]record, int) {
	end, bytes := from, 0
	for end < to {
		n := d.records[end].size()
		if end > from && bytes+n > maxEventBytes {
			break
		}
		bytes += n
		end++
	}
	return d.records[from:end:end], bytes
}

// behind is how old the record at a place is, and nothing at the tip.
func (d *shard) behind(place int, now time.Time) time.Duration {
	if place >= len(d.records) {
		return 0
	}
	return max(now.Sub(d.records[place].arrival), 0)
}

// deliver is the event with some records, and the end of the shard if they are
// its last.
func (sub *subscription) deliver(records []record, bytes int, ended bool, now time.Time) (*event, step) {
	f, d := sub.feed, sub.feed.shard
	f.bytes.take(bytes, readPerSecond)
	sub.place += len(records)
	sub.sent, sub.count = now, sub.count+1
	e := &event{page: page{records: records}}
	e.behind = d.behind(sub.place, now)
	if ended && sub.place == len(d.records) {
		e.children = d.offspring()
		sub.over = true
		if f.current == sub {
			f.current = nil
		}
	} else {
		e.continuation = d.continuation(sub.place, now)
	}
	st := step{}
	switch m := &sub.misbehaviour; {
	case m.drop > 0:
		m.drop--
		return nil, step{}
	case m.tear:
		st.torn = true
	case m.repeat > 0:
		m.repeat--
		e.twice = true
	}
	return e, st
}

// wait lets time pass until there may be a next step, and reports whether the
// client is still there.
func (st step) wait(sub *subscription, r *http.Request) bool {
	timer := time.NewTimer(max(st.pause, time.Millisecond)) // by the host's time, whatever the service's clock does
	defer timer.Stop()
	select {
	case <-sub.woken:
	case <-timer.C:
	case <-r.Context().Done():
		return false
	}
	return true
}

package consumer

import (
	"context"
	"errors"
	"sync"
)

// slots is how many handler calls may run at once, a number that changes while
// they run. Whoever waits is served in order, so that no shard starves; one that
// is to run alone waits for all others to end, and those behind it for it.
type slots struct {
	mu      sync.Mutex // guards what is below; never held while waiting
	size    int
	used    int
	alone   bool // the one call that runs does so alone
	waiting []*slotWaiter
	falling bool          // more are used than there are
	even    chan struct{} // capacity 1: that is over
}

type slotWaiter struct {
	alone bool
	none  bool          // there are none any more
	ready chan struct{} // closed when the slot is this one's, or with none
}

// errNoSlots says that no call may run at all.
var errNoSlots = errors.New("no handler may be called")

func newSlots(size int) *slots { return &slots{size: size, even: make(chan struct{}, 1)} }

// acquire waits for a slot, or alone for all of them. When there are none at
// all it is errNoSlots at once, so that whoever waits can do so for a better
// reason.
func (s *slots) acquire(ctx context.Context, alone bool) error {
	s.mu.Lock()
	if s.size == 0 {
		s.mu.Unlock()
		return errNoSlots
	}
	if ctx.Err() == nil && len(s.waiting) == 0 && s.fits(alone) {
		s.grant(alone)
		s.mu.Unlock()
		return nil
	}
	w := &slotWaiter{alone: alone, ready: make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		if w.none {
			return errNoSlots
		}
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.none {
		return errNoSlots
	}
	for i, other := range s.waiting {
		if other == w {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			s.serve() // it may have held up those behind it
			return context.Cause(ctx)
		}
	}
	s.give() // granted at the same moment
	return context.Cause(ctx)
}

// release gives a slot back, or all of them if the call ran alone.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.give()
}

// resize changes how many there are. Calls that run run on; what is above the
// new size is not given out again.
func (s *slots) resize(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size = size
	s.falling = s.used > size
	s.serve()
	if size > 0 {
		return
	}
	for _, w := range s.waiting {
		w.none = true
		close(w.ready)
	}
	s.waiting = nil
}

// inUse is how many calls run, and over whether that is more than may.
func (s *slots) inUse() (used int, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.used > s.size
}

func (s *slots) fits(alone bool) bool {
	if alone {
		return s.used == 0 && s.size > 0
	}
	return !s.alone && s.used < s.size
}

func (s *slots) grant(alone bool) {
	s.used++
	s.alone = alone
}

func (s *slots) give() {
	s.used--
	s.alone = false // whoever ran alone was the only one
	s.serve()
	if s.falling && s.used <= s.size {
		s.falling = false
		select {
		case s.even <- struct{}{}:
		default:
		}
	}
}

// serve gives out what is free, in order.
func (s *slots) serve() {
	for len(s.waiting) > 0 && s.fits(s.waiting[0].alone) {
		s.grant(s.waiting[0].alone)
		close(s.waiting[0].ready)
		s.waiting = s.waiting[1:]
	}
}

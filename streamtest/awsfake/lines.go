package awsfake

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
)

// lines are the answers under way that are streams, and what of them is severed.
type lines struct {
	mu      sync.Mutex // guards all below; taken before that of a line
	open    map[*line]struct{}
	severed []*severance
}

// severance is what a [AWS.Cut] or a [AWS.Blackhole] does to lines.
type severance struct {
	caller, service string
	silent          bool // until it is healed; otherwise they break at once
}

// apply does to a line what the severance does.
func (s *severance) apply(l *line) {
	if s.silent {
		l.silence()
	} else {
		l.cut(fmt.Errorf("connection cut: %s %s: %w", l.call.Service, l.call.Operation, syscall.ECONNRESET))
	}
}

// add takes up a line, severed if its caller is.
func (t *lines) add(l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[*line]struct{}{}
	}
	t.open[l] = struct{}{}
	for _, s := range t.severed {
		if l.call.is(s.caller, s.service) {
			s.apply(l)
		}
	}
}

// remove forgets a line whose client is done with it.
func (t *lines) remove(l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, l)
}

// sever does to all lines of a caller to a service what s says, and to those to
// come until heal is called. Lines that were silent are found broken then.
func (t *lines) sever(s *severance) (heal func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.severed = append(t.severed, s)
	t.each(s, s.apply)
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.severed = slices.DeleteFunc(t.severed, func(other *severance) bool { return other == s })
		if s.silent {
			t.each(s, (&severance{}).apply)
		}
	})
}

// each runs f on the lines that a severance is about. The lock is held.
func (t *lines) each(s *severance, f func(*line)) {
	for l := range t.open {
		if l.call.is(s.caller, s.service) {
			f(l)
		}
	}
}

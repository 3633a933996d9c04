package awsfake

import (
	"context"
	"sync"
)

// gates hold the calls of paused callers.
type gates struct {
	mu     sync.Mutex // guards paused; never held while waiting at a gate
	paused map[string]*gate
}

// gate is closed while open is; holds counts the pauses that share it.
type gate struct {
	holds int
	open  chan struct{}
}

// Pause holds every call of a caller, and every answer on its way to it, until
// resume is called: to the rest of the world the caller stands still, as a
// stopped process does. Calls already applied stay applied. Pauses of one caller
// nest: the last resume opens the gate.
func (a *AWS) Pause(caller string) (resume func()) {
	a.gates.mu.Lock()
	defer a.gates.mu.Unlock()
	if a.gates.paused == nil {
		a.gates.paused = map[string]*gate{}
	}
	g := a.gates.paused[caller]
	if g == nil {
		g = &gate{open: make(chan struct{})}
		a.gates.paused[caller] = g
	}
	g.holds++
	return sync.OnceFunc(func() {
		a.gates.mu.Lock()
		defer a.gates.mu.Unlock()
		if g.holds--; g.holds == 0 {
			delete(a.gates.paused, caller)
			close(g.open)
		}
	})
}

// pass waits until the caller is not paused, or its context ends.
func (g *gates) pass(ctx context.Context, caller string) error {
	for {
		closed := g.closed(caller)
		if closed == nil {
			return nil
		}
		select {
		case <-closed.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// closed is the gate a caller is held at, or nil.
func (g *gates) closed(caller string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.paused[caller]
}

package swarmtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/internal/dice"
)

// trace is what happened, as one number: the sum of the hashes of all of it, each
// with its time, so that the order within an instant does not count.
type trace struct {
	start time.Time

	mu    sync.Mutex
	total uint64
	keep  bool
	lines []string
}

func newTrace() *trace { return &trace{start: time.Now()} }

// note adds what happened to whom.
func (t *trace) note(what, whom, how string) {
	now := time.Since(t.start)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += dice.Hash(uint64(now), 0, what, whom, how)
	if t.keep {
		t.lines = append(t.lines, fmt.Sprintf("%015d %s %s %s", now, what, whom, how))
	}
}

func (t *trace) sum() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// sorted is what happened, line by line, if that was kept.
func (t *trace) sorted() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(slices.Values(t.lines))
}

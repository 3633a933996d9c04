package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
)

// sessionGap is the silence that ends a session: an event more than this after
// the one before it, in event time, starts another.
const sessionGap = 30 * time.Minute

// ledger counts sessions and keeps the books of what happened to each record. It
// stands for the database behind a worker: every worker of the process writes to
// the same one, and it outlives those that are killed.
//
// Records are delivered at least once: a worker that is killed between handling
// a record and saving how far it got leaves the record to be handled again. So
// the ledger has to make the second time harmless, as a real sink would with a
// unique key. It does so in one of two ways.
//
//   - A whole stream (newLedger): each record's id is remembered, so that the
//     books balance record by record and any gap in a key's ordinals is found.
//     Memory grows with the stream, which here has an end.
//   - A service (newServiceLedger): a stream without an end, of which this
//     process sees some shards some of the time. Only the last ordinal of each
//     key is remembered; one at or below it is a repeat. Gaps prove nothing, as
//     the missing events may have gone to another process.
//
// All methods may be called from any goroutine.
type ledger struct {
	service bool

	mu     sync.Mutex // guards all below; held for map work only
	keys   map[string]*keyState
	fates  map[string]fate           // by record id; nil for a service
	fences map[string]batching.Fence // the newest tenure that wrote, by shard
	totals totals
}

// keyState is what is known of one key: enough to place its next event.
type keyState struct {
	last  int       // the ordinal of the newest event
	at    time.Time // the latest event time
	begun bool      // a first event has set at
}

// fate is where a record ended, or that it has not yet.
type fate uint8

const (
	pending  fate = iota // a handler was given it
	handled              // it had its effect
	failed               // the failure destination accepted it
	filtered             // a filter kept it from the handlers
)

// totals are the sums of the books. Each record counts once, whatever the number
// of times it was delivered; for a service, once per delivery that had an effect.
type totals struct {
	Read            int // records that were delivered
	Handled         int // records that had their effect
	Failed          int // records the failure destination accepted
	Filtered        int // records a filter matched away
	Redelivered     int // deliveries of a record that had ended before
	OrderViolations int // first deliveries that were not the next of their key
	Keys            int
	Sessions        int
}

// newLedger keeps the books of a stream from its first record to its last.
func newLedger() *ledger {
	return &ledger{keys: map[string]*keyState{}, fates: map[string]fate{}, fences: map[string]batching.Fence{}}
}

// newServiceLedger keeps the books of a process that joined a stream midway and
// shares it with others. Its memory grows with the keys, not with the records.
func newServiceLedger() *ledger {
	return &ledger{service: true, keys: map[string]*keyState{}, fences: map[string]batching.Fence{}}
}

// verdict says what a delivery came to.
type verdict struct {
	// Repeat says that the record had its effect before, and had none now.
	Repeat bool
	// NewSession says that the event started a session.
	NewSession bool
	// Violation is empty, or says how the order of the key was broken.
	Violation string
}

// deliver notes that a handler was given the record, before it is even decoded.
// What is delivered must end by handle, fail or filter; the difference between
// Read and their sum is what is still under way, or lost.
func (l *ledger) deliver(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open(id)
}

// open gives the record's fate so far and counts it if it is new.
func (l *ledger) open(id string) fate {
	if l.service {
		return pending
	}
	f, ok := l.fates[id]
	if !ok {
		l.fates[id] = pending
		l.totals.Read++
	}
	return f
}

// handle gives an event its effect, once. The second time is a repeat.
func (l *ledger) handle(id string, e event) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apply(id, e)
}

// handleFenced is handle for a worker that holds the shard by the given token.
// It is false, and nothing happened, if a later tenure has written: a worker that
// stood still for longer than its lease would otherwise write between the records
// of the one that has the shard now. A database does the same with the condition
// that the token it keeps for the shard is not larger.
func (l *ledger) handleFenced(shard string, fence batching.Fence, id string, e event) (verdict, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if newest, ok := l.fences[shard]; ok && fence.Compare(newest) < 0 {
		return verdict{}, false
	}
	l.fences[shard] = fence
	return l.apply(id, e), true
}

// apply is handle; the caller holds mu.
func (l *ledger) apply(id string, e event) verdict {
	k := l.keys[e.Key]
	if k == nil {
		k = &keyState{}
		l.keys[e.Key] = k
		l.totals.Keys++
	}
	if l.open(id) != pending || l.service && e.N > 0 && e.N <= k.last {
		l.totals.Redelivered++
		return verdict{Repeat: true}
	}
	l.end(id, handled)

	var v verdict
	if e.N > 0 && !l.service && e.N != k.last+1 {
		l.totals.OrderViolations++
		v.Violation = fmt.Sprintf("event %d of %q came after event %d", e.N, e.Key, k.last)
	}
	k.last = max(k.last, e.N)
	if !k.begun || e.Time.Sub(k.at) > sessionGap {
		l.totals.Sessions++
		v.NewSession = true
	}
	if !k.begun || e.Time.After(k.at) {
		k.at, k.begun = e.Time, true
	}
	return v
}

// fail notes that the failure destination accepted the record. A record that was
// accepted twice, or handled before, has ended already: that is a repeat.
func (l *ledger) fail(id string) { l.endOnce(id, failed) }

// filter notes that a filter matched the record away.
func (l *ledger) filter(id string) { l.endOnce(id, filtered) }

func (l *ledger) endOnce(id string, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open(id) != pending {
		l.totals.Redelivered++
		return
	}
	l.end(id, f)
}

// end books the one end of a record.
func (l *ledger) end(id string, f fate) {
	if l.service {
		l.totals.Read++
	} else {
		l.fates[id] = f
	}
	switch f {
	case handled:
		l.totals.Handled++
	case failed:
		l.totals.Failed++
	case filtered:
		l.totals.Filtered++
	}
}

// sums gives the totals so far.
func (l *ledger) sums() totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// ended is the number of records that have come to their one end.
func (t totals) ended() int { return t.Handled + t.Failed + t.Filtered }

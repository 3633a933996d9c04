package batching

import (
	"container/heap"
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// Gate stands between the reading of a shard and its lanes. The records of a key
// that is held wait in it, in order; all others pass. A key is held because
//
//   - one of its records failed and waits for another call (SetAside),
//   - it is over its limit (KeyLimit),
//   - it is paused (SetPaused), or
//   - it is parked (Park), so that its records are kept elsewhere.
//
// Several reasons may hold at once. A key that is held no longer gives its
// records out in order, and no record of it passes before they are out.
//
// A record of a key that is not held costs a look into a map, and nothing at all
// while Idle. A Gate is used by one goroutine at a time and has no clock.
type Gate struct {
	limit   KeyLimit
	keys    map[string]*heldKey
	due     dueKeys
	ready   []*heldKey // set aside, and their time has come
	buckets buckets
	paused  func(hash string) bool
	records int
	bytes   int64
}

// Waiting is a record that a Gate gives out: to be added to the Assembler of its
// lane.
type Waiting struct {
	// Record is the record and Ticket what finishes it.
	Record shard.Record
	Ticket int64
	// Behind is how far the reader was behind the tip when it came, and Added
	// when that was.
	Behind time.Duration
	Added  time.Time
}

// heldKey is a key whose records wait.
type heldKey struct {
	key string
	// queue[head:] is what waits, oldest first.
	queue []Waiting
	head  int
	bytes int64

	aside    bool // its first record failed so many attempts, and is due at
	attempts int
	at       time.Time
	out      bool // a batch of its own is being called
	paused   bool
	parked   bool

	wake  time.Time // when it is looked at next, while it is in the heap
	index int       // in the heap, -1 if it is not
	ready bool
}

func (k *heldKey) waiting() []Waiting { return k.queue[k.head:] }

// NewGate is a gate that holds nothing.
func NewGate(limit KeyLimit) *Gate {
	return &Gate{limit: limit, keys: map[string]*heldKey{}, buckets: newBuckets(limit)}
}

// Idle reports whether every record passes, so that nobody need ask.
func (g *Gate) Idle() bool { return len(g.keys) == 0 && !g.limit.On() && g.paused == nil }

// Pass reports whether a record may go on to its lane. If not, the gate keeps
// it.
func (g *Gate) Pass(key string, w Waiting) bool {
	k := g.keys[key]
	if k == nil {
		paused := g.paused != nil && g.paused(HashKey(key))
		if !paused && g.buckets.spend(key, w.Added) {
			return true
		}
		k = &heldKey{key: key, index: -1, paused: paused}
		g.keys[key] = k
	}
	k.push(w)
	g.records++
	g.bytes += int64(w.Record.Size())
	if k.index < 0 && !k.ready {
		g.schedule(k, w.Added)
	}
	return false
}

func (g *Gate) hold(key string) *heldKey {
	k := g.keys[key]
	if k == nil {
		k = &heldKey{key: key, index: -1, paused: g.paused != nil && g.paused(HashKey(key))}
		g.keys[key] = k
	}
	return k
}

func (k *heldKey) push(w Waiting) {
	if k.head > 0 && len(k.queue) == cap(k.queue) && k.head >= len(k.queue)/2 {
		n := copy(k.queue, k.queue[k.head:])
		clear(k.queue[n:])
		k.queue, k.head = k.queue[:n], 0
	}
	k.queue = append(k.queue, w)
	k.bytes += int64(w.Record.Size())
}

// shift takes the first n records out.
func (g *Gate) shift(k *heldKey, n int) {
	for i := range n {
		size := int64(k.queue[k.head+i].Record.Size())
		k.bytes -= size
		g.bytes -= size
		k.queue[k.head+i] = Waiting{}
	}
	g.records -= n
	k.head += n
	if k.head == len(k.queue) {
		k.queue, k.head = nil, 0
	}
}

// Return puts records of one key in front of those of it that wait, and holds
// the key until it is set aside, parked or released.
func (g *Gate) Return(key string, records Gathered, now time.Time) {
	k := g.hold(key)
	if len(records.Records) == 0 {
		return
	}
	queue := make([]Waiting, 0, len(records.Records)+len(k.waiting()))
	for i, r := range records.Records {
		queue = append(queue, Waiting{Record: r, Ticket: records.Tickets[i], Behind: records.Behind, Added: now})
		k.bytes += int64(r.Size())
		g.bytes += int64(r.Size())
	}
	g.records += len(queue)
	k.queue, k.head = append(queue, k.waiting()...), 0
}

// SetAside has a key wait until a time, because its first record has failed so
// many calls that count.
func (g *Gate) SetAside(key string, attempts int, until, now time.Time) {
	k := g.hold(key)
	k.aside, k.attempts, k.at, k.out = true, attempts, until, false
	g.schedule(k, now)
}

// Settled says that the key's own batch is over and that nothing of it failed.
func (g *Gate) Settled(key string, now time.Time) {
	if k := g.keys[key]; k != nil {
		k.aside, k.attempts, k.out = false, 0, false
		g.schedule(k, now)
	}
}

// SetPaused says which keys are paused, by their HashKey; nil is none. What the
// lanes have gathered of them is the caller's to Return.
func (g *Gate) SetPaused(paused func(hash string) bool, now time.Time) {
	g.paused = paused
	for _, k := range g.keys {
		k.paused = paused != nil && paused(HashKey(k.key))
		g.schedule(k, now)
	}
}

// Paused reports whether a key is held because it is paused.
func (g *Gate) Paused(key string) bool {
	k := g.keys[key]
	return k != nil && k.paused
}

// Attempts is how many calls the first record of a key has failed.
func (g *Gate) Attempts(key string) int {
	if k := g.keys[key]; k != nil {
		return k.attempts
	}
	return 0
}

// Calling reports whether a batch of the key's own is being called.
func (g *Gate) Calling(key string) bool {
	k := g.keys[key]
	return k != nil && k.out
}

// schedule puts a key where it is looked at next, or forgets it if nothing holds
// it.
func (g *Gate) schedule(k *heldKey, now time.Time) {
	if k.ready {
		g.unready(k)
	}
	switch {
	case k.parked || k.out || k.paused:
		if k.paused && !k.parked && !k.out && !k.aside && len(k.waiting()) == 0 {
			g.forget(k)
			return
		}
		g.unschedule(k)
	case len(k.waiting()) == 0:
		g.forget(k)
	case k.aside:
		g.wake(k, k.at)
	default:
		g.wake(k, g.buckets.at(k.key, now))
	}
}

func (g *Gate) forget(k *heldKey) {
	g.unschedule(k)
	delete(g.keys, k.key)
}

func (g *Gate) unready(k *heldKey) {
	k.ready = false
	for i := range g.ready {
		if g.ready[i] == k {
			g.ready = append(g.ready[:i], g.ready[i+1:]...)
			return
		}
	}
}

func (g *Gate) wake(k *heldKey, at time.Time) {
	k.wake = at
	if k.index < 0 {
		heap.Push(&g.due, k)
		return
	}
	heap.Fix(&g.due, k.index)
}

func (g *Gate) unschedule(k *heldKey) {
	if k.index >= 0 {
		heap.Remove(&g.due, k.index)
	}
}

// Advance gives out, in order, the records that nothing holds any more, and
// notes which keys that were set aside are due: see Due.
func (g *Gate) Advance(now time.Time, pass func(key string, w Waiting)) {
	for len(g.due) > 0 && !g.due[0].wake.After(now) {
		k := g.due[0]
		g.unschedule(k)
		if k.aside {
			k.ready = true
			g.ready = append(g.ready, k)
			continue
		}
		n := 0
		for n < len(k.waiting()) && g.buckets.spend(k.key, now) {
			pass(k.key, k.queue[k.head+n])
			n++
		}
		g.shift(k, n)
		g.schedule(k, now)
	}
}

// DueAt is when Advance has something to do next; false if nothing is known.
func (g *Gate) DueAt() (time.Time, bool) {
	if len(g.due) == 0 {
		return time.Time{}, false
	}
	return g.due[0].wake, true
}

// Due calls each with the first record of every key that was set aside and is
// due, the one longest due first. Each may Take it.
func (g *Gate) Due(each func(key string, first *shard.Record)) {
	for _, k := range slices.Clone(g.ready) {
		each(k.key, &k.queue[k.head].Record)
	}
}

// Take takes the oldest records of a key that is due, as a batch of its own: the
// first is to be called alone and has failed so many calls already. The key is
// held until SetAside, Park or Settled says what came of it.
func (g *Gate) Take(key string, bounds Gathering, now time.Time) (batch Gathered, attempts int) {
	k := g.keys[key]
	if k == nil || !k.ready {
		return Gathered{}, 0
	}
	g.unready(k)
	if g.limit.On() {
		// The first has been counted when it passed.
		bounds.Records = max(1, min(bounds.Records, 1+g.buckets.room(key, now)))
	}
	batch = g.Peek(key, bounds)
	g.buckets.take(key, len(batch.Records)-1, now)
	g.shift(k, len(batch.Records))
	k.out = true
	return batch, k.attempts
}

// Holds reports whether a key is held, and Len is how many of its records wait.
func (g *Gate) Holds(key string) bool { return g.keys[key] != nil }

// Len is how many records of a key wait.
func (g *Gate) Len(key string) int {
	if k := g.keys[key]; k != nil {
		return len(k.waiting())
	}
	return 0
}

// Keys is how many keys are held, Records how many records of them wait, and
// Bytes the sum of their sizes.
func (g *Gate) Keys() int { return len(g.keys) }

// Records is how many records wait.
func (g *Gate) Records() int { return g.records }

// Bytes is the sum of their sizes.
func (g *Gate) Bytes() int64 { return g.bytes }

// Counted is how many keys the limit counts at present.
func (g *Gate) Counted() int { return len(g.buckets.left) }

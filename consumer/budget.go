package consumer

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/towpath/towpath/shard"
)

// budget bounds the bytes of the records that a process holds. Bytes are
// reserved before a read, as many as the read can bring, and what it did not
// bring is given back: a bound that is checked after reading is no bound.
//
// Waiters are served in order, so that no shard starves. A waiter makes the
// shard that has been gathering longest flush its batch, and another one with
// each second that it waits: bytes that wait for a window to fill, or that a
// handler has deferred, are the only ones that nobody is working on.
type budget struct {
	size int64
	sem  *semaphore.Weighted

	mu        sync.Mutex
	held      int64                  // bytes reserved or in use
	debt      int64                  // bytes in use that were never reserved
	gatherers map[*gatherer]struct{} // shards with records in an unfull batch
	waiters   int                    // reads that wait
	pressing  bool                   // pressAgain is due
}

// gatherer is a shard as the budget sees it.
type gatherer struct {
	since time.Time     // when its oldest gathered record came; zero: none
	flush chan struct{} // capacity 1
}

func newBudget(size int64) *budget {
	return &budget{size: size, sem: semaphore.NewWeighted(size), gatherers: map[*gatherer]struct{}{}}
}

// reserve waits until n bytes are free. It reports whether it had to wait.
func (b *budget) reserve(ctx context.Context, n int64) (waited bool, err error) {
	n = min(n, b.size)
	if !b.sem.TryAcquire(n) {
		waited = true
		b.press()
		b.waits(1)
		err := b.sem.Acquire(ctx, n)
		b.waits(-1)
		if err != nil {
			return waited, err
		}
	}
	b.mu.Lock()
	b.held += n
	b.mu.Unlock()
	return waited, nil
}

// waits counts the reads that wait, and has shards pressed while there are any.
func (b *budget) waits(by int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiters += by
	if b.waiters > 0 && !b.pressing {
		b.pressing = true
		time.AfterFunc(pressEvery, b.pressAgain)
	}
}

// pressEvery is how long a shard is left alone that was made to flush: what it
// held may have been too little, or not have been given back.
const pressEvery = time.Second

func (b *budget) pressAgain() {
	b.mu.Lock()
	waiters := b.waiters
	b.pressing = waiters > 0
	b.mu.Unlock()
	if waiters > 0 {
		b.press()
		time.AfterFunc(pressEvery, b.pressAgain)
	}
}

// settle replaces a reservation by what was needed, and returns that. A read
// that brought more than it said it would leaves a debt, which the next releases
// pay before anybody else is let in.
func (b *budget) settle(reserved, used int64) int64 {
	reserved = min(reserved, b.size)
	if used <= reserved {
		b.release(reserved - used)
		return used
	}
	b.mu.Lock()
	b.held += used - reserved
	b.debt += used - reserved
	b.mu.Unlock()
	return used
}

func (b *budget) release(n int64) {
	if n <= 0 {
		return
	}
	b.mu.Lock()
	b.held -= n
	paid := min(n, b.debt)
	b.debt -= paid
	b.mu.Unlock()
	b.sem.Release(n - paid)
}

func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// enter makes a shard known, and leave forgets it.
func (b *budget) enter() *gatherer {
	g := &gatherer{flush: make(chan struct{}, 1)}
	b.mu.Lock()
	b.gatherers[g] = struct{}{}
	b.mu.Unlock()
	return g
}

func (b *budget) leave(g *gatherer) {
	b.mu.Lock()
	delete(b.gatherers, g)
	b.mu.Unlock()
}

// gathering notes since when a shard's oldest unhandled record has waited for
// its batch to fill; the zero time is none.
func (b *budget) gathering(g *gatherer, since time.Time) {
	b.mu.Lock()
	g.since = since
	b.mu.Unlock()
}

// press makes the shard that has gathered longest flush.
func (b *budget) press() {
	b.mu.Lock()
	var oldest *gatherer
	for g := range b.gatherers {
		if !g.since.IsZero() && (oldest == nil || g.since.Before(oldest.since)) {
			oldest = g
		}
	}
	if oldest != nil {
		oldest.since = time.Time{} // the next waiter presses another
	}
	b.mu.Unlock()
	if oldest != nil {
		select {
		case oldest.flush <- struct{}{}:
		default:
		}
	}
}

// sizeOf is what records count towards the budget.
func sizeOf(records []shard.Record) (bytes int64) {
	for i := range records {
		bytes += int64(records[i].Size())
	}
	return bytes
}

// payloadOf is what the records carry, without what they take beside it.
func payloadOf(records []shard.Record) (bytes int64) {
	for i := range records {
		bytes += int64(len(records[i].Data))
	}
	return bytes
}

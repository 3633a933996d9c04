package consumer

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/towpath/towpath/shard"
)

// hub reads a shard once for several handlers. While they are near one another
// one reader reads, and each of its chunks goes to all; the memory budget counts
// it once.
//
// Each handler has a feed with room for a few chunks. While the feed of one is
// full, reading waits for it, as long as nobody else has run dry: handlers of
// about one speed stay together. When another has been dry for a second, the one
// that is full is detached: what it has not taken is dropped, and it reads by
// itself from where it is until it has come up to the others, and joins them.
//
//	attached ──── full, and another has been dry for lagPatience ───► detached
//	   ▲                                                                  │
//	   └──────────── it has read as far as the others have ───────────────┘
//
// At least one feed stays attached, as a feed is only detached for another's
// sake. A handler that is stuck holds what its loop has taken (MaximumInFlight,
// and one read) and one chunk more, and does not read.
//
// A shard serves 5 reads a second, whoever makes them. While nobody is detached,
// the hub makes those of one reader. While somebody is, each of the readers goes
// at its own pace, and all together make at most sharedReads a second.
type hub struct {
	worker *worker
	shard  string
	open   func(place) shard.Reader
	calls  *rate.Limiter // while more than one reads

	// changed has capacity 1: a feed has room, or has joined.
	changed chan struct{}

	mu       sync.Mutex // guards what is below, and the feeds; never held while waiting
	feeds    []*feed
	at       place    // as far as the reader for all has read
	end      *fetched // the end of the shard, when that has been read
	held     int64    // bytes of the budget
	detached int
}

// place is as far as a shard has been read.
type place struct {
	after    shard.Position
	arrived  time.Time // when the record there did
	readUpTo time.Time // the service's time up to which everything had been read
}

// behind is the place that reading a chunk leads to.
func (p place) behind(c *shard.Chunk) place {
	if n := len(c.Records); n > 0 {
		last := &c.Records[n-1]
		p.after, p.arrived = last.Position(), last.ArrivedAt
	}
	if c.Behind == 0 && !c.Now.IsZero() {
		p.readUpTo = c.Now
	}
	return p
}

const (
	// feedRoom is how many chunks with records a feed holds that its loop has not
	// taken: one in hand and one ahead, as a single handler has.
	feedRoom = 2
	// lagPatience is how long one handler is dry before another that is full is
	// detached. Shorter than anybody notices, longer than most batches take.
	lagPatience = time.Second
	// sharedReads is how many reads a second all readers of one shard make
	// together: the limit of GetRecords, see
	// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html.
	sharedReads = 5
)

// newHub makes the feeds of handlers that begin at starts, in their order. The
// reader for all begins at the furthest of them, so that none has to wait for
// another; who is not as far begins detached.
func newHub(w *worker, shardID string, open func(place) shard.Reader, starts []place) *hub {
	h := &hub{worker: w, shard: shardID, open: open, calls: rate.NewLimiter(sharedReads, 1), changed: make(chan struct{}, 1)}
	h.at = slices.MaxFunc(starts, func(a, b place) int { return a.after.Compare(b.after) })
	for _, at := range starts {
		f := &feed{hub: h, began: at, at: at, filled: make(chan struct{}, 1), attached: at.after.Compare(h.at.after) == 0}
		if !f.attached {
			h.detached++
		}
		h.feeds = append(h.feeds, f)
	}
	return h
}

// run reads for all until the shard ends or ctx does.
func (h *hub) run(ctx context.Context, statuses []*shardStatus) {
	f := h.fetcher(h.at, statuses)
	defer f.close()
	for h.room(ctx) {
		c, ok := f.read(ctx)
		if !ok {
			return
		}
		h.give(c)
		if c.Ended {
			return
		}
	}
}

// fetcher makes a reader that begins at a place.
func (h *hub) fetcher(at place, statuses []*shardStatus) *fetcher {
	return &fetcher{worker: h.worker, shard: h.shard, reader: h.open(at), statuses: statuses, turn: h.turn}
}

// turn waits until one of several readers of the shard may read.
func (h *hub) turn(ctx context.Context) error {
	h.mu.Lock()
	alone := h.detached == 0
	h.mu.Unlock()
	if alone {
		return nil
	}
	return h.calls.Wait(ctx)
}

// room waits until every attached feed has room for a chunk, and detaches those
// that keep others waiting. It reports whether there is something to do.
func (h *hub) room(ctx context.Context) bool {
	var dry time.Time // since when
	timer := time.NewTimer(lagPatience)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		wait := h.look()
		switch {
		case wait == waitNot:
			return true
		case wait != waitDry:
			dry = time.Time{}
		case dry.IsZero():
			dry = now
		case now.Sub(dry) >= lagPatience:
			h.detach()
			continue
		}
		left := time.Hour
		if !dry.IsZero() {
			left = lagPatience - now.Sub(dry)
		}
		timer.Reset(left)
		select {
		case <-h.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return false
}

// wait is why the reader for all does not read.
type wait int

const (
	waitNot  wait = iota // it does
	waitFull             // a feed is full, or none is attached
	waitDry              // a feed is full, and another has nothing left
)

func (h *hub) look() wait {
	h.mu.Lock()
	defer h.mu.Unlock()
	attached, full, dry := false, false, false
	for _, f := range h.feeds {
		if f.attached && !f.closed {
			attached, full, dry = true, full || f.full(), dry || len(f.queue) == 0
		}
	}
	switch {
	case attached && !full:
		return waitNot
	case full && dry:
		return waitDry
	}
	return waitFull
}

// detach leaves the feeds that are full to read by themselves.
func (h *hub) detach() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.feeds {
		if !f.attached || f.closed || !f.full() {
			continue
		}
		f.attached = false
		h.detached++
		// The first is in its goroutine's hand.
		for _, q := range f.queue[1:] {
			h.free(q.share.done(q.base, len(q.Records)))
		}
		f.queue = slices.Delete(f.queue, 1, len(f.queue))
		f.at = f.queue[0].until
	}
}

// give hands a chunk that was read for all to every attached feed.
func (h *hub) give(c fetched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held += c.held
	c.Release = nil // nobody knows when the last of several handlers is done
	h.at = h.at.behind(&c.Chunk)
	if c.Ended {
		end := c
		end.Records, end.held = nil, 0
		h.end = &end
	}
	takers := 0
	for _, f := range h.feeds {
		if f.attached && !f.closed {
			takers++
		}
	}
	if takers == 0 {
		h.free(c.held)
		return
	}
	c.share = newShare(h, c.Records, takers)
	for _, f := range h.feeds {
		if f.attached && !f.closed {
			f.push(c)
		}
	}
}

// join attaches a feed that has read as far as the reader for all.
func (h *hub) join(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.attached || f.at.after.Compare(h.at.after) < 0 {
		return
	}
	f.attached = true
	h.detached--
	if h.end != nil {
		f.push(*h.end)
	}
	h.signal()
}

func (h *hub) signal() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// free gives bytes back to the budget. It is called under mu.
func (h *hub) free(bytes int64) {
	h.held -= bytes
	h.worker.budget.release(bytes)
}

// close gives back what nobody has finished. Nobody reads any more, and no loop
// runs.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free(h.held)
}

package consumer

import (
	"context"
	"slices"
)

// feed is what one of several handlers reads from: its part in a hub.
type feed struct {
	hub    *hub
	loop   *shardLoop    // whose it is
	filled chan struct{} // capacity 1: something was pushed

	// What follows is guarded by the hub's mu.
	attached bool
	closed   bool // its loop wants no more
	began    place
	at       place     // behind the last chunk of the queue
	queue    []fetched // not taken by the loop; the first may be in run's hand
}

// full reports whether the feed has no room for another chunk.
func (f *feed) full() bool {
	n := 0
	for i := range f.queue {
		if len(f.queue[i].Records) > 0 {
			n++
		}
	}
	return n >= feedRoom
}

// push queues a chunk, without the records that the feed has had. One that says
// only how far behind the reader is goes with the one before it.
func (f *feed) push(c fetched) {
	had := 0
	for had < len(c.Records) && f.at.after.IsRecord() && c.Records[had].Position().Compare(f.at.after) <= 0 {
		had++
	}
	if had > 0 {
		f.hub.free(c.share.done(c.base, had))
		c.Records, c.base = c.Records[had:], c.base+had
	}
	f.at = f.at.behind(&c.Chunk)
	c.until = f.at
	if n := len(f.queue); n > 1 && len(c.Records) == 0 {
		last := &f.queue[n-1]
		last.Behind, last.Now, last.until = c.Behind, c.Now, c.until
		last.Ended, last.Children, last.gone = c.Ended, c.Children, c.gone
		return
	}
	f.queue = append(f.queue, c)
	select {
	case f.filled <- struct{}{}:
	default:
	}
}

// moveTo has the feed begin elsewhere than its hub took it to, before anything
// was taken from it.
func (f *feed) moveTo(at place) {
	h := f.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if at.after.Compare(f.began.after) == 0 {
		return
	}
	if f.attached {
		f.attached = false
		h.detached++
	}
	for _, q := range f.queue {
		h.free(q.share.done(q.base, len(q.Records)))
	}
	f.queue, f.at = nil, at
	h.signal()
}

// run gives the loop its chunks until the last has been taken or ctx ends. While
// the feed is detached it reads them itself.
func (f *feed) run(ctx context.Context) {
	defer f.close()
	var own *fetcher // while it is detached
	defer func() {
		if own != nil {
			own.close()
		}
	}()
	for ctx.Err() == nil {
		c, ok, attached := f.first()
		switch {
		case ok:
			select {
			case f.loop.chunks <- c:
			case <-ctx.Done():
				return
			}
			f.taken()
			if c.Ended {
				return
			}
		case attached:
			if own != nil {
				own.close()
				own = nil
			}
			select {
			case <-f.filled:
			case <-ctx.Done():
			}
		default:
			if own == nil {
				own = f.hub.fetcher(f.place(), []*shardStatus{f.loop.status})
				own.handler, own.breaker = f.loop.handler, f.loop.breaker
			}
			c, ok := own.read(ctx)
			if !ok {
				return
			}
			f.keep(c)
			f.hub.join(f)
		}
	}
}

func (f *feed) first() (c fetched, ok, attached bool) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if len(f.queue) == 0 {
		return fetched{}, false, f.attached
	}
	return f.queue[0], true, f.attached
}

func (f *feed) place() place {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	return f.at
}

// taken notes that the loop has the first chunk.
func (f *feed) taken() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.queue = slices.Delete(f.queue, 0, 1)
	f.hub.signal()
}

// keep queues a chunk that the feed has read itself.
func (f *feed) keep(c fetched) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.hub.held += c.held
	c.Release = nil
	c.share = newShare(f.hub, c.Records, 1)
	f.push(c)
}

// close says that the loop wants no more: nobody waits for it.
func (f *feed) close() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if !f.attached {
		f.hub.detached--
	}
	f.closed, f.attached = true, true
	f.hub.signal()
}

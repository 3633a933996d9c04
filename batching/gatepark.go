package batching

import "time"

// Park holds a key until Unpark: its records are kept elsewhere, and those that
// come are to be brought there.
func (g *Gate) Park(key string, now time.Time) {
	k := g.hold(key)
	k.parked, k.aside, k.attempts, k.out = true, false, 0, false
	g.schedule(k, now)
}

// Unpark ends Park: nothing of the key is kept elsewhere any more.
func (g *Gate) Unpark(key string, now time.Time) {
	if k := g.keys[key]; k != nil {
		k.parked = false
		g.schedule(k, now)
	}
}

// Parked reports whether a key is parked.
func (g *Gate) Parked(key string) bool {
	k := g.keys[key]
	return k != nil && k.parked
}

// Peek is the oldest records that wait of a key, as many as one batch may have
// but always one if there is one. They stay.
func (g *Gate) Peek(key string, bounds Gathering) Gathered {
	var out Gathered
	k := g.keys[key]
	if k == nil {
		return out
	}
	for i := range k.waiting() {
		w := &k.queue[k.head+i]
		size := int64(w.Record.Size())
		if n := len(out.Records); n > 0 && (bounds.Records > 0 && n >= bounds.Records || bounds.Bytes > 0 && out.Bytes+size > bounds.Bytes) {
			break
		}
		out.Records, out.Tickets = append(out.Records, w.Record), append(out.Tickets, w.Ticket)
		out.Bytes += size
		out.Behind = w.Behind
	}
	return out
}

// Remove takes records out that wait of a key, by their tickets, and returns
// them.
func (g *Gate) Remove(key string, tickets []int64) Gathered {
	var out Gathered
	k := g.keys[key]
	if k == nil || len(tickets) == 0 {
		return out
	}
	wanted := make(map[int64]bool, len(tickets))
	for _, t := range tickets {
		wanted[t] = true
	}
	kept := make([]Waiting, 0, len(k.waiting()))
	for _, w := range k.waiting() {
		if !wanted[w.Ticket] {
			kept = append(kept, w)
			continue
		}
		out.Records, out.Tickets = append(out.Records, w.Record), append(out.Tickets, w.Ticket)
		out.Bytes += int64(w.Record.Size())
		out.Behind = w.Behind
	}
	k.queue, k.head = kept, 0
	k.bytes -= out.Bytes
	g.bytes -= out.Bytes
	g.records -= len(out.Records)
	return out
}

// Allow is how many of n records of a key that is parked may be called now by
// its limit, and if none may, when.
func (g *Gate) Allow(key string, n int, now time.Time) (allowed int, at time.Time) {
	if !g.limit.On() {
		return n, now
	}
	allowed = min(n, g.buckets.room(key, now))
	if allowed <= 0 {
		return 0, g.buckets.at(key, now)
	}
	g.buckets.take(key, allowed, now)
	return allowed, now
}

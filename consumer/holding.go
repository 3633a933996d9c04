package consumer

import (
	"slices"
	"sync/atomic"

	"github.com/towpath/towpath/shard"
)

// holding is what a loop holds of the memory budget: the bytes of the records
// that it has taken and not finished. Its fields belong to the loop's goroutine.
type holding struct {
	budget *budget
	bytes  int64   // of records that are this handler's alone
	shared bool    // records come in chunks that several handlers have
	claims []claim // of those records, by their tickets
	lent   lent    // chunks that are this handler's alone
}

// claim is a run of records of a shared chunk, with the tickets that the loop has
// for them.
type claim struct {
	first, end int64 // tickets: end is not one of them
	share      *share
	base       int // the place of first in the chunk
	left       int // unfinished
}

// take notes that the first n records of a chunk are in hand, with tickets from
// first on, and gives back the rest.
func (h *holding) take(c *fetched, n int, first int64) {
	if c.share == nil {
		h.bytes += c.held
		h.release(sizeOf(c.Records[n:]))
		h.lent.take(c.Release, n, first)
		return
	}
	h.shared = true
	c.share.give(c.base+n, len(c.Records)-n)
	if n > 0 {
		h.claims = append(h.claims, claim{first: first, end: first + int64(n), share: c.share, base: c.base, left: n})
	}
}

// finish gives back the records of the tickets, which have so many bytes.
func (h *holding) finish(tickets []int64, bytes int64) {
	if !h.shared {
		h.lent.finish(tickets)
		h.release(bytes)
		return
	}
	for _, ticket := range tickets {
		i, found := slices.BinarySearchFunc(h.claims, ticket, func(c claim, ticket int64) int {
			switch {
			case ticket < c.first:
				return 1
			case ticket >= c.end:
				return -1
			}
			return 0
		})
		if found {
			c := &h.claims[i]
			c.share.give(c.base+int(ticket-c.first), 1)
			c.left--
		}
	}
	for len(h.claims) > 0 && h.claims[0].left == 0 {
		h.claims[0] = claim{}
		h.claims = h.claims[1:]
	}
}

func (h *holding) release(bytes int64) {
	h.bytes -= bytes
	h.budget.release(bytes)
}

// close gives back what is left. What is shared the hub gives back, when the last
// loop has ended.
func (h *holding) close() { h.release(h.bytes) }

// share is a chunk that several handlers have: each of its records is given back
// to the budget when the last of them has finished it.
type share struct {
	hub     *hub
	records []shard.Record
	left    []atomic.Int32 // by record: how many handlers have it
}

func newShare(h *hub, records []shard.Record, handlers int) *share {
	s := &share{hub: h, records: records, left: make([]atomic.Int32, len(records))}
	for i := range s.left {
		s.left[i].Store(int32(handlers))
	}
	return s
}

// done notes that one handler is done with n records, and returns how many bytes
// nobody has any more.
func (s *share) done(from, n int) (bytes int64) {
	for i := from; i < from+n; i++ {
		if s.left[i].Add(-1) == 0 {
			bytes += int64(s.records[i].Size())
		}
	}
	return bytes
}

// give is done, for whoever does not hold the hub's lock.
func (s *share) give(from, n int) {
	if bytes := s.done(from, n); bytes > 0 {
		s.hub.mu.Lock()
		s.hub.free(bytes)
		s.hub.mu.Unlock()
	}
}

package follow

import (
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// merge puts the answers of many shards into one order. It is values in and values
// out: nothing in it waits.
type merge struct {
	inOrder bool
	heads   map[string]*head
	ids     []string // of heads, sorted
}

// head is what is in hand of one shard.
type head struct {
	records []shard.Record
	asked   bool      // the next answer is under way
	upTo    time.Time // all that arrived before it has been given; zero if not known
	ended   bool
	done    bool // it was read up to Until
	kids    []shard.Shard
}

func (m *merge) open(id string) {
	if m.heads == nil {
		m.heads = map[string]*head{}
	}
	m.heads[id] = &head{asked: true}
	if at, known := slices.BinarySearch(m.ids, id); !known {
		m.ids = slices.Insert(m.ids, at, id)
	}
}

func (m *merge) close(id string) {
	delete(m.heads, id)
	if at, known := slices.BinarySearch(m.ids, id); known {
		m.ids = slices.Delete(m.ids, at, at+1)
	}
}

func (m *merge) waiting(id string) { m.heads[id].asked = true }

// add takes an answer in. What arrived at until or later is left out, and the shard
// is done.
func (m *merge) add(id string, c shard.Chunk, until time.Time) {
	h := m.heads[id]
	h.asked, h.records, h.ended, h.kids = false, c.Records, c.Ended, c.Children
	upTo := c.Now
	if !upTo.IsZero() {
		upTo = upTo.Add(-c.Behind)
	} else if n := len(c.Records); n > 0 {
		upTo = c.Records[n-1].ArrivedAt
	}
	if upTo.After(h.upTo) {
		h.upTo = upTo
	}
	if until.IsZero() {
		return
	}
	h.done = !h.upTo.Before(until.Add(grace))
	beyond := slices.IndexFunc(h.records, func(r shard.Record) bool { return !r.ArrivedAt.Before(until) })
	if beyond >= 0 {
		h.records, h.done, h.ended = h.records[:beyond], true, false
	}
}

// done notes that a shard is not read any further.
func (m *merge) done(id string) { m.heads[id].done = true }

// next is what comes next, all of one shard; none if it is not known yet.
func (m *merge) next() []shard.Record {
	var first string
	for _, id := range m.ids {
		h := m.heads[id]
		if len(h.records) > 0 && (first == "" || h.records[0].ArrivedAt.Before(m.heads[first].records[0].ArrivedAt)) {
			first = id
		}
	}
	if first == "" {
		return nil
	}
	h, n := m.heads[first], 0
	if !m.inOrder {
		n = len(h.records)
	}
	for n < len(h.records) && m.mayCome(h.records[n].ArrivedAt, first) {
		n++
	}
	given := h.records[:n]
	h.records = h.records[n:]
	return given
}

// mayCome reports whether no other shard can have anything from before a time. One
// that has ended can, in its children, until those are begun.
func (m *merge) mayCome(at time.Time, of string) bool {
	for _, id := range m.ids {
		h := m.heads[id]
		switch {
		case id == of:
		case len(h.records) > 0:
			if h.records[0].ArrivedAt.Before(at) {
				return false
			}
		case !h.done && (h.ended || h.upTo.Before(at)):
			return false
		}
	}
	return true
}

// spent is a shard of which everything in hand was given, and what to do next.
type spent struct {
	shard       string
	ended, done bool
	children    []shard.Shard
}

// empty are the shards of which nothing is in hand or under way.
func (m *merge) empty() (all []spent) {
	for _, id := range m.ids {
		if h := m.heads[id]; len(h.records) == 0 && !h.asked {
			all = append(all, spent{id, h.ended, h.done, h.kids})
		}
	}
	return all
}

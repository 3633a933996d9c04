package consumer

import "sort"

// lent are the chunks of a loop whose payloads lie in memory that the reader has
// only lent (shard.Chunk.Release). Each is given back when the last of its records
// is finished, which is after the handler has returned for it, and after what it
// leads to was sent and accepted. What is not finished when the loop ends is not
// given back: a handler that ignores the end of its context may still have it.
// Its fields belong to the loop's goroutine.
type lent struct {
	chunks []loan // by their tickets
}

// loan is one of them.
type loan struct {
	first, end int64  // tickets: end is not one of them
	open       []bool // by ticket: not finished
	left       int    // how many are open
	release    func()
}

// take notes a chunk of n records with tickets from first on. One without records
// in hand is given back at once.
func (l *lent) take(release func(), n int, first int64) {
	switch {
	case release == nil:
		return
	case n == 0:
		release()
		return
	}
	one := loan{first: first, end: first + int64(n), open: make([]bool, n), left: n, release: release}
	for i := range one.open {
		one.open[i] = true
	}
	l.chunks = append(l.chunks, one)
}

// finish notes finished records, and gives back the chunks whose last is among
// them. A ticket that is finished twice counts once.
func (l *lent) finish(tickets []int64) {
	if len(l.chunks) == 0 {
		return
	}
	for _, ticket := range tickets {
		i := sort.Search(len(l.chunks), func(i int) bool { return l.chunks[i].end > ticket })
		if i == len(l.chunks) || ticket < l.chunks[i].first {
			continue // of a chunk that was not lent
		}
		one := &l.chunks[i]
		if one.left == 0 || !one.open[ticket-one.first] {
			continue
		}
		one.open[ticket-one.first] = false
		if one.left--; one.left == 0 {
			one.release()
			one.release, one.open = nil, nil
		}
	}
	for len(l.chunks) > 0 && l.chunks[0].left == 0 {
		l.chunks[0] = loan{}
		l.chunks = l.chunks[1:]
	}
}

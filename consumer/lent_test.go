package consumer

import (
	"math/rand/v2"
	"testing"
)

// A chunk is given back with its last record, once, whatever the order in which
// records are finished and however often one of them is.
func TestLentMemoryGoesBackWithTheLastRecord(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var l lent
		const chunks, of = 5, 7
		left, released := [chunks]int{}, [chunks]int{}
		var tickets []int64
		for i := range chunks {
			first := int64(100 + i*2*of) // between them lie those of chunks that were not lent
			left[i] = of
			l.take(func() { released[i]++ }, of, first)
			for j := range int64(2 * of) {
				tickets = append(tickets, first+j)
			}
		}
		tickets = append(tickets, -1, 5, 1000)
		random.Shuffle(len(tickets), func(i, j int) { tickets[i], tickets[j] = tickets[j], tickets[i] })
		finished := map[int64]bool{}
		for len(tickets) > 0 {
			n := 1 + random.IntN(min(4, len(tickets)))
			some := append(tickets[:n:n], tickets[0])
			tickets = tickets[n:]
			l.finish(some)
			for _, ticket := range some {
				i := int(ticket-100) / (2 * of)
				if ticket >= 100 && i < chunks && (ticket-100)%(2*of) < of && !finished[ticket] {
					finished[ticket] = true
					left[i]--
				}
			}
			for i := range chunks {
				if want := left[i] == 0; (released[i] == 1) != want || released[i] > 1 {
					t.Fatalf("seed %d: chunk %d has %d records left and was given back %d times", seed, i, left[i], released[i])
				}
			}
		}
		if len(l.chunks) != 0 {
			t.Errorf("seed %d: %d chunks are left", seed, len(l.chunks))
		}
	}
}

// Of a chunk of which nothing is in hand nobody will finish anything.
func TestLentMemoryWithoutRecordsGoesBackAtOnce(t *testing.T) {
	var l lent
	released := 0
	l.take(func() { released++ }, 0, 0)
	l.take(nil, 3, 0)
	l.finish([]int64{0, 1, 2})
	if released != 1 || len(l.chunks) != 0 {
		t.Errorf("given back %d times, %d chunks are left", released, len(l.chunks))
	}
}

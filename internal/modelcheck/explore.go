package modelcheck

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Report is what a look at every state came to.
type Report struct {
	// States is how many different ones there are, Steps how many moves lead
	// from one to another, and Depth how many moves the farthest is away.
	States, Steps, Depth int
	// Whole is set if there are no more: the bound was not met.
	Whole bool
	// Took is how long it took.
	Took time.Duration
	// Breach is the shortest way to break an invariant; nil if there is none.
	Breach *Breach
}

// String is the figures on one line.
func (r Report) String() string {
	whole := "all"
	if !r.Whole {
		whole = "not all"
	}
	return fmt.Sprintf("%9d states (%s), %10d steps, depth %3d, %5.1f s, %.0f states/s",
		r.States, whole, r.Steps, r.Depth, r.Took.Seconds(), float64(r.States)/r.Took.Seconds())
}

// search is one look at every state. The states are parted by their hash, so that
// each goroutine keeps the ones of its own part.
type search[S comparable] struct {
	seed   maphash.Seed
	parts  []*store[S]
	models []Model[S]
	found  [][]reached[S] // by goroutine and part, in one slice of slices each
	steps  []int
	failed []*failure
}

// reached is a state that a move leads to.
type reached[S comparable] struct {
	state S
	hash  uint64
	from  place
}

// failure is a move that breaks an invariant.
type failure struct {
	from place
	move Move
	err  error
}

// slab is how many states are looked at before what they lead to is kept: it
// bounds the room for what was reached and not kept yet.
const slab = 1 << 15

// Explore visits the states of a model, nearest first, until there are no more,
// an invariant is broken, or there are more than most. Make gives a model for
// each goroutine; all have to be the same.
func Explore[S comparable](make_ func() Model[S], most int) Report {
	began := time.Now()
	n := runtime.GOMAXPROCS(0)
	s := &search[S]{seed: maphash.MakeSeed(), steps: make([]int, n), failed: make([]*failure, n)}
	for range n {
		s.parts = append(s.parts, newStore[S]())
		s.models = append(s.models, make_())
	}
	s.found = make([][]reached[S], n*n)
	for _, start := range s.models[0].Starts() {
		h := s.hash(start)
		s.parts[h>>32%uint64(n)].add(start, h, nowhere, s.hash)
	}
	var r Report
	lo := make([]int, n)
	for {
		hi := make([]int, n)
		for p := range hi {
			hi[p] = len(s.parts[p].states)
		}
		fresh := false
		for p := range n {
			for from := lo[p]; from < hi[p]; from += slab {
				fresh = true
				s.expand(p, from, min(from+slab, hi[p]))
				if f := s.failure(); f != nil {
					r.Breach = s.retell(f)
				}
				s.keep()
				r.States = s.count()
				if r.Breach != nil || r.States > most {
					r.Steps, r.Took = sum(s.steps), time.Since(began)
					return r
				}
			}
		}
		if !fresh {
			break
		}
		r.Depth++
		lo = hi
	}
	r.Depth--
	r.Whole, r.Steps, r.Took = true, sum(s.steps), time.Since(began)
	return r
}

func (s *search[S]) hash(state S) uint64 { return maphash.Comparable(s.seed, state) }

// expand makes every move of some states of a part.
func (s *search[S]) expand(part, from, to int) {
	n := len(s.parts)
	var all sync.WaitGroup
	for g := range n {
		lo, hi := from+(to-from)*g/n, from+(to-from)*(g+1)/n
		all.Go(func() { // ends with its states
			found := s.found[g*n : (g+1)*n]
			for p := range found {
				found[p] = found[p][:0]
			}
			model := s.models[g]
			var moves []Move
			for i := lo; i < hi; i++ {
				state := s.parts[part].states[i]
				moves = model.Moves(&state, moves[:0])
				s.steps[g] += len(moves)
				for _, move := range moves {
					next := state
					if err := model.Step(&next, move); err != nil {
						if s.failed[g] == nil {
							s.failed[g] = &failure{from: place{uint32(part), uint32(i)}, move: move, err: err}
						}
						continue
					}
					if next == state {
						continue
					}
					h := s.hash(next)
					p := h >> 32 % uint64(n)
					found[p] = append(found[p], reached[S]{next, h, place{uint32(part), uint32(i)}})
				}
			}
		})
	}
	all.Wait()
}

// keep adds what was found to the parts.
func (s *search[S]) keep() {
	n := len(s.parts)
	var all sync.WaitGroup
	for p := range n {
		all.Go(func() { // ends with what was found of its part
			for g := range n {
				for _, r := range s.found[g*n+p] {
					s.parts[p].add(r.state, r.hash, r.from, s.hash)
				}
			}
		})
	}
	all.Wait()
}

func (s *search[S]) count() (n int) {
	for _, p := range s.parts {
		n += len(p.states)
	}
	return n
}

func (s *search[S]) failure() *failure {
	for _, f := range s.failed {
		if f != nil {
			return f
		}
	}
	return nil
}

// retell is the way to a failure.
func (s *search[S]) retell(f *failure) *Breach {
	var way []S
	for at := f.from; at != nowhere; at = s.parts[at.part].from[at.index] {
		way = append(way, s.parts[at.part].states[at.index])
	}
	slices.Reverse(way)
	return breachOf(s.models[0], way, f.move, f.err)
}

func sum(all []int) (total int) {
	for _, n := range all {
		total += n
	}
	return total
}

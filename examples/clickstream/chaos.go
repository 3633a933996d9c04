package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// action is one thing that happens to the stream or to the fleet.
type action uint8

const (
	actSplit action = iota // an open shard is split in two
	actMerge               // two neighbouring open shards become one
	actStop                // a worker is told to stop, and finishes what it has in hand
	actKill                // a worker is gone without a word, as by SIGKILL
	actStart               // a new worker joins
)

func (a action) String() string {
	return [...]string{"split", "merge", "stop", "kill", "start"}[a]
}

// step is one planned action.
type step struct {
	// After is how many records have come to their end when it is time.
	After int
	Do    action
	// draw decides which shard or worker it befalls, once it is known which
	// there are.
	draw uint64
}

// pick chooses one of n candidates. It needs n > 0.
func (s step) pick(n int) int { return int(s.draw % uint64(n)) }

func (s step) String() string { return fmt.Sprintf("%s after %d", s.Do, s.After) }

// schedule plans what happens during a run over total records with the given
// number of workers at the start. It is a function of its arguments alone: a run
// that went wrong is seen again by giving its seed.
//
// Every schedule has each action at least once, between a tenth and four fifths
// of the way, so that there is work before the first and after the last. Its order
// is drawn, within what makes sense:
//
//   - split before merge: a stream of one shard has nothing to merge until then;
//   - kill before the last start: the dead worker's shards are taken by those who
//     are left, then the newcomer gets its share;
//   - a worker is alive at all times: with few of them, one more starts first.
func schedule(seed uint64, total, workers int) []step {
	rng := rand.New(rand.NewPCG(seed, 0x6368616f73))
	order := []action{actSplit, actMerge, actStop, actKill, actStart}
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	inOrder(order, actSplit, actMerge)
	inOrder(order, actKill, actStart)
	order = keepAlive(order, workers)

	const first, last = 0.10, 0.80
	slot := (last - first) * float64(total) / float64(len(order))
	steps := make([]step, len(order))
	for i, do := range order {
		// Each has a slot to itself and is due in the first half of it, so two
		// never come so close that the second finds the first unfinished.
		at := first*float64(total) + slot*(float64(i)+rng.Float64()/2)
		steps[i] = step{After: int(at), Do: do, draw: rng.Uint64()}
	}
	return steps
}

// inOrder swaps a and b if b stands first.
func inOrder(order []action, a, b action) {
	i, j := slices.Index(order, a), slices.Index(order, b)
	if j < i {
		order[i], order[j] = b, a
	}
}

// keepAlive puts a start before whatever would leave no worker.
func keepAlive(order []action, workers int) []action {
	alive := workers
	var safe []action
	for _, do := range order {
		switch do {
		case actStop, actKill:
			if alive <= 1 {
				safe = append(safe, actStart)
				alive++
			}
			alive--
		case actStart:
			alive++
		}
		safe = append(safe, do)
	}
	return safe
}

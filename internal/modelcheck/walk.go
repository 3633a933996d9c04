package modelcheck

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Walked is what random walks came to.
type Walked struct {
	// Walks is how many there were, Steps how many moves they made, and
	// Violations how many of them broke an invariant.
	Walks, Steps, Violations uint64
	// Seed is the lowest seed whose walk broke one, and Breach how.
	Seed   uint64
	Breach *Breach
}

// Walk makes one walk for each seed from first on, of so many moves at most. Make
// gives a model for each goroutine; all have to be the same.
func Walk[S comparable](make_ func() Model[S], first, seeds uint64, length int) Walked {
	var total Walked
	var mu sync.Mutex // protects total
	var next atomic.Uint64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() { // ends when the seeds do
			model := make_()
			starts := model.Starts()
			var mine Walked
			for {
				n := next.Add(walksAtOnce) - walksAtOnce
				if n >= seeds {
					break
				}
				for seed := first + n; seed < first+min(n+walksAtOnce, seeds); seed++ {
					steps, err := stroll(model, starts, seed, length, nil)
					mine.Walks++
					mine.Steps += uint64(steps)
					if err != nil {
						if mine.Violations == 0 {
							mine.Seed = seed
						}
						mine.Violations++
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if mine.Violations > 0 && (total.Violations == 0 || mine.Seed < total.Seed) {
				total.Seed = mine.Seed
			}
			total.Walks += mine.Walks
			total.Steps += mine.Steps
			total.Violations += mine.Violations
		})
	}
	all.Wait()
	if total.Violations > 0 {
		total.Breach = Retrace(make_(), total.Seed, length)
	}
	return total
}

// walksAtOnce is how many seeds a goroutine draws at a time.
const walksAtOnce = 256

// Retrace makes the walk of one seed again, and is how it breaks an invariant; nil
// if it does not.
func Retrace[S comparable](model Model[S], seed uint64, length int) *Breach {
	b := &Breach{}
	_, b.Err = stroll(model, model.Starts(), seed, length, func(s *S, told string) {
		if told != "" {
			told = pad(told)
		}
		b.Steps = append(b.Steps, told+model.Show(s))
	})
	if b.Err == nil {
		return nil
	}
	return b
}

func pad(told string) string {
	const width = 35
	for len(told) < width {
		told += " "
	}
	return told
}

// stroll makes one walk.
func stroll[S comparable](model Model[S], starts []S, seed uint64, length int, tell func(*S, string)) (steps int, err error) {
	source := rand.PCG{}
	source.Seed(seed, 0x9e3779b97f4a7c15)
	draw := func(n int) int { return int((source.Uint64() >> 33) % uint64(n)) }
	state := starts[draw(len(starts))]
	if tell != nil {
		tell(&state, "")
	}
	var room [64]Move
	moves := room[:0]
	for steps < length {
		if moves = model.Moves(&state, moves[:0]); len(moves) == 0 {
			return steps, nil
		}
		move := moves[draw(len(moves))]
		var told string
		if tell != nil {
			told = model.Tell(&state, move)
		}
		err = model.Step(&state, move)
		steps++
		if tell != nil {
			tell(&state, told)
		}
		if err != nil {
			return steps, err
		}
	}
	return steps, nil
}

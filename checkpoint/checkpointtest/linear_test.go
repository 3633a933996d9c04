package checkpointtest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/internal/lineartest"
)

var linearSeeds = flag.Int("linearseeds", 6, "how many histories of the table in memory are checked")

// Whatever calls fail, and whichever answers are lost, there is one order of all
// calls that explains what every worker was told: the table in memory is as
// linearizable as DynamoDB promises to be.
func TestTableIsLinearizableUnderFaults(t *testing.T) {
	for seed := range *linearSeeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			history := new(lineartest.History)
			synctest.Test(t, func(t *testing.T) { play(t, uint64(seed), history) })
			if err := history.Check(2 * time.Minute); err != nil {
				t.Error(err)
			}
			if answered, open := history.Size(); answered < 200 || open < 5 {
				t.Errorf("the history has %d answered calls and %d open ones, which proves little", answered, open)
			}
		})
	}
}

// play lets four workers loose upon a table whose calls take up to 20 ms each
// way; one in twelve is lost, and the answer of as many.
func play(t *testing.T, seed uint64, history *lineartest.History) {
	names := []string{"anna", "bert", "cleo", "dora"}
	table := NewTable()
	roads := map[string]*rand.Rand{} // each caller's goroutine has its own
	for i, name := range names {
		roads[name] = rand.New(rand.NewPCG(seed, uint64(i)))
	}
	on := func(what string) func(op, caller string) error {
		return func(_, caller string) error {
			time.Sleep(time.Duration(roads[caller].Int64N(int64(20 * time.Millisecond))))
			if roads[caller].IntN(12) == 0 {
				return errors.New("the " + what + " was lost")
			}
			return nil
		}
	}
	table.Interfere(on("request"), on("answer"))
	var workers sync.WaitGroup
	for i, name := range names {
		view := history.Record(table.As(name))
		workers.Go(func() {
			view.Play(t.Context(), rand.New(rand.NewPCG(seed, uint64(100+i))), names, i, 110)
		})
	}
	workers.Wait()
}

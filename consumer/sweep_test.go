package consumer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard/shardtest"
)

// Nothing hangs on a hint: where none arrives, the owner of an idle shard finds by
// its next look at its leases that it is to hand one over, long before that is
// withdrawn, and the next owner finds the same way that it is its own. (spec/Inbox,
// run inbox-sweepblind.)
func TestHandOverOfAnIdleShardNeedsNoHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		table := checkpointtest.NewTable()
		table.Interfere(func(op, _ string) error {
			if op == "tell" {
				return errors.New("no answer")
			}
			return nil
		}, nil)
		cfg := config(stream, table)
		cfg.Handler, cfg.WorkerPrefix = &tally{}, "z"
		owner := start(t, cfg)
		await(t, "both shards", func() bool { return owner.holds() == 2 })
		cfg.WorkerPrefix = "a" // the planner
		planner := start(t, cfg)
		asked := func() bool {
			rows, err := table.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				if row.CheckpointOwner != "" {
					return true
				}
			}
			return false
		}
		await(t, "the planner asks", asked)
		began := time.Now()
		await(t, "the hand-over", func() bool { return planner.holds() == 1 })
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("the hand-over took %v, want two sweeps of 5 s and little more", took)
		}
	})
}

package consumer_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// A worker whose take is under way does not say that it stands still: the answer
// may arrive when the move is over, and would begin the shard as it stood before.
// (spec/Barrier, run barrier-taking.)
func TestWorkerWhoseTakeIsUnderWayDoesNotStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		number(stream, 0, 5)
		var taken, answered atomic.Int64
		table.Interfere(nil, func(op, _ string) error {
			if op == "take" && taken.Add(1) == 1 {
				time.Sleep(4500 * time.Millisecond) // the answer is under way
				answered.Add(1)
			}
			return nil
		})
		cfg := config(stream, table)
		cfg.Handler = &tally{}
		r := start(t, cfg)
		await(t, "the take", func() bool { return taken.Load() == 1 })
		seen, err := table.Control(t.Context())
		must(t, err)
		next := seen
		next.Move = shard.Move{ID: "seek-1", What: "seek", By: "test", To: shard.TrimHorizon()}
		announced, err := table.SetControl(t.Context(), seen, next)
		must(t, err)
		await(t, "the worker stands still", func() bool {
			sessions, err := table.SessionsNow(t.Context())
			must(t, err)
			return len(sessions) == 1 && sessions[0].ShareGen >= announced.Gen
		})
		if answered.Load() == 0 {
			t.Error("the worker says that it stands still, and has a take under way")
		}
		if r.holds() != 0 {
			t.Error("the worker works a shard and says that it stands still")
		}
		over := announced
		over.Move = shard.Move{}
		if _, err := table.SetControl(t.Context(), announced, over); err != nil {
			t.Fatal(err)
		}
		await(t, "the shard is worked", func() bool { return r.holds() == 1 })
	})
}

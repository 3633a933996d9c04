package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// Shards of a DynamoDB stream are gone after a day: what a worker remembers of
// them goes with them, and what it remembers of others stays.
func TestWorkerForgetsShardsThatAreGone(t *testing.T) {
	w := &worker{running: map[string]*atomic.Int64{}, notes: map[noteKey]string{}}
	f := &fleet{
		worker: w, tenures: map[string]*tenure{"held": nil}, listed: []shard.Shard{{ID: "listed"}},
		named:  map[string]bool{"gone": true},
		spared: map[string]time.Duration{"gone": 1, "row": 1},
	}
	for _, id := range []string{"gone", "gone, and a call of it still runs", "listed", "row", "parent", "held"} {
		w.runningIn(id)
		w.notes[noteKey{shard: id}] = "failed"
	}
	w.runningIn("gone, and a call of it still runs").Add(1)
	f.forget([]shard.Lease{{Key: "row", Shard: "row", Parents: []string{"parent"}}})
	for _, id := range []string{"listed", "row", "parent", "held"} {
		if !f.named[id] || w.running[id] == nil || w.notes[noteKey{shard: id}] == "" {
			t.Errorf("%s was forgotten", id)
		}
	}
	if f.named["gone"] || w.running["gone"] != nil || w.notes[noteKey{shard: "gone"}] != "" || len(f.spared) != 1 {
		t.Error("what is gone is remembered")
	}
	if w.running["gone, and a call of it still runs"] == nil {
		t.Error("a running call was forgotten")
	}
}

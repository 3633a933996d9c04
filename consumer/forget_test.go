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

// Of a row of which neither the parent nor the shard itself is listed, a listing
// that is late cannot tell whether the parent is in the way; nor of what comes of it.
func TestListingThatMayBeTooOldLeavesAChildWaiting(t *testing.T) {
	f := &fleet{listed: []shard.Shard{{ID: "a"}, {ID: "b", LastSequence: "9"}, {ID: "listed", Parents: []string{"expired"}}}}
	row := func(id string, at shard.Position, parents ...string) shard.Lease {
		return shard.Lease{Key: id, Shard: id, Checkpoint: at, Parents: parents}
	}
	got := f.adrift([]shard.Lease{
		row("a", shard.TrimHorizon()),
		row("b", shard.End()),
		row("young", shard.TrimHorizon(), "b", "unseen"),
		row("younger", shard.TrimHorizon(), "a", "young"),
		row("of a listed parent", shard.TrimHorizon(), "b"),
		row("listed", shard.TrimHorizon(), "expired"),
		row("begun", shard.After("7", 0), "unseen"),
	})
	if len(got) != 2 || !got["young"] || !got["younger"] {
		t.Errorf("adrift are %v, want young and younger", got)
	}
}

package shard_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// tenThousand is a stream of ten thousand shards, its rows shared out over fifty
// workers of which some have died, and the view of one that lives.
func tenThousand(dead int) (listed []shard.Shard, rows []shard.Lease, v shard.View) {
	const shards, workers = 10_000, 50
	width := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(shards))
	name := func(w int) string { return fmt.Sprintf("w%02d/0123456789abcdef", w) }
	v = shard.View{Me: name(0), Settle: 10 * time.Second, HandoverTimeout: 35 * time.Second}
	for w := range workers - dead {
		v.Workers = append(v.Workers, shard.WorkerView{ID: name(w), Age: time.Hour})
	}
	for i := range shards {
		id := fmt.Sprintf("shardId-%012d", i)
		low := new(big.Int).Mul(width, big.NewInt(int64(i)))
		high := new(big.Int).Sub(new(big.Int).Add(low, width), big.NewInt(1))
		if i == shards-1 {
			high = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
		}
		hashes := shard.HashRange{Start: low.String(), End: high.String()}
		owner := i % workers
		listed = append(listed, shard.Shard{ID: id, Hashes: hashes, FirstSequence: "1"})
		rows = append(rows, shard.Lease{Key: id, Shard: id, Owner: name(owner), Counter: 7, Checkpoint: shard.TrimHorizon(), Hashes: hashes})
		v.Leases = append(v.Leases, shard.LeaseView{Key: id, Owner: name(owner), Free: owner >= workers-dead, Runnable: true})
	}
	return listed, rows, v
}

// One round of the planner of fifty workers and ten thousand shards after five
// workers died: the family tree, who takes what, and the audit for holes. It is to
// take less than a second.
func BenchmarkPlan10000x50(b *testing.B) {
	listed, rows, v := tenThousand(5)
	b.Run("lineage", func(b *testing.B) {
		for b.Loop() {
			l := shard.NewLineage(listed, rows)
			for _, row := range rows {
				l.Runnable(row.Shard)
			}
		}
	})
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			shard.Plan(v)
		}
	})
	b.Run("audit", func(b *testing.B) {
		l := shard.NewLineage(listed, rows)
		for b.Loop() {
			l.Missing(shard.Latest(), shard.Stream{})
			l.Deletable()
			l.Holes()
		}
	})
}

// Half of the first creation at the tip went through. What is missing begins at
// the time that the other half shows, and to find that out takes no look at every
// row for each.
func BenchmarkMissing10000(b *testing.B) {
	listed, rows, _ := tenThousand(0)
	for i := range rows {
		rows[i].Checkpoint = shard.AtTime(time.Unix(1e9, 0))
	}
	l := shard.NewLineage(listed, rows[:len(rows)/2])
	for b.Loop() {
		if n := len(l.Missing(shard.Latest(), shard.Stream{})); n != len(rows)/2 {
			b.Fatal(n)
		}
	}
}

// Five of fifty workers have died: each of the others takes its part of what they
// held, all of it together, and nobody more than a lease above another.
func TestPlanSharesOutWhatManyHeld(t *testing.T) {
	_, _, v := tenThousand(5)
	taken := map[string]string{}
	for _, w := range v.Workers {
		v.Me = w.ID
		moves := shard.Plan(v)
		if n := len(moves.Take); n < 22 || n > 23 {
			t.Errorf("%s takes %d leases, want 22 or 23", w.ID, n)
		}
		if len(moves.Ask)+len(moves.Withdraw) > 0 {
			t.Errorf("%s asks for hand-overs though free leases even it out: %s", w.ID, moves)
		}
		for _, key := range moves.Take {
			if other, twice := taken[key]; twice {
				t.Fatalf("%s falls to %s and to %s", key, other, w.ID)
			}
			taken[key] = w.ID
		}
	}
	if len(taken) != 1000 {
		t.Errorf("%d leases are taken, want the 1000 of the dead", len(taken))
	}
}

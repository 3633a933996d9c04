package consumer_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard/shardtest"
)

// The load in a row is what the shard brings, and not what its records take in the
// memory of a worker, which of small ones is many times as much.
func TestLoadIsOfPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler = &tally{}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		n := 0
		for range 120 {
			for range 64 {
				n++
				stream.Put("key", fmt.Appendf(nil, "%032d", n)) // 2 KiB a second
			}
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Second) // for the position, and the load with it
		rows, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[0].Load; got < 1 || got > 2.1 {
			t.Errorf("the row has a load of %.1f KiB/s, want some 1.7 of the 2 that come, as an average of a minute", got)
		}
	})
}

// Two workers have two shards each. When both hot ones lie on one of them, they
// are spread; when it is over they stay, and nothing is repeated.
func TestHotShardsAreSpreadOverTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(4), checkpointtest.NewTable()
		h := &tally{}
		cfg := config(stream, table)
		cfg.Handler = h
		first := start(t, cfg)
		cfg.WorkerPrefix = "x"
		second := start(t, cfg)
		await(t, "two shards each", func() bool { return first.holds() == 2 && second.holds() == 2 })
		time.Sleep(time.Minute)
		hot := []string{first.Status().Shards[0].Shard, first.Status().Shards[1].Shard}
		put, data := 0, make([]byte, 64<<10)
		load := func(shardID string) {
			put++
			if _, err := stream.PutTo(shardID, "key", append(fmt.Append(nil, put), data...)); err != nil {
				t.Error(err)
			}
		}
		both := func(r *running) (n int) {
			for _, s := range r.Status().Shards {
				if s.Shard == hot[0] || s.Shard == hot[1] {
					n++
				}
			}
			return n
		}
		for began := time.Now(); both(first) == 2 && time.Since(began) < 5*time.Minute; time.Sleep(250 * time.Millisecond) {
			load(hot[0])
			load(hot[1])
		}
		time.Sleep(5 * time.Second)
		if both(first) != 1 || both(second) != 1 || first.holds() != 2 || second.holds() != 2 {
			t.Fatalf("the first worker has %d hot shards of %d, the second %d of %d, want one of two each",
				both(first), first.holds(), both(second), second.holds())
		}
		rows, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		highest := 0.0
		for _, row := range rows {
			highest = max(highest, row.Load)
		}
		if highest < 100 || highest > 300 {
			t.Errorf("the highest load in the table is %v KiB/s, want some 150 of the 256 that come, as an average of a minute", highest)
		}
		time.Sleep(20 * time.Minute) // and no more is moved
		if both(first) != 1 || h.repeats() != 0 || h.finished() != put {
			t.Errorf("the first worker has %d hot shards; %d of %d records were handled, %d again", both(first), h.finished(), put, h.repeats())
		}
		rows, _ = table.List(t.Context())
		for _, row := range rows {
			if row.Load > 64 {
				t.Errorf("%s still has a load of %v in the table, 20 minutes after its last record", row.Shard, row.Load)
			}
		}
	})
}

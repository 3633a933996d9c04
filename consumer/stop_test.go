package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// A worker is stopped at ten thousand random points of virtual time, each time
// followed by another: as it starts, reads, waits for a window, calls, retries,
// writes or lets go. No stop fails or lingers, and in the end every record has
// been handled once, in the order of its key.
func TestStopsAtTenThousandRandomPointsRepeatNothing(t *testing.T) {
	const stops = 250
	seeds := uint64(40)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 10_000))
				stream := shardtest.NewStream(1+random.IntN(3), func(o *shardtest.Options) { o.Limit, o.Poll = 5, 10*time.Millisecond })
				table := checkpointtest.NewTable()
				// Every call to the table takes a moment, so that it can be
				// interrupted.
				table.Interfere(
					func(string, string) error { time.Sleep(rand.N(time.Millisecond)); return nil },
					func(string, string) error { time.Sleep(rand.N(time.Millisecond)); return nil },
				)
				next := map[string]int{}
				h := &tally{do: func(ctx context.Context, b *batching.Batch) error {
					time.Sleep(rand.N(20 * time.Millisecond))
					if rand.IntN(10) == 0 {
						return errors.New("not now")
					}
					return nil
				}}
				put := 0
				for i := range stops {
					for range random.IntN(5) {
						key := fmt.Sprint("key", random.IntN(5))
						stream.Put(key, fmt.Appendf(nil, "%s/%d", key, next[key]))
						next[key]++
						put++
					}
					cfg := config(stream, table)
					cfg.Handler, cfg.BatchSize, cfg.ParallelizationFactor = h, 1+random.IntN(4), 1+random.IntN(3)
					cfg.CheckpointInterval, cfg.MaximumBackoff = 5*time.Millisecond, 10*time.Millisecond
					cfg.MaximumBatchingWindow = time.Duration(random.IntN(2)) * 5 * time.Millisecond
					r := start(t, cfg)
					time.Sleep(time.Duration(random.Int64N(int64(5*time.Millisecond) << random.IntN(5))))
					if took, err := r.end(); err != nil || took > time.Second {
						t.Errorf("stop %d took %v and returned %v, want at most 1s and nil", i, took, err)
					}
				}
				cfg := config(stream, table)
				cfg.Handler = h
				runToTip(t, cfg)
				if h.finished() != put || h.repeats() != 0 {
					t.Errorf("%d of %d records were handled, %d of them again, want all once", h.finished(), put, h.repeats())
				}
				last := map[string]int{}
				for _, data := range h.order {
					var key string
					var n int
					if _, err := fmt.Sscanf(data, "key%1s/%d", &key, &n); err != nil {
						t.Fatal(err)
					}
					if n != last[key] {
						t.Fatalf("key %s: record %d was handled where %d was next", key, n, last[key])
					}
					last[key]++
				}
				rows, err := table.List(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					if row.Owner != "" || row.Suspect != (shard.Position{}) {
						t.Errorf("the row is left as %s, suspect %s", row, row.Suspect)
					}
				}
			})
		})
	}
}

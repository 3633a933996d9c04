package consumer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// wide is a stream whose reads bring everything at once.
func wide(shards int) *shardtest.Stream {
	return shardtest.NewStream(shards, func(o *shardtest.Options) { o.Limit = 100_000 })
}

// busy takes a while, so that calls that may overlap do.
func busy(context.Context, *batching.Batch) error {
	time.Sleep(time.Millisecond + rand.N(50*time.Millisecond))
	return nil
}

// ParallelizationFactor batches of one shard run at once, there is no cap of
// ten, and the records of each key stay in order: none begins before the one
// before it has been finished.
func TestLanesRunAtOnceAndKeepTheOrderOfEachKey(t *testing.T) {
	for _, factor := range []int{1, 2, 10, 64} {
		t.Run(fmt.Sprint(factor), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rounds = 4
				keys := 16 * factor // enough that no lane stays without one
				stream := wide(1)
				for round := range rounds {
					for key := range keys {
						stream.Put(fmt.Sprint(key), fmt.Appendf(nil, "%d/%d", key, round))
					}
				}
				var mu sync.Mutex
				next := map[string]int{}
				h := &tally{do: func(ctx context.Context, b *batching.Batch) error {
					busy(ctx, b)
					mu.Lock()
					defer mu.Unlock()
					for _, r := range b.Records {
						if want := fmt.Sprintf("%s/%d", r.PartitionKey, next[r.PartitionKey]); string(r.Data) != want {
							t.Errorf("key %s got %s, want %s", r.PartitionKey, r.Data, want)
						}
						next[r.PartitionKey]++
					}
					return nil
				}}
				table := checkpointtest.NewTable()
				cfg := config(stream, table)
				cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize = h, factor, 5
				runToTip(t, cfg)
				if h.most() != factor {
					t.Errorf("%d calls ran at once, want %d", h.most(), factor)
				}
				if h.finished() != rounds*keys || h.repeats() != 0 {
					t.Errorf("%d records were handled, %d of them again, want %d once each", h.finished(), h.repeats(), rounds*keys)
				}
				all := stream.Records()
				if got, want := onlyRow(t, table).Checkpoint, all[len(all)-1].Position(); got.Compare(want) != 0 {
					t.Errorf("the checkpoint is %s, want the last record, %s", got, want)
				}
			})
		})
	}
}

// Key says what is kept in order: records of one own key never overlap, whatever
// their partition keys.
func TestKeyIsWhatOrderBelongsTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		for i := range 400 {
			// The tenant is the first letter; partition keys are all different.
			stream.Put(fmt.Sprint("partition-", i), fmt.Appendf(nil, "%c%03d", 'a'+i%20, i))
		}
		var mu sync.Mutex
		working, last := map[byte]int{}, map[byte]string{}
		h := &tally{do: func(ctx context.Context, b *batching.Batch) error {
			mu.Lock()
			tenants := map[byte]bool{}
			for _, r := range b.Records {
				tenant := r.Data[0]
				tenants[tenant] = true
				if string(r.Data) < last[tenant] {
					t.Errorf("%s came after %s", r.Data, last[tenant])
				}
				last[tenant] = string(r.Data)
			}
			for tenant := range tenants {
				if working[tenant]++; working[tenant] > 1 {
					t.Errorf("two calls with records of %c ran at once", tenant)
				}
			}
			mu.Unlock()
			busy(ctx, b)
			mu.Lock()
			for tenant := range tenants {
				working[tenant]--
			}
			mu.Unlock()
			return nil
		}}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize = h, 4, 3
		cfg.Key = func(r *shard.Record) string { return string(r.Data[:1]) }
		runToTip(t, cfg)
		if h.finished() != 400 || h.most() < 2 {
			t.Errorf("%d records in at most %d calls at once, want 400 in several", h.finished(), h.most())
		}
	})
}

// Unordered gives batches to whichever lane is free, also those of a single key;
// without it one key has one lane.
func TestUnorderedUsesEveryLane(t *testing.T) {
	for _, unordered := range []bool{true, false} {
		t.Run(fmt.Sprint(unordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := wide(1)
				for i := range 800 {
					stream.Put("key", fmt.Append(nil, i))
				}
				h := &tally{do: busy}
				table := checkpointtest.NewTable()
				cfg := config(stream, table)
				cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize, cfg.Unordered = h, 8, 10, unordered
				runToTip(t, cfg)
				want := 1
				if unordered {
					want = 8
				}
				if h.most() != want {
					t.Errorf("%d calls ran at once, want %d", h.most(), want)
				}
				if h.finished() != 800 || h.repeats() != 0 {
					t.Errorf("%d records were handled, %d of them again, want 800 once each", h.finished(), h.repeats())
				}
				all := stream.Records()
				if got, want := onlyRow(t, table).Checkpoint, all[799].Position(); got.Compare(want) != 0 {
					t.Errorf("the checkpoint is %s, want the last record, %s", got, want)
				}
			})
		})
	}
}

// MaximumConcurrency bounds the calls of all shards and lanes of the process.
func TestMaximumConcurrencyHoldsOverAllShards(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := wide(4)
				for i := range 1_000 {
					stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
				}
				h := &tally{do: busy}
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize, cfg.MaximumConcurrency = h, 4, 5, limit
				runToTip(t, cfg)
				if want := limit; limit > 0 && h.most() != want {
					t.Errorf("%d calls ran at once, want %d", h.most(), want)
				}
				if limit == 0 && h.most() < 12 {
					t.Errorf("without a limit %d calls ran at once, want about 16", h.most())
				}
				if h.finished() != 1_000 {
					t.Errorf("%d records were handled, want 1000", h.finished())
				}
			})
		})
	}
}

// RecordsPerSecond bounds what all handlers of the process get, repeats among
// it, beyond a burst of one second's worth; and it is used up.
func TestRecordsPerSecondIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, records = 100, 2_000
		stream := wide(4)
		for i := range records {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		var mu sync.Mutex
		var began time.Time
		given := 0
		h := &tally{do: func(_ context.Context, b *batching.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			given += len(b.Records)
			if most := rate + rate*time.Since(began).Seconds() + 0.5; float64(given) > most {
				t.Errorf("%d records were given after %v, want at most %.0f", given, time.Since(began), most)
			}
			return nil
		}}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize, cfg.RecordsPerSecond = h, 4, 150, rate // a batch larger than the burst
		cfg.Hooks.Read = func(consumer.ReadEvent) {
			mu.Lock()
			defer mu.Unlock()
			if began.IsZero() {
				began = time.Now()
			}
		}
		runToTip(t, cfg)
		took := time.Since(began)
		if took > records/rate*time.Second+5*time.Second {
			t.Errorf("%d records took %v, want about %v: the rate is not used up", records, took, records/rate*time.Second)
		}
		if h.finished() != records {
			t.Errorf("%d records were handled, want %d", h.finished(), records)
		}
	})
}

// A key that is stuck holds its lane, not its shard: other lanes go on up to
// MaximumInFlight, then reading stops; the checkpoint waits, and when the key
// comes loose everything is handled once and nothing is skipped.
func TestMaximumInFlightStopsReadingBehindAStuckKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const records, bound, read = 2_000, 200, 50
		stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = read })
		stuckAt := stream.Put("stuck", []byte("stuck"))
		for i := range records {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		isLoose := false
		var mu sync.Mutex
		h := &tally{do: func(_ context.Context, b *batching.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			if !isLoose && find(b, "stuck") != nil {
				return fmt.Errorf("stuck")
			}
			return nil
		}}
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize, cfg.MaximumInFlight = h, 4, 10, bound
		cfg.CheckpointInterval = time.Second
		brought := 0
		cfg.Hooks.Read = func(e consumer.ReadEvent) {
			mu.Lock()
			defer mu.Unlock()
			brought += e.Records
		}
		r := start(t, cfg)
		time.Sleep(5 * time.Minute)
		mu.Lock()
		stoppedAt := brought
		mu.Unlock()
		status := r.Status().Shards[0]
		// What is read is taken whole, and another read waits behind it.
		if status.Pending < bound || status.Pending >= bound+read {
			t.Errorf("%d records are in flight, want %d and less than one read more", status.Pending, bound)
		}
		if h.finished() == 0 || stoppedAt >= records {
			t.Errorf("%d of %d records were read and %d handled, want some, and reading to have stopped", stoppedAt, records, h.finished())
		}
		if row := onlyRow(t, table); row.Checkpoint.IsRecord() {
			t.Errorf("the checkpoint is %s, at or past the stuck record %s", row.Checkpoint, stuckAt.Sequence)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		if brought != stoppedAt {
			t.Errorf("%d records more were read", brought-stoppedAt)
		}
		isLoose = true
		mu.Unlock()
		await(t, "everything handled", func() bool { return h.finished() == records+1 })
		if h.repeats() != 0 {
			t.Errorf("%d records were handled again, want none", h.repeats())
		}
	})
}

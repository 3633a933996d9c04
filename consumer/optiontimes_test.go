package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// MinimumBackoff and MaximumBackoff bound the wait between two attempts.
func TestBackoffBoundsTheWait(t *testing.T) {
	for _, test := range []struct {
		name       string
		change     func(*consumer.Config)
		most       time.Duration // of one wait
		least, few int           // calls in ten minutes
	}{
		{"default", func(*consumer.Config) {}, 30 * time.Second, 25, 150},
		{"short", func(c *consumer.Config) { c.MaximumBackoff = 100 * time.Millisecond }, 100 * time.Millisecond, 6_000, 100_000},
		{"long", func(c *consumer.Config) { c.MinimumBackoff = time.Minute }, time.Minute, 10, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				stream.Put("key", []byte("a"))
				var last time.Time
				calls := 0
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
					if calls++; calls > 1 && time.Since(last) > test.most {
						t.Errorf("the wait was %v, want at most %v", time.Since(last), test.most)
					}
					last = time.Now()
					return errors.New("no")
				})
				test.change(&cfg)
				r := start(t, cfg)
				time.Sleep(10 * time.Minute)
				if took, err := r.end(); err != nil || took > time.Second {
					t.Errorf("the stop took %v (%v), want the wait to be cut short", took, err)
				}
				if calls < test.least || calls > test.few {
					t.Errorf("%d calls in ten minutes, want %d to %d", calls, test.least, test.few)
				}
			})
		})
	}
}

// A position is written at most once in CheckpointInterval, only if it moved,
// and always when the lease is let go.
func TestCheckpointIntervalBoundsTheWrites(t *testing.T) {
	for _, interval := range []time.Duration{0, time.Second, time.Minute} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				table := checkpointtest.NewTable()
				var mu sync.Mutex
				var writes []time.Time
				written := func() []time.Time {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(writes)
				}
				cfg := config(stream, table)
				cfg.Handler, cfg.CheckpointInterval = &tally{}, interval
				cfg.Hooks.Checkpointed = func(consumer.CheckpointEvent) {
					mu.Lock()
					defer mu.Unlock()
					writes = append(writes, time.Now())
				}
				r := start(t, cfg)
				want := interval
				if want == 0 {
					want = 10 * time.Second
				}
				for i := range 300 {
					stream.Put("key", fmt.Append(nil, i))
					time.Sleep(time.Second)
				}
				at := written()
				if most := int(5*time.Minute/want) + 1; len(at) > most || len(at) < most/2 {
					t.Errorf("%d writes in five minutes, want one every %v", len(at), want)
				}
				for i := 1; i < len(at); i++ {
					if gap := at[i].Sub(at[i-1]); gap < want {
						t.Errorf("two writes %v apart, want at least %v", gap, want)
					}
				}
				time.Sleep(2 * want)
				before := len(written())
				time.Sleep(10 * time.Minute)
				if n := len(written()) - before; n != 0 {
					t.Errorf("%d writes without any record, want none", n)
				}
				last := stream.Put("key", []byte("last"))
				time.Sleep(time.Second)
				_, _ = r.end()
				if row := onlyRow(t, table); row.Checkpoint.Compare(last.Position()) != 0 {
					t.Errorf("the stop left the position at %s, want %s", row.Checkpoint, last.Position())
				}
			})
		})
	}
}

// LeaseDuration is how long others wait for a worker that is silent.
func TestLeaseDurationIsHowLongADeadWorkerKeepsItsShards(t *testing.T) {
	for _, lease := range []time.Duration{3 * time.Second, 10 * time.Second, time.Minute} {
		t.Run(lease.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := newMortal()
				cfg := config(shardtest.NewStream(1), nil)
				cfg.Leases, cfg.Handler, cfg.LeaseDuration = table.As("first"), &tally{}, lease
				first := start(t, cfg)
				await(t, "the shard", func() bool { return first.holds() == 1 })
				cfg.Leases = table.As("second")
				second := start(t, cfg)
				time.Sleep(2 * time.Minute)
				if second.holds() != 0 {
					t.Fatal("the second worker has the only shard")
				}
				table.kill("first")
				died := time.Now()
				await(t, "the end of the first one's work", func() bool { return first.holds() == 0 })
				if took := time.Since(died); took > lease*4/5+50*time.Millisecond {
					t.Errorf("the first worker worked on for %v, want at most %v", took, lease*4/5)
				}
				await(t, "the second one's", func() bool { return second.holds() == 1 })
				if took := time.Since(died); took < lease*4/5 || took > lease+lease/3+time.Second {
					t.Errorf("the second worker had the shard after %v, want about %v", took, lease)
				}
			})
		})
	}
}

// DrainTimeout is what a running call is granted at a stop, before its context
// ends with ErrStopping.
func TestDrainTimeoutIsWhatAStopGrants(t *testing.T) {
	for _, drain := range []time.Duration{0, time.Second, 2 * time.Minute} {
		t.Run(drain.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				stream.Put("key", []byte("a"))
				h := &tally{do: func(ctx context.Context, _ *batching.Batch) error {
					<-ctx.Done()
					if context.Cause(ctx) != consumer.ErrStopping {
						t.Errorf("the context ended with %v, want %v", context.Cause(ctx), consumer.ErrStopping)
					}
					return context.Cause(ctx)
				}}
				table := checkpointtest.NewTable()
				cfg := config(stream, table)
				cfg.Handler, cfg.DrainTimeout = h, drain
				r := start(t, cfg)
				await(t, "the call", func() bool { return h.most() == 1 })
				want := drain
				if want == 0 {
					want = 25 * time.Second
				}
				if took, err := r.end(); err != nil || took < want || took > want+time.Second {
					t.Errorf("the stop took %v (%v), want %v", took, err, want)
				}
				if row := onlyRow(t, table); row.Owner != "" || row.Checkpoint.IsRecord() {
					t.Errorf("the row is left as %s, want it free and where it was", row)
				}
			})
		})
	}
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/shard/streams"
)

// witness sets every hook there is and counts the calls by the hook's name.
type witness struct {
	mu     sync.Mutex
	counts map[string]int
	last   map[string]any // the last event of each
}

func (w *witness) hooks() consumer.Hooks {
	w.counts, w.last = map[string]int{}, map[string]any{}
	var hooks consumer.Hooks
	v := reflect.ValueOf(&hooks).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		v.Field(i).Set(reflect.MakeFunc(v.Field(i).Type(), func(args []reflect.Value) []reflect.Value {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.counts[name]++
			w.last[name] = args[0].Interface()
			return nil
		}))
	}
	return hooks
}

func (w *witness) saw(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[name] > 0
}

// Every hook is called when what it is named after happens, and its event names
// the worker and what it is about.
func TestEveryHookFires(t *testing.T) {
	const zero, one = "shardId-000000000000", "shardId-000000000001"
	type world struct {
		stream *shardtest.Stream
		table  *checkpointtest.Table
		failed *destinationtest.Recorder
		put    func(shardID, data string)
	}
	// What makes each happen: before the start, and then while it runs. Nil is
	// what happens anyhow.
	situations := map[string]func(t *testing.T, w world, cfg *consumer.Config) (then func(r *running)){
		"SessionStarted": nil,
		"ShardStarted":   nil,
		"Read":           nil,
		"BatchDone":      nil,
		"Checkpointed":   nil,
		"ShardLeft": func(_ *testing.T, w world, _ *consumer.Config) func(*running) {
			return func(*running) { _, _, _ = w.stream.Split(zero) }
		},
		"SessionLost": func(t *testing.T, w world, _ *consumer.Config) func(*running) {
			return func(r *running) {
				s, err := w.table.Session(t.Context(), r.Status().Worker)
				if err == nil {
					err = w.table.Revoke(t.Context(), s, "somebody")
				}
				if err != nil {
					t.Error(err)
				}
			}
		},
		"ReadFailed": func(_ *testing.T, w world, _ *consumer.Config) func(*running) {
			w.stream.Fault(func(c shardtest.Call) error {
				if c.Op == shardtest.Next {
					return errors.New("the road is closed")
				}
				return nil
			})
			return nil
		},
		"Filtered": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			cfg.Filters = []string{`{"partitionKey":["nobody"]}`}
			return nil
		},
		"OddAggregates": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.Source = oddly{w.stream}
			return nil
		},
		"GaveUp": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				return batching.Reject(b.First(), errors.New("bad"))
			})
			return nil
		},
		"KeyParked": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			parks(cfg, consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error { return errors.New("bad") }))
			return nil
		},
		"KeyReleased": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			calls := 0
			parks(cfg, consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if calls++; calls < 10 {
					return errors.New("bad")
				}
				return nil
			}))
			cfg.Park.RetryEvery = time.Second
			return nil
		},
		"KeySetAside": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			cfg.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{time.Second}}
			cfg.BisectBatchOnError = true
			cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error { return errors.New("bad") })
			return nil
		},
		"Published": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.OnSuccess = w.failed
			return nil
		},
		"Split": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			w.put(zero, "b")
			cfg.BisectBatchOnError = true
			cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return errors.New("bad") })
			return nil
		},
		"Woken": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.Handler = &sleeper{at: func(string) (time.Time, bool) { return time.Now(), true }}
			return nil
		},
		"DestinationRefused": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			w.failed.Behave(destinationtest.Refuse)
			cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				return batching.Reject(b.First(), errors.New("bad"))
			})
			return nil
		},
		"Loss": func(t *testing.T, w world, cfg *consumer.Config) func(*running) {
			runToTip(t, *cfg)
			for i := range 3 {
				w.put(zero, fmt.Sprint(i))
			}
			time.Sleep(25 * time.Hour) // retention passes them
			w.put(zero, "young")
			return nil
		},
		"HandlerStuck": func(t *testing.T, _ world, cfg *consumer.Config) func(*running) {
			h, _ := deaf(t)
			cfg.Handler, cfg.HandlerTimeout = h, time.Second
			return nil
		},
		"CommitRefused": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				b.Attach(checkpointtest.Effect{Refuse: func() error { return errors.New("refused") }})
				return nil
			})
			return nil
		},
		"RowQuarantined": func(t *testing.T, w world, cfg *consumer.Config) func(*running) {
			makeRows(t, *cfg)
			w.table.Edit(zero, func(l *shard.Lease) { l.Fault = errors.New("a counter that is no number") })
			return nil
		},
		"HoleFound": func(t *testing.T, w world, cfg *consumer.Config) func(*running) {
			makeRows(t, *cfg)
			// A finished parent whose children's rows somebody deleted, with
			// nothing left that leads to them.
			if _, _, err := w.stream.Split(zero); err != nil {
				t.Error(err)
			}
			runToTip(t, *cfg)
			w.table.Edit(zero, func(l *shard.Lease) { l.Checkpoint, l.Children = shard.End(), []string{"shardId-000000000002"} })
			w.table.Remove("shardId-000000000003")
			w.table.Edit("shardId-000000000002", func(l *shard.Lease) { l.Hashes = shard.HashRange{Start: "0", End: "1"} })
			return nil
		},
		"MemoryPressure": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.MemoryBudget = 32 << 20
			cfg.BatchSize, cfg.MaximumBatchBytes, cfg.MaximumBatchingWindow = 10_000, 1<<30, 5*time.Minute
			for range 30 {
				w.put(zero, strings.Repeat("x", 1<<20))
				w.put(one, strings.Repeat("x", 1<<20))
			}
			return nil
		},
		"ControlChanged": func(t *testing.T, w world, _ *consumer.Config) func(*running) {
			return func(r *running) {
				if err := r.Steering().SetFleetConcurrency(t.Context(), batching.AtMost(3)); err != nil {
					t.Error(err)
				}
			}
		},
		"StreamChanged": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.Source = streams.Of([]shard.Source{w.stream})
			return nil
		},
		"BreakerChanged": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			cfg.Breaker.Failures = 1
			cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return errors.New("down") })
			return nil
		},
		"ShardStalled": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			cfg.StallTimeout = 10 * time.Second
			cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, _ *batching.Batch) error { <-ctx.Done(); return ctx.Err() })
			return nil
		},
		"ShardsUnplaced": func(_ *testing.T, _ world, cfg *consumer.Config) func(*running) {
			cfg.MaximumLeases = 1
			return nil
		},
		"RetentionRisk": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			time.Sleep(20 * time.Hour)
			cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return errors.New("bad") })
			return nil
		},
		"NeighbourSeen": func(t *testing.T, w world, cfg *consumer.Config) func(*running) {
			return func(*running) {
				w.table.Edit(zero, func(l *shard.Lease) { l.Owner = "java-1" })
				renewing(t, w.table, zero, "java-1", 3*time.Second)
			}
		},
		"Conflict": func(_ *testing.T, w world, cfg *consumer.Config) func(*running) {
			cfg.CheckpointInterval = time.Second
			return func(*running) {
				w.table.Edit(zero, func(l *shard.Lease) { l.Counter += 10 })
				w.put(zero, "again")
			}
		},
	}
	hooks := reflect.TypeFor[consumer.Hooks]()
	for i := range hooks.NumField() {
		hook := hooks.Field(i).Name
		prepare, ok := situations[hook]
		if !ok {
			t.Errorf("nothing here makes %s happen", hook)
		}
		t.Run(hook, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world{stream: shardtest.NewStream(2), table: checkpointtest.NewTable(), failed: &destinationtest.Recorder{}}
				w.put = func(shardID, data string) {
					if _, err := w.stream.PutTo(shardID, "key", []byte(data)); err != nil {
						t.Error(err)
					}
				}
				w.put(zero, "a")
				cfg := config(w.stream, w.table)
				cfg.Handler, cfg.OnFailure = &tally{}, w.failed
				var then func(*running)
				if prepare != nil {
					then = prepare(t, w, &cfg)
				}
				seen := &witness{}
				cfg.Hooks = seen.hooks()
				r := start(t, cfg)
				if then != nil {
					await(t, "the shards", func() bool { return r.holds() == 2 })
					time.Sleep(time.Second)
					then(r)
				}
				await(t, hook, func() bool { return seen.saw(hook) })
				event := reflect.ValueOf(seen.last[hook])
				if worker := event.FieldByName("Worker").String(); len(worker) < 3 || worker[:2] != "w/" {
					t.Errorf("the event names the worker %q", worker)
				}
				if id := event.FieldByName("Shard"); id.IsValid() && id.String() == "" {
					t.Errorf("the event names no shard: %+v", seen.last[hook])
				}
			})
		})
	}
}

// What hooks tell adds up: every record read is in a batch, and every batch is
// told with what became of its records.
func TestHooksAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(3)
		for i := range 1_000 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		var mu sync.Mutex
		read, handled, rejected, gaveUp, failures := 0, 0, 0, 0, 0
		cfg := config(stream, checkpointtest.NewTable())
		cfg.OnFailure, cfg.BatchSize = &destinationtest.Recorder{}, 7
		cfg.Hooks = consumer.Hooks{
			Read: func(e consumer.ReadEvent) { mu.Lock(); defer mu.Unlock(); read += e.Records },
			BatchDone: func(e consumer.BatchEvent) {
				mu.Lock()
				defer mu.Unlock()
				handled += e.Handled
				rejected += e.Rejected
				if e.Err != nil && e.Rejected == 0 {
					failures++
				}
				if e.Records < 1 || e.Records > 7 || e.Handled+e.Rejected > e.Records {
					t.Errorf("a call of %d records handled %d and rejected %d", e.Records, e.Handled, e.Rejected)
				}
			},
			GaveUp: func(e consumer.GaveUpEvent) { mu.Lock(); defer mu.Unlock(); gaveUp += len(e.Failure.Records) },
		}
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			switch {
			case b.Attempt == 1:
				return batching.FailFrom(b.Last(), errors.New("not yet"))
			case len(b.First().Data) == 1:
				return batching.Reject(b.First(), errors.New("too short"))
			}
			return nil
		})
		runToTip(t, cfg)
		if read != 1_000 || handled+rejected != 1_000 || rejected != gaveUp || failures == 0 {
			t.Errorf("read %d, handled %d, rejected %d, given up %d, failed calls %d", read, handled, rejected, gaveUp, failures)
		}
	})
}

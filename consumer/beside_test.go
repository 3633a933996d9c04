package consumer_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// besideKCL is a config of a worker that shares the table with workers of KCL 2.
func besideKCL(stream *shardtest.Stream, table *checkpointtest.Table) consumer.Config {
	cfg := accepting(stream, table)
	cfg.BesideKCL2 = true
	return cfg
}

// counterOf is the counter of a row.
func counterOf(t *testing.T, table *checkpointtest.Table, key string) int64 {
	t.Helper()
	row, err := table.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return row.Counter
}

// Beside KCL each lease is renewed within a third of its duration, idle or busy,
// by a write that is no checkpoint; without the setting an idle one is not.
func TestBesideKCL2RenewsEveryLease(t *testing.T) {
	for name, beside := range map[string]bool{"beside KCL": true, "by itself": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
				cfg := accepting(stream, table)
				cfg.BesideKCL2, cfg.CheckpointInterval = beside, time.Second
				r := start(t, cfg)
				await(t, "both shards", func() bool { return r.holds() == 2 })
				done := make(chan struct{})
				go func() { // the second shard is busy; ends with the minute
					defer close(done)
					for range 60 {
						if _, err := stream.PutTo(shardOne, "key", []byte("a")); err != nil {
							t.Error(err)
						}
						time.Sleep(time.Second)
					}
				}()
				last, since, longest := counterOf(t, table, shardZero), time.Now(), time.Duration(0)
				for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
					if now := counterOf(t, table, shardZero); now != last {
						longest = max(longest, time.Since(since))
						last, since = now, time.Now()
					}
				}
				longest = max(longest, time.Since(since))
				<-done
				if beside && longest > 10*time.Second/3 || !beside && longest < 59*time.Second {
					t.Errorf("the counter of the idle shard stood still for %v", longest)
				}
				row, _ := table.Get(t.Context(), shardZero)
				if beside && row.OwnerSwitches != 1 {
					t.Errorf("after its renewals the row counts %d acquisitions without a checkpoint, want 1", row.OwnerSwitches)
				}
			})
		})
	}
}

// A lease whose renewals are not answered is dropped before anybody may take it,
// although the session lives; and it goes on when they are again.
func TestBesideKCL2ALeaseThatIsNotRenewedIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		if _, err := stream.PutTo(shardZero, "key", []byte("a")); err != nil {
			t.Fatal(err)
		}
		cfg := besideKCL(stream, table)
		entered, ended := make(chan struct{}, 10), make(chan error, 10)
		cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			entered <- struct{}{}
			<-ctx.Done()
			if context.Cause(ctx) == consumer.ErrLeaseLost && b.Valid() {
				t.Error("the batch is valid after its context has ended")
			}
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
		r := start(t, cfg)
		<-entered
		var failing atomic.Bool
		table.Interfere(func(op, _ string) error {
			if failing.Load() && (op == "renew" || op == "save") {
				return errors.New("throttled")
			}
			return nil
		}, nil)
		failing.Store(true)
		began := time.Now()
		if cause := <-ended; cause != consumer.ErrLeaseLost {
			t.Errorf("the call ended with %v, want ErrLeaseLost", cause)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("the call ended %v after the last renewal, want 8 s at most", took)
		}
		if !r.Status().Valid {
			t.Error("the session is not valid")
		}
		select {
		case <-entered:
			t.Error("it began again without a renewal")
		case <-time.After(20 * time.Second):
		}
		failing.Store(false)
		<-entered
	})
}

// A lease that KCL steals is given up at the next write, idle or not, and nothing
// more is called.
func TestBesideKCL2AStolenLeaseIsLostAtTheNextWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		if _, err := stream.PutTo(shardZero, "key", []byte("a")); err != nil {
			t.Fatal(err)
		}
		cfg := besideKCL(stream, table)
		entered, ended := make(chan struct{}, 10), make(chan error, 10)
		cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			entered <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
		r := start(t, cfg)
		<-entered
		table.Edit(shardZero, func(l *shard.Lease) { l.Owner, l.Counter = "java-1", l.Counter+1 })
		began := time.Now()
		if cause := <-ended; cause != consumer.ErrLeaseLost {
			t.Errorf("the call ended with %v, want ErrLeaseLost", cause)
		}
		if took := time.Since(began); took > 10*time.Second/3 {
			t.Errorf("the call ended %v after the lease was stolen, want a third of its duration at most", took)
		}
		stop := renewing(t, table, shardZero, "java-1", 3308*time.Millisecond)
		time.Sleep(time.Minute)
		if r.holds() > 0 {
			t.Error("the shard is worked while KCL has it")
		}
		stop()
		<-entered
	})
}

// Beside KCL shards go to another worker of towpath by being released, and are
// never asked for; a worker of KCL counts for what is fair, and is given nothing.
func TestBesideKCL2NothingIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(6), checkpointtest.NewTable()
		table.Interfere(func(op, caller string) error {
			if op == "ask" || op == "withdraw" || op == "finish" || op == "refuse" {
				t.Errorf("%s was called by %s", op, caller)
			}
			return nil
		}, nil)
		first := start(t, besideKCL(stream, table))
		await(t, "all shards", func() bool { return first.holds() == 6 })
		for _, key := range []string{shardZero, shardOne} {
			table.Edit(key, func(l *shard.Lease) { l.Owner, l.Counter = "java-1", l.Counter+1 })
			renewing(t, table, key, "java-1", 3308*time.Millisecond)
		}
		await(t, "the loss of two", func() bool { return first.holds() == 4 })
		second := start(t, besideKCL(stream, table))
		await(t, "the second one's share", func() bool { return second.holds() == 2 && first.holds() == 2 })
		time.Sleep(2 * time.Minute)
		if a, b := first.holds(), second.holds(); a != 2 || b != 2 {
			t.Errorf("the workers hold %d and %d, want 2 each", a, b)
		}
		rows, _ := table.List(t.Context())
		java := 0
		for _, row := range rows {
			if row.CheckpointOwner != "" {
				t.Errorf("%s is being handed over", row)
			}
			if row.Owner == "java-1" {
				java++
			}
		}
		if java != 2 {
			t.Errorf("KCL has %d shards, want the two it took", java)
		}
	})
}

// A lease that another worker of towpath has released to this one is renewed before
// the shard is begun: it is not known here how long ago that was. It is begun once.
func TestBesideKCL2ALeaseThatIsGivenIsRenewedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(4), checkpointtest.NewTable()
		first := start(t, besideKCL(stream, table))
		await(t, "all shards", func() bool { return first.holds() == 4 })
		var begun, left atomic.Int64
		cfg := besideKCL(stream, table)
		cfg.Hooks.ShardStarted = func(consumer.ShardStartedEvent) { begun.Add(1) }
		cfg.Hooks.ShardLeft = func(consumer.ShardLeftEvent) { left.Add(1) }
		second := start(t, cfg)
		await(t, "the second one's share", func() bool { return second.holds() == 2 })
		first.end()
		await(t, "the rest", func() bool { return second.holds() == 4 })
		if begun.Load() != 4 || left.Load() != 0 {
			t.Errorf("%d shards were begun and %d left, want each of four begun once", begun.Load(), left.Load())
		}
	})
}

// A free lease that falls to a worker of KCL is left to it, but not for ever.
func TestBesideKCL2AFreeLeaseIsNotLeftForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := leftByKCL(t, map[string]string{shardZero: "java-1", shardOne: "", "shardId-000000000002": "", "shardId-000000000003": ""})
		renewing(t, table, shardZero, "java-1", 3308*time.Millisecond)
		r := start(t, besideKCL(shardtest.NewStream(4), table))
		began := time.Now()
		await(t, "its quota", func() bool { return r.holds() == 2 })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("its quota was taken after %v", took)
		}
		time.Sleep(20*time.Second - time.Since(began))
		if n := r.holds(); n != 2 {
			t.Errorf("after 20 s it holds %d shards, want its quota of 2", n)
		}
		await(t, "what KCL did not want", func() bool { return r.holds() == 3 })
	})
}

// What KCL cannot know of is refused at construction, all at once.
func TestBesideKCL2RefusesWhatKCLWouldLeaveBehind(t *testing.T) {
	cfg := besideKCL(shardtest.NewStream(1), checkpointtest.NewTable())
	if _, err := consumer.New(cfg); err != nil {
		t.Fatal(err)
	}
	cfg.TumblingWindow = time.Minute
	cfg.Handlers = []consumer.NamedHandler{{Name: "a", Handler: &tally{}}, {Name: "b", Handler: &tally{}}}
	cfg.Park.Keys = 10
	cfg.Leases = struct{ checkpoint.Leases }{checkpointtest.NewTable()}
	_, err := consumer.New(cfg)
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range []string{"so are Handlers", "so is Park", "so is TumblingWindow", "cannot renew"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// effects counts how often something was done for each record.
type effects struct {
	mu     sync.Mutex
	done   map[string]int
	refuse func(r *shard.Record) error // nil: nothing is refused
}

// attach attaches an effect for each record of a batch.
func (e *effects) attach(b *batching.Batch) {
	for i := range b.Records {
		r := b.Records[i]
		b.Attach(checkpointtest.Effect{
			Refuse: func() error {
				if e.refuse == nil {
					return nil
				}
				return e.refuse(&r)
			},
			Do: func() { e.mu.Lock(); defer e.mu.Unlock(); e.done[r.ID()]++ },
		})
	}
}

// count is for how many records something was done, and for which more than once.
func (e *effects) count() (once int, twice []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, n := range e.done {
		once++
		if n > 1 {
			twice = append(twice, id)
		}
	}
	return once, twice
}

func newEffects() *effects { return &effects{done: map[string]int{}} }

func (e *effects) Handle(_ context.Context, b *batching.Batch) error {
	e.attach(b)
	return nil
}

// doneUpToEveryPosition has every write of the row compared with what was done.
func (e *effects) doneUpToEveryPosition(t *testing.T, stream *shardtest.Stream, table *checkpointtest.Table) {
	table.Interfere(nil, func(op, _ string) error {
		if op != "save" && op != "release" {
			return nil
		}
		row := onlyRow(t, table)
		want := 0
		for _, r := range stream.Records() {
			if r.Position().Compare(row.Checkpoint) <= 0 {
				want++
			}
		}
		if once, twice := e.count(); once != want || len(twice) > 0 {
			t.Errorf("after a %s at %s %d records have had their effect, %d of them twice, want %d", op, row.Checkpoint, once, len(twice), want)
		}
		return nil
	})
}

// An effect is done with the position behind its records, and never without it,
// whatever calls answer.
func TestEffectsAreWrittenWithTheirPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, e := shardtest.NewStream(1), checkpointtest.NewTable(), newEffects()
		for i := range 300 {
			stream.Put("k", fmt.Append(nil, i))
		}
		e.doneUpToEveryPosition(t, stream, table)
		dice := rand.New(rand.NewPCG(3, 3))
		cfg := config(stream, table)
		cfg.BatchSize, cfg.BisectBatchOnError, cfg.CheckpointInterval = 20, true, time.Second
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			time.Sleep(100 * time.Millisecond)
			e.attach(b)
			switch dice.IntN(4) {
			case 0:
				return errors.New("not yet")
			case 1:
				return batching.FailFrom(&b.Records[dice.IntN(len(b.Records))], errors.New("not all"))
			}
			return nil
		})
		runToTip(t, cfg)
		if once, twice := e.count(); once != 300 || len(twice) > 0 {
			t.Errorf("%d records have had their effect, %d of them twice, want 300", once, len(twice))
		}
	})
}

// An effect that is refused fails its call, and nothing of that call is written:
// bisecting finds the record, the policy gives it up, and its neighbours have
// their effects.
func TestRefusedEffectFailsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, e := shardtest.NewStream(1), checkpointtest.NewTable(), newEffects()
		for i := range 50 {
			stream.Put("k", fmt.Append(nil, i))
		}
		e.refuse = func(r *shard.Record) error {
			if string(r.Data) == "17" {
				return errors.New("no account")
			}
			return nil
		}
		failed := &destinationtest.Recorder{}
		var refused []consumer.CommitRefusedEvent
		cfg := config(stream, table)
		cfg.Handler, cfg.OnFailure, cfg.BisectBatchOnError, cfg.MaximumRetryAttempts = e, failed, true, batching.AtMost(1)
		cfg.Hooks.CommitRefused = func(e consumer.CommitRefusedEvent) { refused = append(refused, e) }
		runToTip(t, cfg)
		if once, twice := e.count(); once != 49 || len(twice) > 0 {
			t.Errorf("%d records have had their effect, %d of them twice, want 49", once, len(twice))
		}
		sent := failed.Accepted()
		if len(sent) != 1 || len(sent[0].Records) != 1 || string(sent[0].Records[0].Data) != "17" || sent[0].Err == nil {
			t.Fatalf("the destination got %v", sent)
		}
		var effect *checkpoint.EffectError
		if last := refused[len(refused)-1]; !errors.As(last.Err, &effect) || last.Records != 1 || last.Effects != 1 || last.Attempt != 2 || effect.Index != 0 {
			t.Errorf("the last refusal is %+v", last)
		}
		if !strings.Contains(sent[0].Err.Error(), "no account") {
			t.Errorf("the failure says %v", sent[0].Err)
		}
	})
}

// A rejected record goes to the destination before the others have their effects.
func TestRejectedRecordLeavesTheOthersTheirEffects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, e := shardtest.NewStream(1), checkpointtest.NewTable(), newEffects()
		for i := range 5 {
			stream.Put("k", fmt.Append(nil, i))
		}
		failed := &destinationtest.Recorder{}
		cfg := config(stream, table)
		cfg.OnFailure = failed
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			good := *b
			good.Records = append(append([]shard.Record{}, b.Records[:2]...), b.Records[3:]...)
			e.attach(&good)
			return batching.Reject(&b.Records[2], errors.New("poison"))
		})
		runToTip(t, cfg)
		if once, twice := e.count(); once != 4 || len(twice) > 0 {
			t.Errorf("%d records have had their effect, %d of them twice, want 4", once, len(twice))
		}
		if n := len(failed.Accepted()); n != 1 || !onlyRow(t, table).Checkpoint.IsRecord() {
			t.Errorf("the destination got %d records, and the row is %s", n, onlyRow(t, table))
		}
	})
}

// late is a table whose saves may be applied long after their caller has given
// them up.
type late struct {
	*checkpointtest.Table
	dice func() (lost bool, after time.Duration)
	all  sync.WaitGroup
}

func (l *late) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	lost, after := l.dice()
	if !lost {
		return l.Table.Save(ctx, held, me, p)
	}
	l.all.Go(func() {
		time.Sleep(after)
		l.Table.Save(context.Background(), held, me, p)
	})
	return shard.Lease{}, errors.New("no answer")
}

// A save whose answer is lost, that is never applied, or that is applied long
// after it was given up: every record has its effect once.
func TestLostAnswerNeitherLosesNorRepeatsAnEffect(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			stream, table, e := shardtest.NewStream(1), &late{Table: checkpointtest.NewTable()}, newEffects()
			for i := range 600 {
				stream.Put(fmt.Sprint("k", i/15%2), fmt.Append(nil, i)) // some calls have no effects
			}
			var mu sync.Mutex // guards the dice and the furthest position
			var furthest shard.Position
			dice := rand.New(rand.NewPCG(seed, 5))
			roll := func(n int) int { mu.Lock(); defer mu.Unlock(); return dice.IntN(n) }
			table.dice = func() (bool, time.Duration) {
				return roll(3) == 0, time.Duration(roll(200)) * time.Millisecond
			}
			table.Interfere(func(op, _ string) error {
				if op == "save" && roll(6) == 0 {
					return errors.New("lost on the way")
				}
				return nil
			}, func(op, _ string) error {
				if op != "save" && op != "release" {
					return nil
				}
				row := onlyRow(t, table.Table)
				mu.Lock()
				if row.Checkpoint.Compare(furthest) < 0 {
					t.Errorf("seed %d: after a %s the position is %s, and it has been %s", seed, op, row.Checkpoint, furthest)
				}
				furthest = row.Checkpoint
				mu.Unlock()
				if roll(3) == 0 {
					return errors.New("the answer was lost")
				}
				return nil
			})
			e.refuse = func(*shard.Record) error {
				if roll(30) == 0 {
					return errors.New("not now")
				}
				return nil
			}
			cfg := config(stream, table.Table)
			cfg.Leases, cfg.CheckpointInterval, cfg.BatchSize, cfg.BisectBatchOnError = table, time.Millisecond, 10, true
			cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				time.Sleep(time.Duration(roll(100)) * time.Millisecond)
				for i := range b.Records {
					if b.Records[i].PartitionKey == "k0" {
						return e.Handle(ctx, b)
					}
				}
				return nil
			})
			for range 6 {
				cfg.DrainTimeout = time.Duration(1+roll(500)) * time.Millisecond
				r := start(t, cfg)
				time.Sleep(time.Duration(2+roll(3)) * time.Second)
				r.end()
			}
			cfg.DrainTimeout = 0
			r := start(t, cfg)
			await(t, "the last position", func() bool {
				return onlyRow(t, table.Table).Checkpoint == stream.Records()[599].Position()
			})
			r.end()
			table.all.Wait()
			once, twice := e.count()
			for _, record := range stream.Records() {
				if record.PartitionKey == "k0" && e.done[record.ID()] == 0 {
					t.Errorf("seed %d: %s has had no effect", seed, record.ID())
				}
			}
			if len(twice) > 0 {
				t.Errorf("seed %d: of %d records these have had their effect more than once: %v", seed, once, twice)
			}
		})
	}
}

// With a state beside them, effects and state are of one position.
func TestEffectsAndStateAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, e, h := shardtest.NewStream(1), checkpointtest.NewTable(), newEffects(), newCounts()
		for i := range 100 {
			stream.Put("k", fmt.Append(nil, i))
		}
		e.doneUpToEveryPosition(t, stream, table)
		h.do = func(_ context.Context, b *batching.Batch) error { e.attach(b); return nil }
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize = h, 9
		runToTip(t, cfg)
		h.sound(t)
		if got := stateOf(t, table, zeroShard); !strings.HasSuffix(got, " k=100") {
			t.Errorf("the state is %q", got)
		}
	})
}

// Effects that have no position of their own fail their call, and say why.
func TestEffectsNeedOneOrderedLane(t *testing.T) {
	for name, change := range map[string]func(*consumer.Config){
		"ParallelizationFactor": func(c *consumer.Config) { c.ParallelizationFactor = 3 },
		"Unordered":             func(c *consumer.Config) { c.Unordered = true },
		"deferred": func(c *consumer.Config) {
			h := c.Handler
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				b.Defer()
				return h.Handle(ctx, b)
			})
		},
		"checkpointtest.Effect": func(c *consumer.Config) {
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error { b.Attach("effect"); return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, e, failed := shardtest.NewStream(1), newEffects(), &destinationtest.Recorder{}
				stream.Put("k", nil)
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler, cfg.OnFailure, cfg.MaximumRetryAttempts = e, failed, batching.AtMost(1)
				change(&cfg)
				runToTip(t, cfg)
				if once, _ := e.count(); once != 0 || len(failed.Accepted()) != 1 || !strings.Contains(failed.Accepted()[0].Err.Error(), name) {
					t.Errorf("%d effects, and the destination got %+v, want an error that names %s", once, failed.Accepted(), name)
				}
			})
		})
	}
}

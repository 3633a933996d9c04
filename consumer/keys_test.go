package consumer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

var errPoison = errors.New("poison")

// moody is a handler that fails records by their payload, and notes when each
// was handled and each call that failed.
type moody struct {
	fails func(r *shard.Record, call int) error // call counts the failing calls of the record alone from 1

	mu      sync.Mutex
	alone   map[string]int
	calls   map[string][]time.Duration // of failing calls alone, since began
	handled []string
	at      map[string]time.Duration
	began   time.Time
}

func newMoody(fails func(r *shard.Record, call int) error) *moody {
	return &moody{fails: fails, alone: map[string]int{}, calls: map[string][]time.Duration{}, at: map[string]time.Duration{}, began: time.Now()}
}

func (s *moody) Handle(_ context.Context, b *batching.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.Records {
		r := &b.Records[i]
		err := s.fails(r, s.alone[string(r.Data)]+1)
		if err == nil {
			continue
		}
		if len(b.Records) > 1 {
			return err
		}
		s.alone[string(r.Data)]++
		s.calls[string(r.Data)] = append(s.calls[string(r.Data)], time.Since(s.began))
		return err
	}
	for _, r := range b.Records {
		s.handled = append(s.handled, string(r.Data))
		s.at[string(r.Data)] = time.Since(s.began)
	}
	return nil
}

// of is what was handled of a key, in order.
func (s *moody) of(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of []string
	for _, data := range s.handled {
		if strings.HasPrefix(data, key+"/") {
			of = append(of, strings.TrimPrefix(data, key+"/"))
		}
	}
	return strings.Join(of, " ")
}

func (s *moody) when(data string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[data]
}

// putKeys puts n records of each key, by turns.
func putKeys(stream *shardtest.Stream, n int, keys ...string) {
	for i := range n {
		for _, key := range keys {
			stream.Put(key, fmt.Appendf(nil, "%s/%d", key, i))
		}
	}
}

// A record that goes on failing is called again after each of its delays, while
// the other keys of its lane go on at once; what follows of its key waits and
// keeps its order, and attempts count over all of it.
func TestSetAsideLetsOtherKeysOfTheLaneGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 3, "a", "b", "c")
		h := newMoody(func(r *shard.Record, call int) error {
			if string(r.Data) == "a/1" && call <= 5 {
				return errPoison
			}
			return nil
		})
		var aside []consumer.KeySetAsideEvent
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.BisectBatchOnError = h, true
		cfg.SetAside = batching.SetAside{After: 2, Delays: []time.Duration{5 * time.Second, 30 * time.Second}}
		cfg.Hooks.KeySetAside = func(e consumer.KeySetAsideEvent) { aside = append(aside, e) }
		runToTip(t, cfg)
		for _, key := range []string{"a", "b", "c"} {
			if got := h.of(key); got != "0 1 2" {
				t.Errorf("of key %s was handled %q, want 0 1 2", key, got)
			}
		}
		for _, other := range []string{"b/2", "c/2"} {
			if at := h.when(other); at > time.Second {
				t.Errorf("%s was handled after %v, want before the key that failed", other, at)
			}
		}
		var waits []time.Duration
		for i := 1; i < len(h.calls["a/1"]); i++ {
			waits = append(waits, (h.calls["a/1"][i] - h.calls["a/1"][i-1]).Round(time.Second))
		}
		if want := []time.Duration{0, 5 * time.Second, 30 * time.Second, 30 * time.Second}; !slices.Equal(waits, want) {
			t.Errorf("between the failing calls lay %v, want %v", waits, want)
		}
		if len(aside) != 4 || aside[0].Key != batching.HashKey("a") || aside[0].Attempts != 2 || aside[0].Records != 2 || !errors.Is(aside[0].Err, errPoison) {
			t.Errorf("KeySetAside told %+v, want four times key a, at first after 2 attempts with 2 records", aside)
		}
	})
}

// MaximumRetryAttempts and MaximumRecordAge hold over the delays, and RetryAfter
// burns no attempt.
func TestLimitsHoldOverKeysSetAside(t *testing.T) {
	for _, test := range []struct {
		name  string
		set   func(*consumer.Config)
		calls int
		want  destination.Condition
		took  time.Duration
		then  string // what is handled of the key
	}{
		{"attempts", func(c *consumer.Config) { c.MaximumRetryAttempts = batching.AtMost(3) }, 4, destination.RetryAttemptsExhausted, 35 * time.Second, "1"},
		{"age", func(c *consumer.Config) { c.MaximumRecordAge = time.Minute }, 4, destination.RecordAgeExceeded, time.Minute, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := wide(1)
				putKeys(stream, 2, "a", "b")
				h := newMoody(func(r *shard.Record, _ int) error {
					if string(r.Data) == "a/0" {
						return errPoison
					}
					return nil
				})
				failed := &destinationtest.Recorder{}
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler, cfg.BisectBatchOnError, cfg.OnFailure = h, true, failed
				cfg.SetAside = batching.SetAside{After: 2, Delays: []time.Duration{5 * time.Second, 30 * time.Second}}
				test.set(&cfg)
				began := time.Now()
				runToTip(t, cfg)
				all := failed.Accepted()
				if len(all) == 0 || all[0].Condition != test.want || len(all[0].Records) != 1 {
					t.Fatalf("given up: %+v, want one record at first, for %s", all, test.want)
				}
				if got := all[0].At.Sub(began).Round(time.Second); got != test.took {
					t.Errorf("given up after %v, want %v", got, test.took)
				}
				if len(h.calls["a/0"]) != test.calls {
					t.Errorf("%d failing calls, want %d", len(h.calls["a/0"]), test.calls)
				}
				if h.of("a") != test.then || h.of("b") != "0 1" {
					t.Errorf("handled %q and %q, want the rest", h.of("a"), h.of("b"))
				}
			})
		})
	}
	t.Run("RetryAfter", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stream := wide(1)
			putKeys(stream, 1, "a", "b")
			h := newMoody(func(r *shard.Record, call int) error {
				switch {
				case string(r.Data) != "a/0" || call > 8:
					return nil
				case call > 2:
					return batching.RetryAfter(time.Minute, errPoison)
				}
				return errPoison
			})
			failed := &destinationtest.Recorder{}
			cfg := config(stream, checkpointtest.NewTable())
			cfg.Handler, cfg.BisectBatchOnError, cfg.OnFailure = h, true, failed
			cfg.MaximumRetryAttempts = batching.AtMost(2)
			cfg.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{time.Second}}
			runToTip(t, cfg)
			if h.of("a") != "0" || len(failed.Accepted()) != 0 {
				t.Errorf("handled %q, given up %d, want all handled", h.of("a"), len(failed.Accepted()))
			}
		})
	})
}

// While a key waits the checkpoint does not pass it, and reading stops at
// MaximumInFlight; the next owner goes on from there.
func TestKeySetAsidePinsTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 4, "a", "b")
		h := newMoody(func(r *shard.Record, _ int) error {
			if string(r.Data) == "a/1" {
				return errPoison
			}
			return nil
		})
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler, cfg.BisectBatchOnError, cfg.BatchSize = h, true, 4
		cfg.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{time.Hour}}
		r := start(t, cfg)
		await(t, "the other key is done", func() bool { return h.of("b") == "0 1 2 3" })
		if s := r.Status().Shards[0]; s.KeysHeld != 1 || s.RecordsHeld != 3 || s.Pending < 3 {
			t.Errorf("the status is %d keys and %d records held, %d pending, want 1 and 3", s.KeysHeld, s.RecordsHeld, s.Pending)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		if got, want := onlyRow(t, table).Checkpoint, stream.Records()[1].Position(); got.Compare(want) != 0 {
			t.Errorf("the checkpoint is %s, want %s, before the record that failed", got, want)
		}
	})
}

var (
	limitSeed  = flag.Uint64("limitseed", 1, "the first seed of the random floods")
	limitSeeds = flag.Int("limitseeds", 200, "how many seeds of the random floods")
)

// A key that floods waits, and the others do not: whatever the flood, the lanes
// and the batches are, the p99 of the quiet keys' latency beside it is at most
// twice that without it. A failing seed is tried again with
// -run TestKeyLimitKeepsOtherKeysQuick -limitseed N -limitseeds 1.
func TestKeyLimitKeepsOtherKeysQuick(t *testing.T) {
	n := *limitSeeds
	if raceEnabled {
		n = min(n, 10)
	}
	for i := range n {
		seed := *limitSeed + uint64(i)
		alone, beside := flooded(t, seed, false), flooded(t, seed, true)
		if beside > 2*alone {
			t.Errorf("seed %d: the p99 of quiet keys is %v beside a flood and %v without, want twice that at most", seed, beside, alone)
		}
		if seed == 1 {
			t.Logf("seed 1: the p99 of quiet keys is %v alone and %v beside a flood", alone, beside)
		}
	}
}

// flooded is the p99 of the time from put to handled of quiet keys, with a key
// that floods beside them or not. What a seed stands for is the same either way.
func flooded(t *testing.T, seed uint64, flood bool) (p99 time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 8))
		stream := wide(1)
		put := map[string]time.Time{}
		var mu sync.Mutex
		order := map[string][]string{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.ParallelizationFactor, cfg.BatchSize = 1+r.IntN(6), 1+r.IntN(30)
		limit := 10 + r.IntN(30)
		cfg.KeyLimit = batching.KeyLimit{RecordsPerSecond: float64(limit), Burst: limit}
		var latencies []time.Duration
		takes := time.Duration(1+r.IntN(5)) * time.Millisecond // a record
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			time.Sleep(time.Duration(len(b.Records)) * takes)
			mu.Lock()
			defer mu.Unlock()
			for _, r := range b.Records {
				order[r.PartitionKey] = append(order[r.PartitionKey], string(r.Data))
				if r.PartitionKey != "flood" {
					latencies = append(latencies, time.Since(put[string(r.Data)]))
				}
			}
			return nil
		})
		run := start(t, cfg)
		await(t, "it runs", func() bool { return run.holds() == 1 })
		quiet, keys, flows := 120, 1+r.IntN(9), 0
		for i := range quiet {
			key := fmt.Sprint("quiet-", i%keys)
			data := fmt.Sprint(key, "/", i)
			mu.Lock()
			put[data] = time.Now()
			mu.Unlock()
			stream.Put(key, []byte(data))
			// Drawn whether or not there is a flood, so that all else is the same.
			if burst := r.IntN(25); flood {
				for range burst {
					stream.Put("flood", fmt.Append(nil, "flood/", flows))
					flows++
				}
			}
			time.Sleep(time.Duration(20+r.IntN(60)) * time.Millisecond)
		}
		await(t, "the quiet ones are done", func() bool { mu.Lock(); defer mu.Unlock(); return len(latencies) == quiet })
		await(t, "all is done", func() bool { return run.Status().Shards[0].Pending == 0 })
		mu.Lock()
		defer mu.Unlock()
		for i, data := range order["flood"] {
			if data != fmt.Sprint("flood/", i) {
				t.Fatalf("seed %d: the flood's record %d came as %s", seed, i, data)
			}
		}
		slices.Sort(latencies)
		p99 = latencies[quiet*99/100]
	})
	return p99
}

// A paused key waits with what lanes had gathered of it, and goes on in order.
func TestPausedKeyWaitsWhileOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(2)
		putKeys(stream, 3, "a", "b")
		h := newMoody(func(*shard.Record, int) error { return nil })
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler = h
		r := start(t, cfg)
		await(t, "the first are done", func() bool { return h.of("a") == "0 1 2" && h.of("b") == "0 1 2" })
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{Key: "a"}))
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{Shard: "another", Key: "b"}))
		time.Sleep(2 * time.Second)
		for i := range 4 {
			stream.Put("a", fmt.Append(nil, "a/", 3+i))
			stream.Put("b", fmt.Append(nil, "b/", 3+i))
		}
		await(t, "the other key is done", func() bool { return h.of("b") == "0 1 2 3 4 5 6" })
		time.Sleep(time.Minute)
		if got := h.of("a"); got != "0 1 2" {
			t.Errorf("of the paused key was handled %q", got)
		}
		must(t, r.Steering().Resume(t.Context(), consumer.PauseOf{Key: "a"}))
		await(t, "the key goes on", func() bool { return h.of("a") == "0 1 2 3 4 5 6" })
	})
}

// With a key of their own, records of many partition keys wait as one.
func TestOwnKeyIsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 2, "t1-x", "t1-y", "t2-x")
		h := newMoody(func(r *shard.Record, call int) error {
			if string(r.Data) == "t1-x/0" && call <= 3 {
				return errPoison
			}
			return nil
		})
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.BisectBatchOnError = h, true
		cfg.Key = func(r *shard.Record) string { return r.PartitionKey[:2] }
		cfg.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{10 * time.Second}}
		runToTip(t, cfg)
		if h.when("t2-x/1") > time.Second || h.when("t1-y/0") < 10*time.Second {
			t.Errorf("t2 was done after %v and t1-y after %v, want only t1 to wait", h.when("t2-x/1"), h.when("t1-y/0"))
		}
		if got := strings.Join(slices.DeleteFunc(slices.Clone(h.handled), func(s string) bool { return s[:2] != "t1" }), " "); got != "t1-x/0 t1-y/0 t1-x/1 t1-y/1" {
			t.Errorf("tenant t1 was handled as %q", got)
		}
	})
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
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
)

// parks is a config that parks a key whose record fails three times.
func parks(cfg *consumer.Config, h consumer.Handler) {
	cfg.Handler, cfg.BisectBatchOnError, cfg.CheckpointInterval = h, true, time.Second
	cfg.SetAside = batching.SetAside{After: 2, Delays: []time.Duration{time.Second}}
	cfg.Park = consumer.Park{Keys: 10, RetryEvery: time.Hour}
}

// parkedIn is what a table has parked for the first shard.
func parkedIn(t *testing.T, table *checkpointtest.Table) []checkpoint.ParkedKey {
	t.Helper()
	if rows, _ := table.List(t.Context()); len(rows) == 0 {
		return nil
	}
	keys, err := table.ParkedKeys(t.Context(), onlyRow(t, table), "")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A key whose record has used up its delays is parked: the checkpoint and the
// other keys go on, its later records follow it into the table, and when it is
// released all of it is handled in order, before anything newer.
func TestParkLetsTheCheckpointGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 3, "a", "b")
		var mu sync.Mutex
		well := false
		h := newMoody(func(r *shard.Record, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if string(r.Data) == "a/1" && !well {
				return errPoison
			}
			return nil
		})
		var parked []consumer.KeyParkedEvent
		var released []consumer.KeyReleasedEvent
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		parks(&cfg, h)
		cfg.Hooks.KeyParked = func(e consumer.KeyParkedEvent) { parked = append(parked, e) }
		cfg.Hooks.KeyReleased = func(e consumer.KeyReleasedEvent) { released = append(released, e) }
		r := start(t, cfg)
		await(t, "the key is parked", func() bool { return len(parkedIn(t, table)) == 1 })
		for i := range 3 {
			stream.Put("a", fmt.Append(nil, "a/", 3+i))
			stream.Put("b", fmt.Append(nil, "b/", 3+i))
		}
		last := stream.Records()[11].Position()
		await(t, "the checkpoint is at the end", func() bool { return onlyRow(t, table).Checkpoint.Compare(last) == 0 })
		if a, b := h.of("a"), h.of("b"); a != "0" || b != "0 1 2 3 4 5" {
			t.Errorf("handled %q and %q, want 0 and all of the other key", a, b)
		}
		shardID := r.Status().Shards[0].Shard
		s := r.Status().Shards[0].Parked
		if s.Keys != 1 || s.Records != 5 || len(s.Shown) != 1 || s.Shown[0].Key != batching.HashKey("a") || s.Shown[0].Attempts != 3 || s.Oldest.IsZero() || s.Bytes == 0 {
			t.Errorf("the status shows %+v, want one key with 5 records", s)
		}
		if len(parked) != 1 || parked[0].Key != batching.HashKey("a") || parked[0].Attempts != 3 {
			t.Errorf("KeyParked told %+v", parked)
		}
		if err := r.Unpark(t.Context(), shardID, "b"); !errors.Is(err, consumer.ErrNotParked) {
			t.Errorf("unpark of a key that is not parked: %v", err)
		}
		if err := r.Unpark(t.Context(), "nowhere", "a"); !errors.Is(err, consumer.ErrNotHeld) {
			t.Errorf("unpark in a shard that is not held: %v", err)
		}
		if err := r.Unpark(t.Context(), shardID, "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if keys := parkedIn(t, table); len(keys) != 1 || keys[0].Attempts != 4 || keys[0].Records != 5 {
			t.Errorf("after a call that failed the table has %+v, want 5 records and 4 attempts", keys)
		}
		mu.Lock()
		well = true
		mu.Unlock()
		stream.Put("a", []byte("a/6"))
		if err := r.Unpark(t.Context(), shardID, batching.HashKey("a")); err != nil {
			t.Error(err)
		}
		await(t, "all is handled", func() bool { return h.of("a") == "0 1 2 3 4 5 6" })
		await(t, "the table is empty", func() bool { return len(parkedIn(t, table)) == 0 })
		stream.Put("a", []byte("a/7"))
		await(t, "the key goes on", func() bool { return h.of("a") == "0 1 2 3 4 5 6 7" })
		if len(released) != 1 || released[0].For <= 0 {
			t.Errorf("KeyReleased told %+v", released)
		}
	})
}

// RetryEvery calls a parked key again, a stop and another owner go on with it,
// and MaximumRetryAttempts counts over all of it.
func TestParkedKeysAreFoundByTheNextOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 3, "a", "b")
		h := newMoody(func(r *shard.Record, _ int) error {
			if string(r.Data) == "a/0" {
				return errPoison
			}
			return nil
		})
		failed := &destinationtest.Recorder{}
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		parks(&cfg, h)
		cfg.OnFailure, cfg.MaximumRetryAttempts = failed, batching.AtMost(5)
		cfg.Park.RetryEvery = 3 * time.Minute
		runToTip(t, cfg)
		if got := h.of("a"); got != "" || len(parkedIn(t, table)) != 1 {
			t.Fatalf("handled %q, parked %v", got, parkedIn(t, table))
		}
		for range 3 {
			time.Sleep(70 * time.Second)
			stream.Put("a", fmt.Append(nil, "a/", len(stream.Records())))
			runToTip(t, cfg)
		}
		if keys := parkedIn(t, table); len(keys) != 1 || keys[0].Attempts != 4 || keys[0].Records != 6 {
			t.Fatalf("the table has %+v, want 6 records and 4 attempts", keys)
		}
		start(t, cfg)
		await(t, "the record was given up", func() bool { return len(failed.Accepted()) == 1 })
		await(t, "the others are handled", func() bool { return h.of("a") == "1 2 6 7 8" })
		if f := failed.Accepted()[0]; f.Attempts != 6 || len(f.Records) != 1 || string(f.Records[0].Data) != "a/0" {
			t.Errorf("given up: %+v, want a/0 after 6 attempts", f)
		}
		await(t, "the table is empty", func() bool { return len(parkedIn(t, table)) == 0 })
	})
}

// More keys than Keys, and more than Records, hold the checkpoint as they do
// without Park. Nothing is skipped.
func TestParkKeepsItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 1, "a", "b", "c")
		h := newMoody(func(r *shard.Record, _ int) error {
			if strings.HasSuffix(string(r.Data), "/0") {
				return errPoison
			}
			return nil
		})
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		parks(&cfg, h)
		cfg.Park.Keys, cfg.Park.Records = 2, 4
		start(t, cfg)
		await(t, "two keys are parked", func() bool { return len(parkedIn(t, table)) == 2 })
		putKeys(stream, 5, "a")
		time.Sleep(10 * time.Minute)
		total := 0
		for _, k := range parkedIn(t, table) {
			total += k.Records
		}
		if keys := parkedIn(t, table); len(keys) != 2 || total != 4 {
			t.Errorf("parked are %d records of %d keys, want 4 of 2: %+v", total, len(keys), keys)
		}
		if got := onlyRow(t, table).Checkpoint; got.Compare(stream.Records()[2].Position()) >= 0 {
			t.Errorf("the checkpoint %s passed a record of the third key", got)
		}
	})
}

// A flood of one key goes to the table and comes back in order, at the key's
// pace, while the others are not held up.
func TestFloodIsParkedAndComesBackInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		h := newMoody(func(*shard.Record, int) error { return nil })
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = h, time.Second
		cfg.KeyLimit = batching.KeyLimit{RecordsPerSecond: 20}
		cfg.MaximumInFlight = 200
		cfg.Park = consumer.Park{Keys: 1, Backlog: 50}
		r := start(t, cfg)
		var want []string
		for i := range 1000 {
			stream.Put("flood", fmt.Append(nil, "flood/", i))
			want = append(want, fmt.Sprint(i))
		}
		stream.Put("quiet", []byte("quiet/0"))
		await(t, "the other key is done", func() bool { return h.of("quiet") == "0" })
		if took := h.when("quiet/0"); took > 5*time.Second {
			t.Errorf("the quiet key waited %v", took)
		}
		await(t, "most of the flood is parked", func() bool { return r.Status().Shards[0].Parked.Records > 700 })
		stream.Put("flood", []byte("flood/1000"))
		want = append(want, "1000")
		await(t, "all of the flood is handled", func() bool { return h.of("flood") == strings.Join(want, " ") })
		if took := h.when("flood/1000"); took < 45*time.Second || took > 100*time.Second {
			t.Errorf("1001 records at 20 a second took %v", took)
		}
		await(t, "the table is empty", func() bool { return len(parkedIn(t, table)) == 0 })
	})
}

// After a split each child goes on with the parked keys that are its own, before
// its own records of them; a key of a consumer with keys of its own holds up the
// end of its shard instead.
func TestParkedKeysGoToTheChildThatTakesThem(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own=%v", own), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := wide(1)
				putKeys(stream, 2, "a", "b", "c")
				var mu sync.Mutex
				well := false
				h := newMoody(func(r *shard.Record, _ int) error {
					mu.Lock()
					defer mu.Unlock()
					if strings.HasSuffix(string(r.Data), "/0") && !well {
						return errPoison
					}
					return nil
				})
				table := checkpointtest.NewTable()
				cfg := config(stream, table)
				parks(&cfg, h)
				if own {
					cfg.Key = func(r *shard.Record) string { return r.PartitionKey }
				}
				cfg.Park.RetryEvery = 5 * time.Minute
				r := start(t, cfg)
				parent := stream.Records()[0].Shard
				await(t, "the keys are parked", func() bool { return r.holds() == 1 && r.Status().Shards[0].Parked.Records == 6 })
				if _, _, err := stream.Split(parent); err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{"a", "b", "c"} {
					stream.Put(key, fmt.Append(nil, key, "/2"))
				}
				time.Sleep(3 * time.Minute)
				row, err := table.Get(t.Context(), parent)
				if err != nil || row.Finished() == own {
					t.Errorf("the parent is at %s (%v) with keys of its own: %v", row.Checkpoint, err, own)
				}
				mu.Lock()
				well = true
				mu.Unlock()
				await(t, "all is handled", func() bool { return h.of("a") == "0 1 2" && h.of("b") == "0 1 2" && h.of("c") == "0 1 2" })
			})
		})
	}
}

// What a record of a parked key has in the table is not parked, nor handled, a
// second time when it is read again; what was not is.
func TestParkSurvivesDeathBetweenParkAndCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 4, "slow", "a")
		h := newMoody(func(r *shard.Record, _ int) error {
			if string(r.Data) == "a/1" {
				return errPoison
			}
			return nil
		})
		hold := make(chan struct{})
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		parks(&cfg, h)
		inner := cfg.Handler
		cfg.ParallelizationFactor = 8
		cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			if b.Records[0].PartitionKey == "slow" {
				select {
				case <-hold:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return inner.Handle(ctx, b)
		})
		r := start(t, cfg)
		await(t, "the key is parked", func() bool { return len(parkedIn(t, table)) == 1 && parkedIn(t, table)[0].Records == 3 })
		if got := onlyRow(t, table).Checkpoint; got.IsRecord() {
			t.Fatalf("the checkpoint is %s, want none while the slow key is at work", got)
		}
		cfg.DrainTimeout = time.Second
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		close(hold)
		runToTip(t, cfg)
		if keys := parkedIn(t, table); len(keys) != 1 || keys[0].Records != 4 {
			// a/0 was handled and came again: it belongs before what is parked.
			t.Errorf("the table has %+v, want the three records and the one that came again", keys)
		}
		if got := h.of("slow"); got != "0 1 2 3" {
			t.Errorf("of the slow key was handled %q", got)
		}
	})
}

// Keys stand in no log, status or event: only their hashes.
func TestParkedKeysAreShownOnlyAsHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := wide(1)
		putKeys(stream, 1, "very-secret")
		w := &witness{}
		h := newMoody(func(*shard.Record, int) error { return errPoison })
		cfg := config(stream, checkpointtest.NewTable())
		parks(&cfg, h)
		cfg.Hooks = w.hooks()
		r := start(t, cfg)
		await(t, "the key is parked", func() bool { return w.saw("KeyParked") })
		w.mu.Lock()
		said := fmt.Sprintf("%+v %+v %+v", r.Status(), w.last["KeyParked"], w.last["KeySetAside"])
		w.mu.Unlock()
		if strings.Contains(said, "very-secret") || !strings.Contains(said, batching.HashKey("very-secret")) {
			t.Errorf("shown: %s", said)
		}
	})
}

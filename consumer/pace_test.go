package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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

// must fails the test with an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// owners are the leases' owners by key.
func owners(t *testing.T, table *checkpointtest.Table) string {
	t.Helper()
	rows, err := table.List(context.Background())
	must(t, err)
	text := ""
	for _, row := range rows {
		text += row.Key + " " + row.Holder() + "\n"
	}
	return text
}

// putMany puts n records over a hundred keys, numbered on from first.
func putMany(stream *shardtest.Stream, first, n int) {
	for i := first; i < first+n; i++ {
		stream.Put(fmt.Sprint("key-", i%100), []byte(fmt.Sprint(i)))
	}
}

// The stop switch: within seconds no handler runs and none starts, for as long
// as it lasts; leases stay where they are and attempts are not burnt. Then all
// goes on, and nothing is repeated.
func TestZeroConcurrencyStopsEveryHandlerAndKeepsTheLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, failed := shardtest.NewStream(4), checkpointtest.NewTable(), &destinationtest.Recorder{}
		once := map[string]bool{} // records that have failed once
		h := &tally{}
		h.do = func(_ context.Context, b *batching.Batch) error {
			time.Sleep(500 * time.Millisecond)
			h.mu.Lock()
			defer h.mu.Unlock()
			if first := string(b.First().Data); !once[first] {
				once[first] = true
				return errors.New("fails once")
			}
			return nil
		}
		var workers []*running
		for range 2 {
			cfg := config(stream, table)
			cfg.Handler, cfg.OnFailure, cfg.BatchSize, cfg.ParallelizationFactor = h, failed, 5, 3
			cfg.MaximumRetryAttempts, cfg.MaximumBackoff = batching.AtMost(1), 2*time.Second
			workers = append(workers, start(t, cfg))
		}
		await(t, "the shards", func() bool { return workers[0].holds() == 2 && workers[1].holds() == 2 })
		putMany(stream, 0, 1000)
		time.Sleep(3 * time.Second)
		steer := consumer.Steer(table)
		must(t, steer.SetFleetConcurrency(t.Context(), batching.AtMost(0)))
		time.Sleep(3 * time.Second)
		began, before := h.begun(), owners(t, table)
		if n := workers[0].Status().Running + workers[1].Status().Running; n != 0 {
			t.Errorf("%d handlers run three seconds after the stop", n)
		}
		if keeps, err := steer.FleetKeeps(t.Context()); err != nil || !keeps {
			t.Errorf("got %v, %v, want the fleet to keep to it", keeps, err)
		}
		if s := workers[0].Status(); !s.Limited || s.Limit != 0 || s.Share != 0 {
			t.Errorf("got status %+v, want a limit of 0", s)
		}
		for range 60 {
			time.Sleep(time.Minute)
			putMany(stream, 1000, 1)
		}
		if n := h.begun() - began; n != 0 {
			t.Errorf("%d handlers were started in an hour with a limit of 0", n)
		}
		if now := owners(t, table); now != before {
			t.Errorf("leases moved in that hour, from\n%s to\n%s", before, now)
		}
		must(t, steer.SetFleetConcurrency(t.Context(), batching.Unlimited))
		await(t, "everything handled", func() bool { return h.finished() == 1001 })
		if n := len(failed.Accepted()); n > 0 {
			t.Errorf("%d batches were given up, want none: waiting burns no attempts", n)
		}
		for i := range 1000 {
			if n := h.handled[fmt.Sprint(i)]; n != 1 {
				t.Fatalf("record %d was handled %d times", i, n)
			}
		}
	})
}

// A call that waits for the rate limit gives its place back: the fleet keeps to a
// limit of 0 though the rate would let the call run only in some minutes; and
// nothing that was granted is lost.
func TestZeroConcurrencyDoesNotWaitForTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
		h := &tally{}
		cfg := config(stream, table)
		cfg.Handler, cfg.RecordsPerSecond, cfg.BatchSize = h, 0.5, 50
		r := start(t, cfg)
		await(t, "the shards", func() bool { return r.holds() == 2 })
		putMany(stream, 0, 200)
		time.Sleep(10 * time.Second)
		if n := r.Status().Running; n != 2 {
			t.Fatalf("%d lanes hold a slot, want two that wait", n)
		}
		must(t, r.Steering().SetFleetConcurrency(t.Context(), batching.AtMost(0)))
		time.Sleep(3 * time.Second)
		if keeps, err := r.Steering().FleetKeeps(t.Context()); err != nil || !keeps || r.Status().Running != 0 {
			t.Errorf("got %v, %v and %d slots in use, want the limit to be kept", keeps, err, r.Status().Running)
		}
		must(t, r.Steering().SetFleetConcurrency(t.Context(), batching.Unlimited))
		began := time.Now()
		await(t, "everything handled", func() bool { return h.finished() == 200 })
		if took := time.Since(began); took < 350*time.Second || took > 410*time.Second {
			t.Errorf("200 records at one in two seconds took %v behind the first ten seconds", took)
		}
	})
}

// While nothing may run, a stop and a hand-over take no time.
func TestStopAndHandoverDoNotWaitForWhatIsHeldBack(t *testing.T) {
	for name, hold := range map[string]func(*consumer.Steering) error{
		"limit": func(s *consumer.Steering) error {
			return s.SetFleetConcurrency(context.Background(), batching.AtMost(0))
		},
		"application": func(s *consumer.Steering) error { return s.Pause(context.Background(), consumer.PauseOf{}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
				h := &tally{do: func(context.Context, *batching.Batch) error { time.Sleep(100 * time.Millisecond); return nil }}
				var workers []*running
				for range 2 {
					cfg := config(stream, table)
					cfg.Handler, cfg.BatchSize, cfg.ParallelizationFactor = h, 1, 4
					workers = append(workers, start(t, cfg))
				}
				await(t, "the shards", func() bool { return workers[0].holds() == 1 && workers[1].holds() == 1 })
				putMany(stream, 0, 500)
				time.Sleep(time.Second)
				must(t, hold(workers[0].Steering()))
				time.Sleep(5 * time.Second)
				n := h.begun()
				time.Sleep(time.Minute)
				if h.begun() != n {
					t.Errorf("%d calls were made while held back", h.begun()-n)
				}
				shardID := workers[0].Status().Shards[0].Shard
				began := time.Now()
				must(t, workers[0].Release(t.Context(), shardID))
				if took := time.Since(began); took > time.Second {
					t.Errorf("the hand-over took %v", took)
				}
				await(t, "the other worker has both", func() bool { return workers[1].holds() == 2 })
				if took, err := workers[1].end(); err != nil || took > time.Second {
					t.Errorf("the stop took %v and returned %v", took, err)
				}
			})
		})
	}
}

// A paused shard is neither read nor handled, by whoever has it and over
// restarts, until it is resumed; others go on. Its lease stays.
func TestPausedShardIsLeftAloneUntilItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const paused, other = "shardId-000000000000", "shardId-000000000001"
		stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
		h := &tally{}
		var reads atomic.Int64
		cfg := config(stream, table)
		cfg.Handler = h
		cfg.Hooks.Read = func(e consumer.ReadEvent) {
			if e.Shard == paused {
				reads.Add(1)
			}
		}
		r := start(t, cfg)
		await(t, "the shards", func() bool { return r.holds() == 2 })
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{Shard: paused}))
		time.Sleep(3 * time.Second)
		before, readBefore := owners(t, table), reads.Load()
		put := func(i int) {
			for _, id := range []string{paused, other} {
				if _, err := stream.PutTo(id, "key", []byte(id+fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 20 {
			put(i)
			time.Sleep(time.Minute)
		}
		if h.finished() != 20 || reads.Load() != readBefore || owners(t, table) != before {
			t.Errorf("got %d records handled (want 20) and %d reads, owners\n%s", h.finished(), reads.Load()-readBefore, owners(t, table))
		}
		if s := r.Status().Shards; !s[0].Paused || s[1].Paused {
			t.Errorf("got status %+v, want the first shard paused", s)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		r = start(t, cfg)
		await(t, "the shards", func() bool { return r.holds() == 2 })
		time.Sleep(time.Minute)
		if h.finished() != 20 || reads.Load() != readBefore {
			t.Errorf("after a restart %d records are handled and %d reads made", h.finished()-20, reads.Load()-readBefore)
		}
		must(t, r.Steering().Resume(t.Context(), consumer.PauseOf{Shard: paused}))
		await(t, "the shard goes on", func() bool { return h.finished() == 40 })
		if n := h.repeats(); n > 0 {
			t.Errorf("%d records were repeated", n)
		}
		c, err := r.Steering().Control(t.Context())
		if err != nil || len(c.Pauses) != 0 || c.Gen != 2 {
			t.Errorf("got %+v, %v, want nothing paused and two writes", c, err)
		}
	})
}

// The control row cannot be read: a worker that knows of it goes on as before,
// and one that does not starts nothing.
func TestControlThatCannotBeReadStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(4), checkpointtest.NewTable()
		must(t, consumer.Steer(table).SetFleetConcurrency(t.Context(), batching.AtMost(2)))
		slow := func(context.Context, *batching.Batch) error { time.Sleep(time.Second); return nil }
		old, young := &tally{do: slow}, &tally{do: slow}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.ParallelizationFactor = old, 1, 2
		first := start(t, cfg)
		putMany(stream, 0, 1000)
		await(t, "some calls", func() bool { return old.begun() > 4 })
		table.Interfere(func(op, _ string) error {
			if op == "control" {
				return errors.New("row control: attribute limit is a string, want a number")
			}
			return nil
		}, nil)
		cfg.Handler = young
		second := start(t, cfg)
		time.Sleep(time.Minute)
		if n := old.begun(); n < 100 || old.most() != 2 {
			t.Errorf("the old worker made %d calls, %d at once, want it to go on with 2", n, old.most())
		}
		if young.begun() != 0 || second.holds() != 0 {
			t.Errorf("the new worker holds %d shards and made %d calls, want none", second.holds(), young.begun())
		}
		if s := second.Status(); s.ControlError == "" {
			t.Errorf("its status says nothing of it: %+v", s)
		}
		table.Interfere(nil, nil)
		await(t, "the new worker has its share", func() bool { return young.begun() > 0 })
		if s := first.Status(); s.Share+second.Status().Share > 2 || old.most()+young.most() > 3 {
			t.Errorf("got shares %d and %d, and %d and %d at once", s.Share, second.Status().Share, old.most(), young.most())
		}
	})
}

// Leases that nobody can steer say so, and work without a limit.
func TestSteeringWithoutControlsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		h := &tally{}
		cfg := config(stream, nil)
		cfg.Leases = struct{ checkpoint.Leases }{checkpointtest.NewTable()}
		cfg.Handler = h
		runToTip(t, cfg)
		if h.finished() != 1 {
			t.Error("the record was not handled")
		}
		s := consumer.Steer(cfg.Leases)
		_, control := s.Control(t.Context())
		_, keeps := s.FleetKeeps(t.Context())
		for _, err := range []error{
			s.SetFleetConcurrency(t.Context(), batching.AtMost(1)), s.Pause(t.Context(), consumer.PauseOf{}),
			s.Resume(t.Context(), consumer.PauseOf{}), control, keeps,
		} {
			if !errors.Is(err, consumer.ErrNoControls) {
				t.Errorf("got error %v, want ErrNoControls", err)
			}
		}
		if err := consumer.Steer(checkpointtest.NewTable()).SetFleetConcurrency(t.Context(), batching.AtMost(-1)); err == nil {
			t.Error("a limit of -1 is taken")
		}
	})
}

// What is said twice is written once, and what two say at once both stands.
func TestSteeringMeetsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := checkpointtest.NewTable()
		s := consumer.Steer(table)
		done := make(chan error)
		for i := range 10 {
			go func() { done <- s.Pause(context.Background(), consumer.PauseOf{Shard: fmt.Sprint(i % 5), Key: "k"}) }()
		}
		for range 10 {
			must(t, <-done)
		}
		c, err := s.Control(t.Context())
		if err != nil || len(c.Pauses) != 5 || c.Gen != 5 {
			t.Errorf("got %+v, %v, want five pauses in five writes", c, err)
		}
		if want := (shard.Pause{Shard: "0", KeyHash: batching.HashKey("k")}); !c.WithPause(want).Paused("") && len(c.WithPause(want).Pauses) != 5 {
			t.Errorf("got %v, want %v among them", c.Pauses, want)
		}
		must(t, s.SetFleetConcurrency(t.Context(), batching.AtMost(3)))
		must(t, s.SetFleetConcurrency(t.Context(), batching.AtMost(3)))
		if c, _ := s.Control(t.Context()); c.Gen != 6 || c.Limit != 3 || len(c.Pauses) != 5 {
			t.Errorf("got %+v, want one write more", c)
		}
	})
}

// A tool that knows only the hash of a key, as pauses show it, takes the pause back,
// and just that one.
func TestPauseOfAKeyIsTakenBackByItsHash(t *testing.T) {
	table := checkpointtest.NewTable()
	s := consumer.Steer(table)
	must(t, s.Pause(t.Context(), consumer.PauseOf{Key: "alice"}))
	must(t, s.Pause(t.Context(), consumer.PauseOf{Key: "bob"}))
	must(t, s.Resume(t.Context(), consumer.PauseOf{KeyHash: batching.HashKey("alice")}))
	now, err := s.Control(t.Context())
	must(t, err)
	if len(now.Pauses) != 1 || now.Pauses[0].KeyHash != batching.HashKey("bob") {
		t.Errorf("what is paused is %v", now.Pauses)
	}
}

// A control row that somebody deletes is a fleet that is told nothing: what was
// paused goes on, what is said from then on holds, whatever its generation, and the
// worker says that it keeps to that.
func TestControlRowDeletedByHandTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := shardtest.NewStream(1), checkpointtest.NewTable(), &tally{}
		cfg := config(stream, table)
		cfg.Handler = h
		var gens []int64
		cfg.Hooks.ControlChanged = func(e consumer.ControlEvent) { gens = append(gens, e.Gen) }
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{Shard: "shardId-of-another"}))
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{}))
		await(t, "both pauses", func() bool { return len(r.Status().Pauses) == 2 })
		stream.Put("key", []byte("a"))
		time.Sleep(5 * time.Second)
		if h.begun() != 0 {
			t.Fatal("a handler is called though all is paused")
		}
		table.RemoveControl()
		await(t, "the record", func() bool { return h.finished() == 1 })
		if s := r.Status(); len(s.Pauses) != 0 {
			t.Errorf("paused are still %v", s.Pauses)
		}
		must(t, r.Steering().SetFleetConcurrency(t.Context(), batching.AtMost(0)))
		await(t, "the limit", func() bool { return r.Status().Limited })
		await(t, "the fleet keeps to it", func() bool {
			keeps, err := r.Steering().FleetKeeps(t.Context())
			must(t, err)
			return keeps
		})
		stream.Put("key", []byte("b"))
		time.Sleep(time.Minute)
		if h.begun() != 1 {
			t.Errorf("%d calls were made, want none behind the limit of 0", h.begun()-1)
		}
		// Replaced by another of the same generation, as from a backup.
		table.RemoveControl()
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{Shard: "shardId-of-another"}))
		await(t, "the other record", func() bool { return h.finished() == 2 })
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
		for _, want := range []int64{0, 1} {
			if !slices.Contains(gens, want) {
				t.Errorf("the hook told of the generations %v, want %d among them", gens, want)
			}
		}
	})
}

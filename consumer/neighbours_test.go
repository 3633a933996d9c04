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

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

const (
	shardZero = "shardId-000000000000"
	shardOne  = "shardId-000000000001"
)

// leftByKCL is a table as a fleet of KCL leaves it: rows with owners, and no
// sessions.
func leftByKCL(t *testing.T, owners map[string]string) *checkpointtest.Table {
	t.Helper()
	table := checkpointtest.NewTable()
	epoch, err := table.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key, owner := range owners {
		row := shard.Lease{Key: key, Shard: key, Owner: owner, Counter: 41, Checkpoint: shard.TrimHorizon()}
		if err := table.Create(t.Context(), epoch, []shard.Lease{row}); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// renewing moves the counter of a row again and again, as a worker of KCL does
// that has it, until stop.
func renewing(t *testing.T, table *checkpointtest.Table, key, owner string, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with stop, or the test
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			table.Edit(key, func(l *shard.Lease) {
				if l.Holder() == owner {
					l.Counter++
				}
			})
		}
	}()
	return cancel
}

// accepting is a config with a handler that accepts everything.
func accepting(stream *shardtest.Stream, table *checkpointtest.Table) consumer.Config {
	cfg := config(stream, table)
	cfg.Handler = &tally{}
	return cfg
}

// A start beside a fleet of KCL that lives is refused, with a sentence that says
// who lives, what gave it away, and what to do. Nothing has been taken.
func TestAStartBesideALiveFleetOfKCLIsRefused(t *testing.T) {
	for name, change := range map[string]func(l *shard.Lease){
		"an owner":                    func(l *shard.Lease) {},
		"a hand-over of KCL 3's":      func(l *shard.Lease) { l.Owner, l.CheckpointOwner = "java-9", "java-1" },
		"one that renews very slowly": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := leftByKCL(t, map[string]string{shardZero: "java-1", shardOne: "java-2"})
				every := 3308 * time.Millisecond
				if change != nil {
					table.Edit(shardZero, change)
				} else {
					every = 9 * time.Second
				}
				defer renewing(t, table, shardZero, "java-1", every)()
				err := start(t, accepting(shardtest.NewStream(2), table)).ended()
				if !errors.Is(err, consumer.ErrNeighbours) {
					t.Fatalf("the run ended with %v, want ErrNeighbours", err)
				}
				for _, part := range []string{"table leases", "worker java-1", "lease " + shardZero, "stop that fleet", "BesideKCL2"} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error does not say %q: %v", part, err)
					}
				}
				rows, _ := table.List(t.Context())
				for _, row := range rows {
					if !strings.HasPrefix(row.Owner, "java-") {
						t.Errorf("%s was taken", row)
					}
				}
			})
		})
	}
}

// What a fleet of KCL has left behind is taken over after one lease duration,
// and not after another one on top.
func TestADeadFleetOfKCLIsTakenOverAfterOneLeaseDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := leftByKCL(t, map[string]string{shardZero: "java-1", shardOne: "java-2"})
		table.SetNeighbours(
			checkpoint.Neighbour{Kind: checkpoint.NeighbourLeader, Row: "row Leader", Worker: "java-1", Sign: "5f1c", Every: 30 * time.Second},
			checkpoint.Neighbour{Kind: checkpoint.NeighbourWorker, Row: "row java-1", Worker: "java-1", Sign: "90", Every: 30 * time.Second, At: time.Now().Add(-time.Minute)},
			checkpoint.Neighbour{Kind: checkpoint.NeighbourMigration, Row: "row Migration3.0", Mode: "CLIENT_VERSION_3X"},
		)
		began := time.Now()
		r := start(t, accepting(shardtest.NewStream(2), table))
		await(t, "both shards", func() bool { return r.holds() == 2 })
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("the shards were taken over after %v, want 10 s", took)
		}
		if _, err := r.end(); err != nil {
			t.Errorf("the run ended with %v", err)
		}
	})
}

// Rows that were released, or whose owner has a session, hold nothing up.
func TestAStartWithoutOrphansIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := leftByKCL(t, map[string]string{shardZero: "", shardOne: ""})
		began := time.Now()
		r := start(t, accepting(shardtest.NewStream(2), table))
		await(t, "both shards", func() bool { return r.holds() == 2 })
		if took := time.Since(began); took > time.Second {
			t.Errorf("the shards were taken after %v", took)
		}
	})
}

// A fleet of KCL 3 that holds no lease gives itself away by its leader's lock and
// its workers' metrics.
func TestAFleetOfKCL3IsSeenByWhatItWrites(t *testing.T) {
	for name, lives := range map[string]bool{"lives": true, "has stopped just now": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := leftByKCL(t, map[string]string{shardZero: ""})
				say := func() {
					table.SetNeighbours(checkpoint.Neighbour{
						Kind: checkpoint.NeighbourWorker, Row: "row java-1 of table leases", Worker: "java-1",
						Sign: time.Now().String(), At: time.Now(), Every: 30 * time.Second,
					})
				}
				say()
				if lives {
					defer time.AfterFunc(30*time.Second, say).Stop()
				}
				cfg := accepting(shardtest.NewStream(1), table)
				cfg.BesideKCL2 = lives // which does not help
				began := time.Now()
				r := start(t, cfg)
				if lives {
					err := r.ended()
					if !errors.Is(err, consumer.ErrNeighbours) || !strings.Contains(err.Error(), "KCL 3") || strings.Contains(err.Error(), "set BesideKCL2") {
						t.Fatalf("the run ended with %v, want ErrNeighbours", err)
					}
					return
				}
				await(t, "the shard", func() bool { return r.holds() == 1 })
				if took := time.Since(began); took > 41*time.Second {
					t.Errorf("the shard was taken after %v", took)
				}
			})
		})
	}
}

// A fleet of KCL that comes later is told of once for each of its workers, in the
// log, the hook and the status, and what it holds is left to it.
func TestAFleetOfKCLThatComesLaterIsNotPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := leftByKCL(t, map[string]string{shardZero: "", shardOne: ""})
		cfg := accepting(shardtest.NewStream(2), table)
		seen := make(chan consumer.NeighbourEvent, 10)
		cfg.Hooks.NeighbourSeen = func(e consumer.NeighbourEvent) { seen <- e }
		r := start(t, cfg)
		await(t, "both shards", func() bool { return r.holds() == 2 })
		table.Edit(shardZero, func(l *shard.Lease) { l.Owner, l.Counter = "java-1", l.Counter+1 }) // stolen
		stop := renewing(t, table, shardZero, "java-1", 3308*time.Millisecond)
		e := <-seen
		if e.Neighbour != "java-1" || e.Shard != shardZero || e.Allowed || e.Worker != r.Status().Worker {
			t.Errorf("told of %+v", e)
		}
		time.Sleep(5 * time.Minute)
		if len(seen) > 0 {
			t.Errorf("told again: %+v", <-seen)
		}
		if got := r.Status().Neighbours; len(got) != 1 || got[0] != "java-1" {
			t.Errorf("the status names %v", got)
		}
		if n := r.holds(); n != 1 {
			t.Errorf("the worker holds %d shards, want the one that it was left", n)
		}
		stop()
		await(t, "both shards again", func() bool { return r.holds() == 2 })
		await(t, "a clear status", func() bool { return len(r.Status().Neighbours) == 0 })
	})
}

// An owner that has lost its session and still writes, for the moment that it
// takes to notice, is one of towpath's and no neighbour.
func TestAWorkerThatLeavesIsNoNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := leftByKCL(t, map[string]string{shardZero: "somebody/1"})
		reads := 0
		table.Interfere(nil, func(op, _ string) error {
			if op == "list" {
				if reads++; reads == 1 { // between this reading and that of its session
					table.Edit(shardZero, func(l *shard.Lease) { l.Counter++ })
				}
			}
			return nil
		})
		r := start(t, accepting(shardtest.NewStream(1), table))
		await(t, "the shard", func() bool { return r.holds() == 1 })
	})
}

// A worker whose session was deleted by hand goes on until its next heartbeat tells
// it. Whoever starts meanwhile does not take it for one of another library.
func TestAWorkerWhoseSessionWasDeletedIsNoNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
		cfg := accepting(stream, table)
		cfg.CheckpointInterval = 100 * time.Millisecond
		var putting sync.WaitGroup
		defer putting.Wait()
		busy, end := context.WithCancel(t.Context())
		defer end()
		putting.Go(func() {
			for i := 0; busy.Err() == nil; i++ {
				stream.Put(fmt.Sprint("key-", i%9), nil)
				time.Sleep(10 * time.Millisecond)
			}
		})
		first := start(t, cfg)
		await(t, "both shards", func() bool { return first.holds() == 2 })
		time.Sleep(5*time.Second + 50*time.Millisecond)
		if err := table.Leave(t.Context(), first.Status().Worker); err != nil {
			t.Fatal(err)
		}
		other := accepting(stream, table)
		other.Hooks.NeighbourSeen = func(e consumer.NeighbourEvent) { t.Errorf("a neighbour was seen: %+v", e) }
		second := start(t, other)
		await(t, "two workers", func() bool { return first.holds() == 1 && second.holds() == 1 })
	})
}

// A row that KCL has left at LATEST is pinned when it is first taken: what comes
// while nothing runs is handled by the next start.
func TestKCLsLatestIsPinnedWhenItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), leftByKCL(t, map[string]string{shardZero: ""})
		table.Edit(shardZero, func(l *shard.Lease) { l.Checkpoint = shard.Latest() })
		put := func(data string) {
			if _, err := stream.PutTo(shardZero, "key", []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		put("before")
		time.Sleep(time.Second)
		h := &tally{}
		cfg := accepting(stream, table)
		cfg.Handler = h
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		time.Sleep(5 * time.Second)
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		put("between")
		time.Sleep(time.Second)
		start(t, cfg)
		await(t, "what came between", func() bool { return h.finished() == 1 })
		time.Sleep(time.Minute)
		if h.handled["between"] != 1 || h.finished() != 1 {
			t.Errorf("handled %v, want what came between and nothing before", h.handled)
		}
	})
}

// A row that KCL has left at AT_TIMESTAMP begins at the configured time, and at
// the oldest record if none is configured.
func TestKCLsTimestampIsTheConfiguredOne(t *testing.T) {
	for name, want := range map[string]int{"at a time": 1, "at no time": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table := shardtest.NewStream(1), leftByKCL(t, map[string]string{shardZero: ""})
				table.Edit(shardZero, func(l *shard.Lease) { l.Checkpoint = shard.Position{Sequence: "AT_TIMESTAMP"} })
				_, _ = stream.PutTo(shardZero, "key", []byte("old"))
				time.Sleep(time.Minute)
				h := &tally{}
				cfg := accepting(stream, table)
				cfg.Handler = h
				if want == 1 {
					cfg.StartingPosition = shard.AtTime(time.Now().Add(-time.Second))
				}
				_, _ = stream.PutTo(shardZero, "key", []byte("new"))
				start(t, cfg)
				time.Sleep(time.Minute)
				if n := h.finished(); n != want {
					t.Errorf("%d records were handled, want %d", n, want)
				}
			})
		})
	}
}

// BesideKCL2 is for workers that take leases by themselves. A fleet whose leader
// gives them out, by what it has written down, is refused when it lives.
func TestBesideKCL2AFleetOfKCL3IsRefused(t *testing.T) {
	for mode, refused := range map[string]bool{"CLIENT_VERSION_3X": true, "CLIENT_VERSION_3X_WITH_ROLLBACK": true, "CLIENT_VERSION_2X": false} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := leftByKCL(t, map[string]string{shardZero: "java-1", shardOne: ""})
				table.SetNeighbours(checkpoint.Neighbour{Kind: checkpoint.NeighbourMigration, Row: "row Migration3.0 of table leases", Mode: mode})
				defer renewing(t, table, shardZero, "java-1", 3308*time.Millisecond)()
				r := start(t, besideKCL(shardtest.NewStream(2), table))
				if !refused {
					await(t, "the free shard", func() bool { return r.holds() == 1 })
					return
				}
				err := r.ended()
				if !errors.Is(err, consumer.ErrNeighbours) || !strings.Contains(err.Error(), "row Migration3.0 of table leases says that its fleet goes by the rules of KCL 3") {
					t.Errorf("the run ended with %v", err)
				}
			})
		})
	}
}

package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"slices"
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
)

// shownBy names, for each field of a config, a test that fails if the field does
// nothing.
var shownBy = map[string]string{
	"Name":                  "TestNameStandsInTheLogAndTheEnvelope",
	"Source":                "TestLanesRunAtOnceAndKeepTheOrderOfEachKey",
	"Leases":                "TestCaughtUpEndsWithEverythingHandled",
	"Positions":             "TestPositionsAreBelievedBeforeTheRow",
	"Handler":               "TestHandlerSteersWithWhatItReturns",
	"Handlers":              "TestHandlersShareOneReading",
	"OnFailure":             "TestNothingIsDroppedWhileTheDestinationRefuses",
	"Filters":               "TestFilteredRecordsAreFinishedUnhandledAndCounted",
	"OnSuccess":             "TestOnSuccessGetsWhatWasHandled",
	"EmitTo":                "TestEmittedIsAcceptedBeforeTheCheckpoint",
	"BatchSize":             "TestBatchesKeepTheirBounds",
	"MaximumBatchBytes":     "TestBatchesKeepTheirBounds",
	"MaximumBatchingWindow": "TestBatchWaitsForItsWindowUnlessItIsFull",
	"TumblingWindow":        "TestTumblingWindowCarriesStateFromWorkerToWorker",
	"TumblingState":         "TestTumblingStateEndsAWindowEarly",
	"ParallelizationFactor": "TestLanesRunAtOnceAndKeepTheOrderOfEachKey",
	"Key":                   "TestKeyIsWhatOrderBelongsTo",
	"Unordered":             "TestUnorderedUsesEveryLane",
	"StartingPosition":      "TestStartingPositionHoldsForTheFirstStart",
	"BisectBatchOnError":    "TestOnePoisonRecordAmongTenThousandCostsTwentyNineCalls",
	"MaximumRetryAttempts":  "TestHandlerSteersWithWhatItReturns",
	"MaximumRecordAge":      "TestOnlyTheExpiredPrefixIsGivenUpForAge",
	"MinimumBackoff":        "TestBackoffBoundsTheWait",
	"MaximumBackoff":        "TestBackoffBoundsTheWait",
	"SetAside":              "TestSetAsideLetsOtherKeysOfTheLaneGoOn",
	"Park":                  "TestParkLetsTheCheckpointGoOn",
	"KeyLimit":              "TestKeyLimitKeepsOtherKeysQuick",
	"HandlerTimeout":        "TestHandlerTimeoutEndsTheCall",
	"MaximumConcurrency":    "TestMaximumConcurrencyHoldsOverAllShards",
	"Breaker":               "TestBreakerMakesOneCallACooldownWhileAllIsDown",
	"RecordsPerSecond":      "TestRecordsPerSecondIsKept",
	"MemoryBudget":          "TestThousandShardsStayWithinTheMemoryBudget",
	"MaximumInFlight":       "TestMaximumInFlightStopsReadingBehindAStuckKey",
	"CheckpointInterval":    "TestCheckpointIntervalBoundsTheWrites",
	"LeaseDuration":         "TestLeaseDurationIsHowLongADeadWorkerKeepsItsShards",
	"BesideKCL2":            "TestBesideKCL2RenewsEveryLease",
	"MaximumLeases":         "TestMaximumLeasesIsRespected",
	"DrainTimeout":          "TestDrainTimeoutIsWhatAStopGrants",
	"StallTimeout":          "TestShardThatGetsNowhereIsBegunAnew",
	"Until":                 "TestArrivalEndsBeforeTheFirstLaterRecord",
	"OnLoss":                "TestOnLossSaysWhetherTheRunGoesOn",
	"Hooks":                 "TestEveryHookFires",
	"Logger":                "TestNameStandsInTheLogAndTheEnvelope",
	"RedactError":           "TestRedactErrorSaysWhatIsLogged",
	"WorkerPrefix":          "TestEveryHookFires",
}

// No field is without a test that shows what it does.
func TestNoOptionIsDead(t *testing.T) {
	tests := map[string]bool{}
	names, err := fs.Glob(os.DirFS("."), "*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				tests[f.Name.Name] = true
			}
		}
	}
	fields := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[consumer.Config]()) {
		if !field.IsExported() {
			continue
		}
		fields++
		if test := shownBy[field.Name]; !tests[test] {
			t.Errorf("no test is named that shows what %s does (%q)", field.Name, test)
		}
	}
	if len(shownBy) != fields {
		t.Errorf("the list has %d entries for %d fields", len(shownBy), fields)
	}
}

// StartingPosition is where the application begins that has no checkpoints. A
// start at the tip is pinned: what is put between the start and the first read
// is delivered, and later starts go on from there whatever they are told.
func TestStartingPositionHoldsForTheFirstStart(t *testing.T) {
	for _, test := range []struct {
		name string
		at   func(began time.Time) shard.Position
		want string
	}{
		{"default", func(time.Time) shard.Position { return shard.Position{} }, "old,young,new"},
		{"TrimHorizon", func(time.Time) shard.Position { return shard.TrimHorizon() }, "old,young,new"},
		{"AtTime", func(began time.Time) shard.Position { return shard.AtTime(began.Add(90 * time.Minute)) }, "young,new"},
		{"Latest", func(time.Time) shard.Position { return shard.Latest() }, "new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				stream := shardtest.NewStream(1)
				for _, data := range []string{"old", "young"} {
					time.Sleep(time.Hour)
					stream.Put("key", []byte(data))
				}
				time.Sleep(time.Second)
				h := &tally{}
				table := checkpointtest.NewTable()
				cfg := config(stream, table)
				cfg.Handler, cfg.StartingPosition = h, test.at(began)
				// The first read fails until the new record is there.
				stream.Fault(func(c shardtest.Call) error {
					if c.Op == shardtest.Next && time.Since(began) < 3*time.Hour {
						return errors.New("not yet")
					}
					return nil
				})
				r := start(t, cfg)
				time.Sleep(time.Minute)
				stream.Put("key", []byte("new"))
				await(t, "the time", func() bool { return time.Since(began) > 2*time.Hour+2*time.Minute })
				_, _ = r.end()
				time.Sleep(time.Hour)
				cfg.StartingPosition = shard.Latest()
				runToTip(t, cfg)
				if got := strings.Join(h.order, ","); got != test.want {
					t.Errorf("handled %s, want %s", got, test.want)
				}
			})
		})
	}
}

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

// Records that were trimmed unread are declared; OnLoss says whether the run
// goes on, and what is left is handled if it does.
func TestOnLossSaysWhetherTheRunGoesOn(t *testing.T) {
	for _, policy := range []consumer.LossPolicy{consumer.ContinueOnLoss, consumer.StopOnLoss} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				table := checkpointtest.NewTable()
				first := stream.Put("key", []byte("first"))
				h := &tally{}
				cfg := config(stream, table)
				cfg.Handler, cfg.OnLoss = h, policy
				runToTip(t, cfg)
				stream.Put("key", []byte("lost"))
				time.Sleep(25 * time.Hour) // retention passes it
				last := stream.Put("key", []byte("last"))
				var losses []shard.Loss
				cfg.Hooks.Loss = func(e consumer.LossEvent) { losses = append(losses, e.Loss) }
				cfg.Until = consumer.CaughtUp()
				r := start(t, cfg)
				err := <-r.done
				r.done = nil
				if len(losses) != 1 || losses[0].After.Compare(first.Position()) != 0 || losses[0].Until.Compare(last.Position()) != 0 {
					t.Errorf("the losses told are %v, want one from %s to %s", losses, first.Position(), last.Position())
				}
				want, at := "first,last", last.Position()
				if policy == consumer.StopOnLoss {
					want, at = "first", first.Position()
				}
				if errors.Is(err, consumer.ErrLoss) != (policy == consumer.StopOnLoss) {
					t.Errorf("Run returned %v", err)
				}
				if got := strings.Join(h.order, ","); got != want {
					t.Errorf("handled %s, want %s", got, want)
				}
				if row := onlyRow(t, table); row.Checkpoint.Compare(at) != 0 || row.Owner != "" {
					t.Errorf("the row is left as %s, want it free at %s", row, at)
				}
			})
		})
	}
}

// Name stands in what the logger gets and in what is sent to the destination;
// payloads and keys are never logged.
func TestNameStandsInTheLogAndTheEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		stream := shardtest.NewStream(1)
		stream.Put("secret-key", []byte("secret-data"))
		tries, sent := 0, ""
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Name, cfg.OnFailure = "lamplighter", &destinationtest.Recorder{}
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Hooks.GaveUp = func(e consumer.GaveUpEvent) { sent = e.Failure.Application }
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if tries++; tries == 1 {
				panic("oh")
			}
			return batching.Reject(b.First(), errors.New("bad"))
		})
		runToTip(t, cfg)
		if sent != "lamplighter" {
			t.Errorf("the destination was sent the name %q", sent)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) < 3 {
			t.Errorf("%d lines were logged, want some", len(lines))
		}
		for _, line := range lines {
			if !strings.Contains(line, "application=lamplighter") {
				t.Errorf("a line does not name the application: %s", line)
			}
			if strings.Contains(line, "secret") {
				t.Errorf("a line shows a payload or a key: %s", line)
			}
		}
	})
}

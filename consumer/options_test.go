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
	"strings"
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

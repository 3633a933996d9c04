package consumer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// wrongConfig is a way to get a config wrong, and what the error must say so that
// its reader knows which field, and what it should be.
type wrongConfig struct {
	name   string
	change func(*consumer.Config)
	says   []string
}

// wrong is every way to get a field wrong.
var wrong = []wrongConfig{
	{"no name", func(c *consumer.Config) { c.Name = "" }, []string{"Name is empty"}},
	{"name with a slash", func(c *consumer.Config) { c.Name = "a/b" }, []string{`Name "a/b"`, "letters, digits"}},
	{"name too long", func(c *consumer.Config) { c.Name = strings.Repeat("n", 129) }, []string{"Name has 129", "at most 128"}},
	{"no source", func(c *consumer.Config) { c.Source = nil }, []string{"Source is missing"}},
	{"no leases", func(c *consumer.Config) { c.Leases = nil }, []string{"Leases is missing"}},
	{"no handler", func(c *consumer.Config) { c.Handler = nil }, []string{"Handler is missing"}},
	{"negative batch size", func(c *consumer.Config) { c.BatchSize = -1 }, []string{"BatchSize is -1", "1 to 10000"}},
	{"batch size over Lambda's", func(c *consumer.Config) { c.BatchSize = 10_001 }, []string{"BatchSize is 10001"}},
	{"negative bytes", func(c *consumer.Config) { c.MaximumBatchBytes = -1 }, []string{"MaximumBatchBytes is -1"}},
	{"negative window", func(c *consumer.Config) { c.MaximumBatchingWindow = -1 }, []string{"MaximumBatchingWindow is -1ns"}},
	{"long window", func(c *consumer.Config) { c.MaximumBatchingWindow = 6 * time.Minute }, []string{"MaximumBatchingWindow is 6m0s", "5m0s"}},
	{"negative factor", func(c *consumer.Config) { c.ParallelizationFactor = -1 }, []string{"ParallelizationFactor is -1"}},
	{"unordered with a key", func(c *consumer.Config) {
		c.Unordered, c.Key = true, func(*shard.Record) string { return "" }
	}, []string{"Unordered and Key"}},
	{"start at a record", func(c *consumer.Config) { c.StartingPosition = shard.After("7", 0) }, []string{"StartingPosition is", "TrimHorizon, Latest or AtTime"}},
	{"start at the end", func(c *consumer.Config) { c.StartingPosition = shard.End() }, []string{"StartingPosition is"}},
	{"start nowhere", func(c *consumer.Config) { c.StartingPosition = shard.Position{Sequence: "nowhere"} }, []string{"StartingPosition: "}},
	{"attempts without a destination", func(c *consumer.Config) {
		c.MaximumRetryAttempts, c.OnFailure = batching.AtMost(3), nil
	}, []string{"MaximumRetryAttempts is 3", "OnFailure is nil", "destination.Discard"}},
	{"negative attempts", func(c *consumer.Config) { c.MaximumRetryAttempts = batching.AtMost(-1) }, []string{"MaximumRetryAttempts is -1"}},
	{"age without a destination", func(c *consumer.Config) {
		c.MaximumRecordAge, c.OnFailure = time.Hour, nil
	}, []string{"MaximumRecordAge is 1h0m0s", "OnFailure is nil", "destination.Discard"}},
	{"age too small", func(c *consumer.Config) { c.MaximumRecordAge = time.Second }, []string{"MaximumRecordAge is 1s", "1m0s"}},
	{"negative backoff", func(c *consumer.Config) { c.MinimumBackoff = -1 }, []string{"MinimumBackoff is -1ns"}},
	{"long backoff", func(c *consumer.Config) { c.MaximumBackoff = 2 * time.Hour }, []string{"MaximumBackoff is 2h0m0s"}},
	{"backoff upside down", func(c *consumer.Config) { c.MinimumBackoff, c.MaximumBackoff = time.Minute, time.Second }, []string{"MinimumBackoff 1m0s", "MaximumBackoff 1s"}},
	{"aside without delays", func(c *consumer.Config) { c.SetAside.After = 2 }, []string{"SetAside.After is 2", "SetAside.Delays"}},
	{"aside after a negative number", func(c *consumer.Config) {
		c.SetAside = batching.SetAside{After: -1, Delays: []time.Duration{time.Second}}
	}, []string{"SetAside.After is -1"}},
	{"aside for no time", func(c *consumer.Config) { c.SetAside.Delays = []time.Duration{time.Second, 0} }, []string{"SetAside.Delays[1] is 0s"}},
	{"negative rate of a key", func(c *consumer.Config) { c.KeyLimit.RecordsPerSecond = -1 }, []string{"KeyLimit.RecordsPerSecond is -1"}},
	{"burst of nothing", func(c *consumer.Config) { c.KeyLimit.Burst = 3 }, []string{"KeyLimit.Burst is 3", "RecordsPerSecond is 0"}},
	{"limit without keys", func(c *consumer.Config) { c.Unordered, c.KeyLimit.RecordsPerSecond = true, 1 }, []string{"Unordered and KeyLimit"}},
	{"parking no keys", func(c *consumer.Config) { c.Park.Backlog = 7 }, []string{"Park is set but Park.Keys is 0"}},
	{"negative keys", func(c *consumer.Config) { c.Park.Keys = -1 }, []string{"Park.Keys is -1"}},
	{"negative bounds of parking", func(c *consumer.Config) {
		c.Park = consumer.Park{Keys: 1, Records: -1, Bytes: -1, Backlog: -1, RetryEvery: -1}
	}, []string{"Park.Records is -1", "Park.Bytes is -1", "Park.Backlog is -1", "Park.RetryEvery is -1ns"}},
	{"nothing that parks", func(c *consumer.Config) { c.Park.Keys = 1 }, []string{"Park is set without SetAside and KeyLimit"}},
	{"parking without order", func(c *consumer.Config) {
		c.Park.Keys, c.Unordered, c.SetAside.Delays = 1, true, []time.Duration{time.Second}
	}, []string{"Unordered and Park"}},
	{"parking nowhere", func(c *consumer.Config) {
		c.Park.Keys, c.SetAside.Delays, c.Leases = 1, []time.Duration{time.Second}, struct{ checkpoint.Leases }{c.Leases}
	}, []string{"no checkpoint.Parking"}},
	{"backlog over what is read", func(c *consumer.Config) {
		c.Park.Keys, c.SetAside.Delays, c.Park.Backlog = 1, []time.Duration{time.Second}, 10_000
	}, []string{"Park.Backlog is 10000", "MaximumInFlight"}},
	{"negative timeout", func(c *consumer.Config) { c.HandlerTimeout = -1 }, []string{"HandlerTimeout is -1ns"}},
	{"negative concurrency", func(c *consumer.Config) { c.MaximumConcurrency = -1 }, []string{"MaximumConcurrency is -1"}},
	{"negative rate", func(c *consumer.Config) { c.RecordsPerSecond = -1 }, []string{"RecordsPerSecond is -1"}},
	{"small budget", func(c *consumer.Config) { c.MemoryBudget = 1 << 20 }, []string{"MemoryBudget is 1048576 bytes", "at least"}},
	{"no room in flight", func(c *consumer.Config) { c.MaximumInFlight, c.BatchSize = 10, 20 }, []string{"MaximumInFlight is 10", "BatchSize 20"}},
	{"checkpoint interval", func(c *consumer.Config) { c.CheckpointInterval = -1 }, []string{"CheckpointInterval is -1ns"}},
	{"short lease", func(c *consumer.Config) { c.LeaseDuration = time.Second }, []string{"LeaseDuration is 1s", "3s"}},
	{"negative leases", func(c *consumer.Config) { c.MaximumLeases = -1 }, []string{"MaximumLeases is -1"}},
	{"negative drain", func(c *consumer.Config) { c.DrainTimeout = -1 }, []string{"DrainTimeout is -1ns"}},
	{"unknown policy", func(c *consumer.Config) { c.OnLoss = 7 }, []string{"OnLoss is 7"}},
	{"prefix with a slash", func(c *consumer.Config) { c.WorkerPrefix = "a/b" }, []string{`WorkerPrefix "a/b"`}},
	{"prefix with a space", func(c *consumer.Config) { c.WorkerPrefix = "a b" }, []string{`WorkerPrefix "a b"`}},
	{"prefix too long", func(c *consumer.Config) { c.WorkerPrefix = strings.Repeat("w", 129) }, []string{"WorkerPrefix has 129"}},
	{"prefix not UTF-8", func(c *consumer.Config) { c.WorkerPrefix = "\xff" }, []string{"WorkerPrefix", "UTF-8"}},
}

// A wrong value of any field is refused by New with an error that names the
// field.
func TestWrongConfigNamesTheField(t *testing.T) { wantRefused(t, wrong) }

// wantRefused tries each of them.
func wantRefused(t *testing.T, all []wrongConfig) {
	t.Helper()
	for _, w := range all {
		t.Run(w.name, func(t *testing.T) {
			cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
			cfg.Handler, cfg.OnFailure = &tally{}, &destinationtest.Recorder{}
			if _, err := consumer.New(cfg); err != nil {
				t.Fatalf("the config without the change is refused: %v", err)
			}
			w.change(&cfg)
			c, err := consumer.New(cfg)
			if err == nil || c != nil {
				t.Fatal("New accepted it")
			}
			for _, want := range w.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, want it to say %q", err, want)
				}
			}
			if !strings.HasPrefix(err.Error(), "consumer config: ") {
				t.Errorf("the error is %q, want it to begin with what it is about", err)
			}
		})
	}
}

// All problems of a config are reported at once.
func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	_, err := consumer.New(consumer.Config{
		Name: "a b", BatchSize: -1, MaximumBatchingWindow: time.Hour, LeaseDuration: 1,
		MaximumRetryAttempts: batching.AtMost(1), MaximumRecordAge: time.Hour, RecordsPerSecond: -1, OnLoss: -1,
		WorkerPrefix: "/", DrainTimeout: -1,
	})
	if err == nil {
		t.Fatal("New accepted it")
	}
	for _, field := range []string{
		"Name", "Source", "Leases", "Handler", "BatchSize", "MaximumBatchingWindow", "LeaseDuration",
		"MaximumRetryAttempts", "MaximumRecordAge", "RecordsPerSecond", "OnLoss", "WorkerPrefix", "DrainTimeout",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s:\n%v", field, err)
		}
	}
}

// Discard is named where records may be dropped, and then limits are accepted.
func TestNamedDiscardAllowsLimits(t *testing.T) {
	cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
	cfg.Handler, cfg.OnFailure = &tally{}, destination.Discard
	cfg.MaximumRetryAttempts, cfg.MaximumRecordAge = batching.AtMost(0), time.Minute
	if _, err := consumer.New(cfg); err != nil {
		t.Error(err)
	}
}

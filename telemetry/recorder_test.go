package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
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
	"github.com/towpath/towpath/telemetry"
)

var silent = slog.New(slog.DiscardHandler)

// reading is what a recorder says, by the name of a metric and its values.
type reading map[string]telemetry.Point

func read(r *telemetry.Recorder) reading {
	all := reading{}
	for p := range r.Points() {
		all[strings.Join(append([]string{p.Metric.Name}, p.Values...), " ")] = p
	}
	return all
}

// sum is what the series of a metric come to.
func (r reading) sum(metric string) (sum float64) {
	for _, p := range r {
		if p.Metric.Name == metric {
			sum += p.Value + float64(p.Count)
		}
	}
	return sum
}

func (r reading) has(metric string) bool {
	for _, p := range r {
		if p.Metric.Name == metric {
			return true
		}
	}
	return false
}

// Each hook is counted somewhere: one that is new needs a metric.
func TestEveryHookIsCounted(t *testing.T) {
	// What an event has to say so that there is something to count.
	events := map[string]any{
		"OddAggregates": consumer.OddAggregatesEvent{Aggregates: shard.Aggregates{Malformed: 1}},
		"Filtered":      consumer.FilteredEvent{Records: 2, Dropped: 1},
		"GaveUp":        consumer.GaveUpEvent{Failure: destination.Failure{Records: make([]shard.Record, 1)}},
	}
	hooks := reflect.TypeFor[consumer.Hooks]()
	for i := range hooks.NumField() {
		name := hooks.Field(i).Name
		r := telemetry.New(telemetry.Options{})
		before := fmt.Sprint(read(r))
		hook := reflect.ValueOf(r.Hooks()).Field(i)
		if hook.IsNil() {
			t.Errorf("%s is not hooked", name)
			continue
		}
		event := reflect.Zero(hook.Type().In(0))
		if e, ok := events[name]; ok {
			event = reflect.ValueOf(e)
		}
		hook.Call([]reflect.Value{event})
		if fmt.Sprint(read(r)) == before {
			t.Errorf("%s leaves no trace", name)
		}
	}
}

// config is a consumer of a stream in memory.
func config(stream shard.Source, handle consumer.Handler) consumer.Config {
	return consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Handler: handle, Logger: silent, WorkerPrefix: "w",
		OnFailure: &destinationtest.Recorder{}, CheckpointInterval: time.Second,
	}
}

// run runs a consumer with a recorder until it has caught up.
func run(t *testing.T, r *telemetry.Recorder, cfg consumer.Config) {
	t.Helper()
	cfg.Until = consumer.CaughtUp()
	cfg.Hooks = consumer.JoinHooks(cfg.Hooks, r.Hooks())
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Watch(c.Status)
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What becomes of records adds up: all that was read is handled, filtered,
// rejected or given up, and each failed call is an attempt more.
func TestFiguresAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(3)
		for i := range 1_000 {
			stream.Put(fmt.Sprint(i), fmt.Appendf(nil, `{"n":%d,"kind":%d}`, i, i%10))
		}
		cfg := config(stream, consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			time.Sleep(20 * time.Millisecond)
			for i := range b.Records {
				if strings.Contains(string(b.Records[i].Data), `"n":13,`) {
					return errors.New("unlucky")
				}
				if strings.Contains(string(b.Records[i].Data), `"n":77,`) {
					return batching.Reject(&b.Records[i], errors.New("no"))
				}
			}
			return nil
		}))
		cfg.Filters = []string{`{"data":{"kind":[0,1,2,3,4,5,6,7,8]}}`}
		cfg.BisectBatchOnError, cfg.MaximumRetryAttempts, cfg.BatchSize = true, batching.AtMost(2), 50
		r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		run(t, r, cfg)
		all := read(r)
		want := map[string]float64{
			"towpath.read.records":                             1000,
			"towpath.filtered.records ":                        100,
			"towpath.handled.records ":                         898,
			"towpath.rejected.records ":                        1,
			"towpath.given_up.records  RetryAttemptsExhausted": 1,
			"towpath.given_up.records  Rejected":               1,
			"towpath.dropped.records  RetryAttemptsExhausted":  0,
			"towpath.handler.retries ":                         2,
			"towpath.shards.started":                           3,
			"towpath.shards.left stopping":                     3,
			"towpath.sessions.started":                         1,
			"towpath.sessions.ended stopping":                  1,
			"towpath.read.losses":                              0,
			"towpath.handler.failures  panic":                  0,
		}
		for name, n := range want {
			if got, ok := all[name]; !ok || got.Value != n {
				t.Errorf("%s is %v (there: %v), want %v", name, got.Value, ok, n)
			}
		}
		calls, failures := all.sum("towpath.handler.calls"), all.sum("towpath.handler.failures")
		if all["towpath.handler.failures  other"].Value != failures || failures < 8 || all.sum("towpath.handler.splits") != failures-4 {
			// 3 attempts of the one record and the rejection are no splits
			t.Errorf("%v failures, %v of other errors, %v splits", failures, all["towpath.handler.failures  other"].Value, all.sum("towpath.handler.splits"))
		}
		if d := all["towpath.handler.duration "]; float64(d.Count) != calls || d.Total < .02*calls || d.Total > .021*calls {
			t.Errorf("%d durations of %v calls come to %v s, want 20 ms each", d.Count, calls, d.Total)
		}
		if b := all["towpath.handler.batch "]; b.Total != all["towpath.handler.records "].Value || b.Buckets[len(b.Buckets)-1] != 0 {
			t.Errorf("batches of %v records, want %v; %v", b.Total, all["towpath.handler.records "].Value, b.Buckets)
		}
		if failed := all["towpath.failed.records "].Value; failed != all["towpath.handler.records "].Value-898 {
			t.Errorf("%v records failed of %v, of which 898 are handled", failed, all["towpath.handler.records "].Value)
		}
	})
}

// Gauges say what Status does, and the worst of all shards: how far behind, how
// old, how long unsaved.
func TestGaugesShowTheWorstShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		hold := make(chan struct{})
		cfg := config(stream, consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			if string(b.First().Data) == "slow" {
				<-hold
			}
			return nil
		}))
		cfg.CheckpointInterval = time.Hour
		r := telemetry.New(telemetry.Options{})
		cfg.Hooks = r.Hooks()
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.Watch(c.Status)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		put := func(shardID, data string) {
			if _, err := stream.PutTo(shardID, "key", []byte(data)); err != nil {
				t.Error(err)
			}
		}
		const zero, one = "shardId-000000000000", "shardId-000000000001"
		put(zero, "slow")
		put(one, "quick")
		time.Sleep(432 * time.Second) // a two-hundredth of the retention
		all := read(r)
		near := func(name string, want, off float64) {
			t.Helper()
			if got, ok := all[name]; !ok || got.Value < want-off || got.Value > want+off {
				t.Errorf("%s is %v (there: %v), want %v", name, got.Value, ok, want)
			}
		}
		near("towpath.session.valid", 1, 0)
		near("towpath.leases.held", 2, 0)
		near("towpath.age.max", 432, 5)
		near("towpath.retention.used.max", .005, .0001)
		near("towpath.retention.left.min", 85968, 5)
		near("towpath.still.max", 432, 10)
		near("towpath.heartbeat.age", .5, .6)
		near("towpath.pending.records ", 1, 0)
		near("towpath.lanes.busy ", 1, 0)
		near("towpath.handler.running", 1, 0)
		near("towpath.shard.age "+zero+" ", 432, 5)
		near("towpath.shard.age "+one+" ", 0, 5)
		near("towpath.shard.pending "+zero+" ", 1, 0)
		near("towpath.shard.handled.records "+one, 1, 0)
		near("towpath.shard.checkpoint.age "+zero+" ", 0, 0)
		near("towpath.shard.checkpoint.age "+one+" ", 432, 5)
		close(hold)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if all := read(r); all.has("towpath.leases.held") || all.has("towpath.shard.age") || !all.has("towpath.read.records") {
			t.Error("after the end of the run there are still gauges, or no counters")
		}
	})
}

// However many shards there are, no more than Options.Shards have series, all
// others share one set, and a shard that is left takes its series with it.
func TestSeriesAreBounded(t *testing.T) {
	r := telemetry.New(telemetry.Options{Shards: batching.AtMost(10)})
	h := r.Hooks()
	status := consumer.Status{Worker: "w/1"}
	for i := range 100 {
		id := fmt.Sprintf("shardId-%012d", i)
		status.Shards = append(status.Shards, consumer.ShardStatus{Shard: id, Age: time.Duration(i) * time.Second, Pending: 1})
		h.ShardStarted(consumer.ShardStartedEvent{Shard: id})
		h.Read(consumer.ReadEvent{Shard: id, Records: 1})
	}
	r.Watch(func() consumer.Status { return status })
	shown := func() (ids []string) {
		for p := range r.Points() {
			if p.Metric.Name == "towpath.shard.age" {
				ids = append(ids, p.Values[0])
			}
		}
		return ids
	}
	first := shown()
	if len(first) != 11 || first[0] != telemetry.OtherShards || first[10] != "shardId-000000000009" {
		t.Errorf("series of %v, want ten shards and the others", first)
	}
	all := read(r)
	if o := all["towpath.shard.age other "]; o.Value != 99 {
		t.Errorf("the oldest of the others is %v s old, want 99", o.Value)
	}
	if o := all["towpath.shard.pending other "]; o.Value != 90 {
		t.Errorf("%v records of the others are pending, want 90", o.Value)
	}
	if o := all["towpath.shard.read.records other"]; o.Value != 90 || all.sum("towpath.shard.read.records") != 100 {
		t.Errorf("%v records of the others, want 90; %v in all", o.Value, all.sum("towpath.shard.read.records"))
	}
	if o := all["towpath.series.omitted"]; o.Value != 90 || all["towpath.age.max"].Value != 99 {
		t.Errorf("%v shards omitted, want 90; the oldest of all is %v", o.Value, all["towpath.age.max"].Value)
	}
	// One with series and one without are left; the counter of the others does
	// not go back, and the room is the next one's to begin.
	for _, i := range []int{50, 3} {
		h.ShardLeft(consumer.ShardLeftEvent{Shard: status.Shards[i].Shard})
		status.Shards = slices.Delete(status.Shards, i, i+1)
	}
	all = read(r)
	if o := all["towpath.shard.read.records other"]; o.Value != 90 || slices.Contains(shown(), "shardId-000000000003") {
		t.Errorf("after one was left %v records of the others, want 90, and %v", o.Value, shown())
	}
	h.ShardStarted(consumer.ShardStartedEvent{Shard: "shardId-000000000200"})
	status.Shards = append(status.Shards, consumer.ShardStatus{Shard: "shardId-000000000200"})
	if got := shown(); !slices.Contains(got, "shardId-000000000200") || len(got) != 11 {
		t.Errorf("a new shard has no series: %v", got)
	}
	// One that comes again begins anew, and has room as before.
	again := status.Shards[0].Shard
	h.ShardLeft(consumer.ShardLeftEvent{Shard: again})
	h.ShardStarted(consumer.ShardStartedEvent{Shard: again})
	if n := read(r)["towpath.shard.read.records "+again]; n.Value != 0 || len(shown()) != 11 {
		t.Errorf("a shard that came again has %v records, and there are %d series", n.Value, len(shown()))
	}
	// A shard whose end nobody told is forgotten by the second reading.
	status.Shards = status.Shards[:1]
	shown()
	if got := shown(); len(got) != 2 || got[0] != telemetry.OtherShards && got[1] != telemetry.OtherShards {
		if len(got) != 1 {
			t.Errorf("series of shards that are gone: %v", got)
		}
	}
	none := telemetry.New(telemetry.Options{Shards: batching.AtMost(0)})
	none.Hooks().ShardStarted(consumer.ShardStartedEvent{Shard: "a"})
	none.Watch(func() consumer.Status {
		return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: "a", Age: time.Minute}}}
	})
	if all := read(none); all.has("towpath.shard.age") || all.has("towpath.shard.read.records") || all["towpath.age.max"].Value != 60 {
		t.Error("AtMost(0) shards still have series, or are not in the worst of all")
	}
}

// Observers get each value of a histogram, with the class of the error.
func TestObserversSeeEachValue(t *testing.T) {
	r := telemetry.New(telemetry.Options{})
	var seen []string
	r.Observe(func(o telemetry.Observation) {
		seen = append(seen, fmt.Sprint(o.Metric.Name, " ", o.Handler, " ", o.ErrorType, " ", o.Value))
	})
	r.Hooks().BatchDone(consumer.BatchEvent{
		Handler: "billing", Records: 7, Attempt: 2, Took: 1500 * time.Millisecond, Newest: 3 * time.Second, Err: context.DeadlineExceeded,
	})
	want := []string{"towpath.handler.batch billing  7", "towpath.handler.duration billing timeout 1.5", "towpath.handler.iterator_age billing  3"}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}

// A stream that is a day behind for a week: the sum of what its records are old is
// more nanoseconds than 63 bits hold, and only grows all the same. An age below zero,
// by a clock that is ahead, takes nothing away.
func TestSumsOfAgesDoNotOverflow(t *testing.T) {
	r := telemetry.New(telemetry.Options{})
	done := r.Hooks().BatchDone
	const calls = 300_000
	for i := range calls {
		done(consumer.BatchEvent{Attempt: 1, Newest: 24*time.Hour + time.Duration(i%2)*time.Second})
	}
	done(consumer.BatchEvent{Attempt: 1, Newest: -time.Hour})
	if got, want := read(r)["towpath.handler.iterator_age "].Total, calls*86400.5; got < want-1 || got > want+1 {
		t.Errorf("the ages of %d batches come to %v s, want %v", calls, got, want)
	}
}

// How long positions were not written is known too of shards that are not shown one
// by one.
func TestCheckpointAgeNeedsNoSeriesOfShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.New(telemetry.Options{Shards: batching.AtMost(0)})
		h := r.Hooks()
		h.ShardStarted(consumer.ShardStartedEvent{Shard: "a"})
		h.BatchDone(consumer.BatchEvent{Shard: "a", Records: 1, Handled: 1, Attempt: 1})
		time.Sleep(time.Minute)
		r.Watch(func() consumer.Status {
			return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: "a", Mark: shard.After("5", 0)}}}
		})
		if all := read(r); all["towpath.checkpoint.age.max"].Value < 59.9 || all.has("towpath.shard.checkpoint.age") || all.has("towpath.shard.read.records") {
			t.Errorf("a position is not written for %v s, want 60", all["towpath.checkpoint.age.max"].Value)
		}
	})
}

package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

const (
	ours = "application=clickstream stream=clicks"
	kcl  = "Operation=ProcessTask"
)

// The lines of a run add up to what was done, in our words, in Lambda's and in
// KCL's, with the units and dimensions that each has; the last line has what was
// done while the run drained.
func TestEMFAddsUpInAllVocabularies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		calls := 0
		cfg := config(stream, consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			time.Sleep(250 * time.Millisecond)
			if calls++; calls == 5 {
				return errors.New("not now")
			}
			if string(b.Last().Data) == "39" {
				time.Sleep(3 * time.Second) // the run is told to stop meanwhile
			}
			return nil
		}))
		cfg.Hooks = r.Hooks()
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.Watch(c.Status)
		out := &paper{}
		emf := telemetry.EMF{Recorder: r, Writer: out, Interval: 10 * time.Second}
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			for i := range 40 {
				stream.Put("ada", fmt.Append(nil, i))
				time.Sleep(time.Second)
			}
			time.Sleep(2 * time.Second)
			stop()
		}()
		began := time.Now()
		if err := emf.While(ctx, c.Run); err != nil {
			t.Fatal(err)
		}
		ended := time.Now()
		all := parse(t, out.String())
		for metric, want := range map[string]float64{
			"towpath.read.records": 40, "towpath.handled.records": 40, "PolledEventCount": 40, "Errors": 1,
			"towpath.handler.failures": 1, "towpath.shards.left": 2, "towpath.sessions.ended": 1,
		} {
			if got := total(find(all, "towpath", ours, metric)); got != want {
				t.Errorf("the lines of %s come to %v, want %v", metric, got, want)
			}
		}
		invoked := total(find(all, "towpath", ours, "InvokedEventCount"))
		if failed := total(find(all, "towpath", ours, "FailedInvokeEventCount")); invoked != 40+failed || failed < 1 {
			t.Errorf("%v records in calls, of which %v failed, want 40 more", invoked, failed)
		}
		if got := total(find(all, "clickstream", kcl, "RecordsProcessed")); got != invoked {
			t.Errorf("RecordsProcessed comes to %v, want %v", got, invoked)
		}
		for _, v := range find(all, "towpath", ours, "Duration") {
			if slices.Min(v) < 200 || slices.Max(v) > 3300 {
				t.Errorf("Duration has %v ms, want 250, and once 3250", v)
			}
		}
		if v := find(all, "towpath", ours, "towpath.handler.duration"); slices.Max(v[len(v)-1]) != 3.25 {
			t.Errorf("the last line says that calls took %v s, want the longest exact, 3.25", v[len(v)-1])
		}
		if v := find(all, "clickstream", "Operation=RenewAllLeases", "CurrentLeases"); len(v) < 3 || v[1][0] != 2 {
			t.Errorf("CurrentLeases is %v, want 2", v)
		}
		if v := find(all, "clickstream", "Operation=ApplicationTracker", "MillisBehindLatest"); len(v) < 4 {
			t.Errorf("MillisBehindLatest was written %d times", len(v))
		}
		for _, never := range []string{"towpath.read.losses", "DroppedEventCount", "towpath.dropped.records", "towpath.parked.keys"} {
			if v := find(all, "towpath", ours, never); v != nil {
				t.Errorf("%s was never anything and is written: %v", never, v)
			}
		}
		if strings.Contains(out.String(), "shardId-") || strings.Contains(out.String(), "not now") {
			t.Error("shards or errors are in the lines")
		}
		units := map[string]string{
			"towpath.age.max": "Seconds", "IteratorAge": "Milliseconds", "towpath.memory.held": "Bytes", "towpath.session.valid": "None",
			"PolledEventCount": "Count", "towpath.handler.duration": "Seconds",
		}
		for _, e := range all {
			for metric, want := range units {
				if got, ok := e.units[metric]; ok && got != want {
					t.Errorf("%s is written in %s, want %s", metric, got, want)
				}
			}
			if since := e.at.Sub(began); since%(10*time.Second) > time.Millisecond && e.at.Before(ended.Truncate(time.Millisecond)) {
				t.Errorf("a line after %v, want one each 10 s and the last at the end", since)
			}
		}
	})
}

// Series of shards and handlers are written only where they are asked for, and
// under KCL's names with its dimensions.
func TestEMFWritesShardsWhenAsked(t *testing.T) {
	r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	h := r.Hooks()
	for _, id := range []string{"shardId-1", "shardId-2"} {
		h.ShardStarted(consumer.ShardStartedEvent{Shard: id})
		h.BatchDone(consumer.BatchEvent{Shard: id, Handler: "billing", Records: 3, Handled: 3})
	}
	r.Watch(func() consumer.Status {
		return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{
			{Shard: "shardId-1", Handler: "billing", Behind: time.Second}, {Shard: "shardId-2", Handler: "billing", Behind: time.Minute},
		}}
	})
	text := func(change func(*telemetry.EMF)) []event {
		out := &paper{}
		e := telemetry.EMF{Recorder: r, Writer: out}
		change(&e)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := e.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return parse(t, out.String())
	}
	plain := text(func(*telemetry.EMF) {})
	if v := find(plain, "towpath", ours+" shard=shardId-1", "towpath.shard.behind"); v != nil {
		t.Errorf("shards are written without being asked for: %v", v)
	}
	if v := find(plain, "towpath", ours, "towpath.behind.max"); len(v) != 1 || v[0][0] != 60 {
		t.Errorf("the furthest behind is %v, want 60 s", v)
	}
	full := text(func(e *telemetry.EMF) { e.PerShard, e.PerHandler = true, true })
	if v := find(full, "towpath", ours+" shard=shardId-2", "towpath.shard.behind"); len(v) != 1 || v[0][0] != 60 {
		t.Errorf("shardId-2 is %v behind, want 60 s", v)
	}
	if v := find(full, "clickstream", "Operation=ProcessTask ShardId=shardId-1", "MillisBehindLatest"); len(v) != 1 || v[0][0] != 1000 {
		t.Errorf("MillisBehindLatest of shardId-1 is %v, want 1000", v)
	}
	if v := find(full, "clickstream", "Operation=ProcessTask ShardId=shardId-1", "RecordsProcessed"); len(v) != 1 || v[0][0] != 3 {
		t.Errorf("RecordsProcessed of shardId-1 is %v, want 3", v)
	}
	if v := find(full, "towpath", ours+" handler=billing", "towpath.handled.records"); len(v) != 1 || v[0][0] != 6 {
		t.Errorf("the handler has handled %v, want 6", v)
	}
	if v := find(full, "towpath", ours, "towpath.handled.records"); len(v) != 1 || v[0][0] != 6 {
		t.Errorf("all handlers have handled %v, want 6", v)
	}
	lambda := text(func(e *telemetry.EMF) { e.Names = telemetry.LambdaNames })
	for _, e := range lambda {
		if e.namespace != "towpath" || e.values["InvokedEventCount"] == nil || e.values["towpath.handler.records"] != nil {
			t.Errorf("Lambda's names alone: %v of %s", e.values, e.namespace)
		}
	}
}

// What cannot be written is told once, and is in a later line.
func TestEMFTellsOnceThatItCannotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		h := r.Hooks()
		out, log := &paper{}, &paper{}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		emf := telemetry.EMF{Recorder: r, Writer: out, Logger: slog.New(slog.NewTextHandler(log, nil))}
		go func() { ended <- emf.Run(ctx) }()
		synctest.Wait()
		told := func() int { return strings.Count(log.String(), "metrics cannot be written") }
		time.Sleep(30 * time.Second) // between two writings
		out.fail(errors.New("disk full"))
		for range 5 {
			h.Read(consumer.ReadEvent{Records: 10, Behind: time.Second})
			time.Sleep(time.Minute)
		}
		if told() != 1 || out.String() != "" {
			t.Errorf("told %d times of five failures, want once", told())
		}
		out.fail(nil)
		time.Sleep(time.Minute)
		out.fail(errors.New("disk full"))
		time.Sleep(time.Minute)
		if told() != 2 {
			t.Errorf("told %d times, want once more after it could be written", told())
		}
		out.fail(nil)
		h.Read(consumer.ReadEvent{Records: 7})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := total(find(parse(t, out.String()), "towpath", ours, "towpath.read.records")); got != 57 {
			t.Errorf("the lines come to %v records, want 57", got)
		}
	})
}

// However many values an interval had, an array has at most a hundred, that lie as
// those did: their mean and percentiles are near, and the largest is exact.
func TestEMFValuesLieAsTheyDid(t *testing.T) {
	for _, n := range []int{1, 2, 99, 100, 101, 5000} {
		r := telemetry.New(telemetry.Options{Application: "a", Stream: "s"})
		h := r.Hooks()
		mean, largest := 0.0, 0.0
		for i := range n {
			took := time.Duration(math.Pow(1.001, float64(i*5000/n)) * float64(10*time.Millisecond))
			h.BatchDone(consumer.BatchEvent{Took: took})
			mean += took.Seconds() / float64(n)
			largest = max(largest, took.Seconds())
		}
		out := &paper{}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := (telemetry.EMF{Recorder: r, Writer: out}).Run(ctx); err != nil {
			t.Fatal(err)
		}
		v := find(parse(t, out.String()), "towpath", "application=a stream=s", "towpath.handler.duration")[0]
		sum := 0.0
		for _, one := range v {
			sum += one
		}
		if len(v) != min(n, 100) || math.Abs(slices.Max(v)-largest) > 1e-3*largest || math.Abs(sum/float64(len(v))-mean) > .01*mean {
			t.Errorf("%d calls are %d values with a mean of %.4f and a largest of %.4f, want %.4f and %.4f", n, len(v), sum/float64(len(v)), slices.Max(v), mean, largest)
		}
		if !slices.IsSorted(v) {
			t.Errorf("%v is not sorted", v)
		}
	}
}

// All that is wrong with an EMF is said at once.
func TestEMFSaysWhatIsWrong(t *testing.T) {
	err := telemetry.EMF{Interval: time.Millisecond, Names: 8, Namespace: "AWS/Lambda", KCLNamespace: "a b"}.Validate()
	for _, want := range []string{"Recorder is missing", "Writer is missing", "Interval is 1ms", "Names is 8", `Namespace is "AWS/Lambda"`, `KCLNamespace is "a b"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	nameless := telemetry.EMF{Recorder: telemetry.New(telemetry.Options{}), Writer: &paper{}}
	if err := nameless.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "KCLNamespace is empty") {
		t.Errorf("KCL's names without a namespace: %v", err)
	}
	if err := nameless.While(t.Context(), func(context.Context) error { t.Error("ran"); return nil }); err == nil {
		t.Error("While runs with a config that is wrong")
	}
}

// A hostile name is text in a line, and ends none; those that CloudWatch would drop
// with all their metrics are refused.
func TestEMFEscapesNames(t *testing.T) {
	r := telemetry.New(telemetry.Options{Application: `a"},{"x`, Stream: `s\`})
	r.Hooks().Read(consumer.ReadEvent{Records: 1})
	r.Hooks().BatchDone(consumer.BatchEvent{Handler: "a\"},\n{\"x"})
	out := &paper{}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (telemetry.EMF{Recorder: r, Writer: out, KCLNamespace: "clicks", PerHandler: true}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if all := parse(t, out.String()); len(all) < 2 {
		t.Errorf("%d events", len(all))
	}
	for _, name := range []string{"клики", "a\nb", "s\x00", " ", strings.Repeat("x", 1025)} {
		r := telemetry.New(telemetry.Options{Application: name, Stream: name})
		err := telemetry.EMF{Recorder: r, Writer: out, KCLNamespace: "clicks"}.Validate()
		if err == nil || !strings.Contains(err.Error(), "the recorder's Application is") || !strings.Contains(err.Error(), "the recorder's Stream is") {
			t.Errorf("the name %q: %v", name, err)
		}
	}
}

// The longest call is in the line after the one that could not be written, though
// that has shorter ones.
func TestEMFKeepsThePeakOfALineThatWasNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		done := r.Hooks().BatchDone
		out := &paper{}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- telemetry.EMF{Recorder: r, Writer: out, Logger: silent}.Run(ctx) }()
		out.fail(errors.New("disk full"))
		done(consumer.BatchEvent{Took: 207 * time.Second})
		time.Sleep(90 * time.Second)
		out.fail(nil)
		done(consumer.BatchEvent{Took: 20 * time.Millisecond})
		time.Sleep(time.Minute)
		if v := find(parse(t, out.String()), "towpath", ours, "towpath.handler.duration"); len(v) != 1 || len(v[0]) != 2 || slices.Max(v[0]) != 207 {
			t.Errorf("calls took %v, want one line with two, the longest 207 s", v)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A shard that was left is forgotten, and counts anew when it comes again.
func TestEMFForgetsShardsThatWereLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		h := r.Hooks()
		var status atomic.Pointer[consumer.Status]
		r.Watch(func() consumer.Status { return *status.Load() })
		out := &paper{}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		status.Store(&consumer.Status{Worker: "w"})
		go func() { ended <- telemetry.EMF{Recorder: r, Writer: out, PerShard: true}.Run(ctx) }()
		time.Sleep(30 * time.Second) // between two writings
		for _, records := range []int{5, 0, 7} {
			if records > 0 {
				h.ShardStarted(consumer.ShardStartedEvent{Shard: "a"})
				h.Read(consumer.ReadEvent{Shard: "a", Records: records})
				status.Store(&consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: "a"}}})
			} else {
				h.ShardLeft(consumer.ShardLeftEvent{Shard: "a"})
				status.Store(&consumer.Status{Worker: "w"})
			}
			time.Sleep(time.Minute)
		}
		if v := find(parse(t, out.String()), "towpath", ours+" shard=a", "towpath.shard.read.records"); fmt.Sprint(v) != "[[5] [7]]" {
			t.Errorf("the shard has brought %v, want 5, and 7 when it came again", v)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What a fleet is scaled by is written while nothing is needed: it could never be
// made smaller otherwise.
func TestEMFWritesThatNoWorkerIsNeeded(t *testing.T) {
	r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks", Sizing: autoscale.Sizing{PerWorker: 2}})
	r.Watch(func() consumer.Status {
		return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: "a"}}}
	})
	out := &paper{}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (telemetry.EMF{Recorder: r, Writer: out}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if v := find(parse(t, out.String()), "towpath", ours, "towpath.workers.needed"); len(v) != 1 || v[0][0] != 0 {
		t.Errorf("%v workers are needed, want 0", v)
	}
}

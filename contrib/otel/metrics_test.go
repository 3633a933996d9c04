package otel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/otel"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

var silent = slog.New(slog.DiscardHandler)

// collected is what a reader has of each instrument.
func collected(t *testing.T, reader sdk.Reader) map[string]metricdata.Metrics {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	all := map[string]metricdata.Metrics{}
	for _, scope := range rm.ScopeMetrics {
		if !strings.HasSuffix(scope.Scope.SchemaURL, "/1.43.0") {
			t.Errorf("the schema is %s", scope.Scope.SchemaURL)
		}
		for _, m := range scope.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

// series is the sum, or the count of a histogram, of each set of attributes.
func series(m metricdata.Metrics) map[string]float64 {
	all := map[string]float64{}
	text := func(set attribute.Set) string { return set.Encoded(attribute.DefaultEncoder()) }
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			all[text(p.Attributes)] = float64(p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			all[text(p.Attributes)] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			all[text(p.Attributes)] = float64(p.Count)
		}
	}
	return all
}

const whose = "messaging.consumer.group.name=clickstream,messaging.destination.name=clicks"

// What a consumer does arrives under the names of the conventions where there are
// some, and with their attributes.
func TestMetricsFollowTheConventions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		for i := range 30 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		reader := sdk.NewManualReader()
		provider := sdk.NewMeterProvider(sdk.WithReader(reader))
		registered, err := otel.Register(recorder, otel.Metrics{MeterProvider: provider})
		if err != nil {
			t.Fatal(err)
		}
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, Hooks: recorder.Hooks(),
			OnFailure: destination.Discard, BatchSize: 10,
			Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				time.Sleep(20 * time.Millisecond)
				if b.Attempt == 1 && string(b.First().Data) == "0" {
					return errors.New("card 4242")
				}
				return nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		recorder.Watch(c.Status)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		all := collected(t, reader)
		process := series(all["messaging.process.duration"])
		if n := process["error.type=_OTHER,"+whose+",messaging.operation.name=process,messaging.system=aws.kinesis"]; n != 1 {
			t.Errorf("%v calls that failed, want 1: %v", n, process)
		}
		if n := process[whose+",messaging.operation.name=process,messaging.system=aws.kinesis"]; n < 4 {
			t.Errorf("%v calls that did not fail, want 4 or more: %v", n, process)
		}
		if len(series(all["messaging.client.operation.duration"])) != 1 || all["messaging.client.operation.duration"].Unit != "s" {
			t.Errorf("reads: %v", all["messaging.client.operation.duration"])
		}
		if n := series(all["towpath.handled.records"])[whose+",messaging.system=aws.kinesis"]; n != 30 {
			t.Errorf("%v records handled, want 30", n)
		}
		if ages := series(all["towpath.shard.age"]); len(ages) != 2 || !strings.Contains(fmt.Sprint(ages), "messaging.destination.partition.id=shardId-000000000001") {
			t.Errorf("the shards' ages are %v", ages)
		}
		if n := series(all["towpath.handler.failures"])["error.type=_OTHER,"+whose+",messaging.system=aws.kinesis"]; n != 1 {
			t.Errorf("failures: %v", series(all["towpath.handler.failures"]))
		}
		if left := series(all["towpath.shards.left"]); len(left) != 8 || !strings.Contains(fmt.Sprint(left), "towpath.reason=lease_lost") {
			t.Errorf("shards left: %v", left)
		}
		for _, twice := range []string{"towpath.handler.duration", "towpath.read.duration", "towpath.handler.records"} {
			if _, ok := all[twice]; ok {
				t.Errorf("%s is there beside the name of the conventions", twice)
			}
		}
		if strings.Contains(fmt.Sprint(all), "4242") {
			t.Error("the text of an error is in the metrics")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := registered.Unregister(); err != nil {
			t.Error(err)
		}
		recorder.Hooks().BatchDone(consumer.BatchEvent{Handler: "tardy"})
		if after := fmt.Sprint(collected(t, reader)); strings.Contains(after, "tardy") {
			t.Error("after Unregister there is still something recorded")
		}
	})
}

// Every metric of the catalogue has an instrument, under its own name where that is
// wanted.
func TestEveryMetricIsReported(t *testing.T) {
	recorder := telemetry.New(telemetry.Options{Sizing: autoscale.Sizing{PerWorker: 2}})
	reader := sdk.NewManualReader()
	if _, err := otel.Register(recorder, otel.Metrics{MeterProvider: sdk.NewMeterProvider(sdk.WithReader(reader)), OwnNames: true}); err != nil {
		t.Fatal(err)
	}
	h := recorder.Hooks()
	h.ShardStarted(consumer.ShardStartedEvent{Shard: "a"})
	h.Read(consumer.ReadEvent{})
	h.BatchDone(consumer.BatchEvent{Attempt: 1})
	h.Published(consumer.PublishedEvent{})
	h.Checkpointed(consumer.CheckpointEvent{})
	h.ShardLeft(consumer.ShardLeftEvent{Shard: "b", Took: time.Second})
	recorder.Watch(func() consumer.Status {
		return consumer.Status{
			Worker: "w", Limited: true, Loops: consumer.Loops{Answered: time.Now()}, Streams: []consumer.StreamStatus{{}},
			Shards: []consumer.ShardStatus{{Shard: "a", Retention: time.Hour}},
		}
	})
	all := collected(t, reader)
	for _, m := range telemetry.Catalogue() {
		got, ok := all[m.Name]
		if !ok || got.Unit != m.Unit || got.Description != m.Meaning {
			t.Errorf("%s is there: %v, in %q, described as %q", m.Name, ok, got.Unit, got.Description)
		}
	}
	if len(all) != len(telemetry.Catalogue()) {
		t.Errorf("%d instruments for %d metrics", len(all), len(telemetry.Catalogue()))
	}
	if _, err := otel.Register(nil, otel.Metrics{}); err == nil {
		t.Error("no recorder is taken for one")
	}
}

// Shards that take their first values at one instant share nothing that is written:
// making a set of attributes sorts what it is made of (shown under -race).
func TestFirstValuesAreTakenSideBySide(t *testing.T) {
	for range 50 {
		recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		reader := sdk.NewManualReader()
		if _, err := otel.Register(recorder, otel.Metrics{MeterProvider: sdk.NewMeterProvider(sdk.WithReader(reader)), OwnNames: true}); err != nil {
			t.Fatal(err)
		}
		hooks := recorder.Hooks()
		var shards sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			shards.Go(func() {
				<-begin
				hooks.Read(consumer.ReadEvent{Took: time.Millisecond})
			})
		}
		close(begin)
		shards.Wait()
		if n := series(collected(t, reader)["towpath.read.duration"]); len(n) != 1 || n[whose+",messaging.system=aws.kinesis"] != 4 {
			t.Fatalf("reads: %v, want 4 of one series", n)
		}
	}
}

// A value of a histogram is recorded without an allocation of ours.
func BenchmarkRecording(b *testing.B) {
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	if _, err := otel.Register(recorder, otel.Metrics{MeterProvider: sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader()))}); err != nil {
		b.Fatal(err)
	}
	done := recorder.Hooks().BatchDone
	b.ReportAllocs()
	for b.Loop() {
		done(consumer.BatchEvent{Records: 100, Handled: 100, Attempt: 1, Took: 30 * time.Millisecond})
	}
}

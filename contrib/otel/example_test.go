package otel_test

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/otel"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

// Click is what the producers put: they write their span's context into it.
type Click struct {
	Page        string `json:"page"`
	TraceParent string `json:"traceparent"`
}

// traceOf finds the producer's context in a record, or says that there is none.
func traceOf(r *shard.Record) string {
	var c Click
	if json.Unmarshal(r.Data, &c) != nil {
		return ""
	}
	return c.TraceParent
}

// A span for each batch, linked to the producers of its records.
func ExampleHandler() {
	ended := tracetest.NewSpanRecorder() // a service has an OTLP exporter
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ended))

	stream := shardtest.NewStream(1)
	stream.Put("ada", []byte(`{"page":"/lamps","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`))
	stream.Put("ada", []byte(`{"page":"/basket"}`))
	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, Until: consumer.CaughtUp(),
	}
	handle := consumer.Each(func(ctx context.Context, c Click) error { return nil })
	cfg.Handler = otel.Handler(handle, otel.Tracing{
		TracerProvider: tracers,
		Application:    "clickstream",
		Producer:       otel.TraceParent(traceOf),
	})
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	for _, span := range ended.Ended() {
		fmt.Println(span.SpanKind(), len(span.Links()), "link to", span.Links()[0].SpanContext.TraceID())
	}
	// Output:
	// consumer 1 link to 4bf92f3577b34da6a3ce929d0e0e4736
}

// Metrics through a meter provider.
func ExampleRegister() {
	reader := sdk.NewManualReader() // a service has a periodic one with an OTLP exporter
	meters := sdk.NewMeterProvider(sdk.WithReader(reader))

	stream := shardtest.NewStream(1)
	stream.Put("ada", []byte(`{"page":"/lamps"}`))
	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, Until: consumer.CaughtUp(),
		Handler: consumer.Each(func(ctx context.Context, c Click) error { return nil }),
	}
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	cfg.Hooks = consumer.JoinHooks(cfg.Hooks, recorder.Hooks())
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder.Watch(c.Status)
	registered, err := otel.Register(recorder, otel.Metrics{MeterProvider: meters})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		fmt.Println(err)
	}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if m.Name == "messaging.process.duration" || m.Name == "towpath.handled.records" {
			fmt.Println(m.Name, m.Unit)
		}
	}
	if err := registered.Unregister(); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// messaging.process.duration s
	// towpath.handled.records {record}
}

// Package otel gives a consumer's telemetry to OpenTelemetry: metrics, and a span
// for each batch with links to whoever produced its records.
//
//	registered, err := otel.Register(recorder, otel.Metrics{MeterProvider: meters})
//	defer registered.Unregister()
//
//	cfg.Handler = otel.Handler(handle, otel.Tracing{TracerProvider: tracers, Application: "clickstream"})
//
// # Metrics
//
// The metrics are those of package telemetry's catalogue. Three of them have a name
// in OpenTelemetry's conventions for messaging (1.43.0, which are still in
// development: Metrics.OwnNames leaves them), and are reported under it:
// messaging.process.duration, messaging.client.operation.duration and
// messaging.client.consumed.messages. Every series says messaging.system,
// messaging.destination.name (the stream) and messaging.consumer.group.name (the
// application); a shard is messaging.destination.partition.id.
//
// # Traces
//
// A batch has many producers, and its span is the child of none of them: it is a
// span "process <stream>" of kind CONSUMER that begins a trace, or stands below what
// the call's context has, with a link to the span of each producer. A record of
// Kinesis has no headers, so that only the application knows where a producer's
// context is: Tracing.Producer says. TraceParent and XRay read the two usual texts.
//
// # X-Ray
//
// AWS X-Ray takes OpenTelemetry's own ids over OTLP, from the CloudWatch agent or a
// collector, so that no generator of X-Ray's ids is needed. A producer that wrote
// X-Ray's header into its records is linked with XRay.
package otel

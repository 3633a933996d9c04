// Package otel gives a consumer's telemetry to OpenTelemetry: metrics, and a span
// for each batch with links to whoever produced its records.
package otel

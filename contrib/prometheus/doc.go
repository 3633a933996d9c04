// Package prometheus gives a consumer's metrics to Prometheus, as a Collector.
package prometheus

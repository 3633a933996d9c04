// Package prometheus gives a consumer's metrics to Prometheus, as a Collector.
//
//	registry.MustRegister(prometheus.NewCollector(recorder))
//
// The metrics are those of package telemetry's catalogue under the names that
// Prometheus wants: underscores for dots, the unit behind, and _total for counters,
// so that towpath.handler.duration is towpath_handler_duration_seconds. Each has the
// labels application and stream and those of its attributes; error.type is the label
// error_type. Nothing is kept between two scrapes.
package prometheus

// Package telemetry turns what a worker does into metrics.
//
// A Recorder takes part in a consumer's hooks and reads its status. What it knows
// is a fixed set of metrics, the Catalogue, each with a unit, a meaning, and the
// name under which Lambda or KCL report the same. Adapters read it: the EMF of this
// package writes CloudWatch's embedded metric format to standard output, without an
// agent and without a call to CloudWatch; the modules contrib/otel and
// contrib/prometheus give it to OpenTelemetry and Prometheus.
//
//	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
//	cfg.Hooks = consumer.JoinHooks(cfg.Hooks, recorder.Hooks())
//	c, err := consumer.New(cfg)
//	…
//	recorder.Watch(c.Status)
//
// # What it costs
//
// Counting takes a handful of atomic additions for each call of a handler and for
// each read, whatever the number of their records, and allocates nothing. What is
// a state rather than an event, such as how far behind a shard is, is asked of
// Consumer.Status when somebody reads, and costs nothing before.
//
// # How many series there are
//
// Attributes have values out of a list that stands in the catalogue, but for two:
// the names of the handlers, of which there are as many as are configured, and the
// ids of shards. Series of a shard are kept for the shards that this worker has, at
// most Options.Shards of them, and those of the others are put together under the
// id "other"; those of a shard that was left disappear. Payloads, keys and the texts
// of errors are in no attribute: an error is one of a few classes.
//
// # What is counted twice
//
// Delivery is at least once, and so are these figures: records that are read again
// after a crash or a hand-over are counted again by whoever reads them, and a call
// that is made again is another call.
package telemetry

// Package towpath is the landing page of a library that consumes Kinesis data
// streams and the streams of DynamoDB tables: it leases shards through DynamoDB,
// hands ordered batches to a handler, retries and bisects what fails, sends what
// is given up to a destination, and never saves a position past a record that is
// not finished. It holds no code of its own.
//
// # Where to begin
//
// A service imports four packages:
//
//   - consumer: the engine. consumer.Config is the whole front door, and
//     Consumer.Run works until its context ends.
//   - shard/kinesisshards or shard/dynamoshards: the stream.
//   - checkpoint/dynamocheckpoint: the lease table.
//   - destination/sqsdestination or another of its kind: where what is given up
//     goes. None is needed to begin.
//
// The handler speaks with package batching (Batch, FailFrom, Reject,
// RetryAfter), and payloads are decoded by package codec. Package batching/window
// keeps state over spans of time, package once keeps a repeat from repeating its
// effect, and package redrive takes what was given up out again. Tests run
// against streamtest/awsfake, an AWS in the process.
//
// Whoever runs it has telemetry and health for metrics and probes, dashboard for
// a page, reposition to begin elsewhere, autoscale and cost for how many and how
// much, and cmd/towpath for all of it from a shell. The directory docs has a
// guide for each of these; docs/start.md is the first.
//
// # What is promised
//
// Every record at or after the starting position is handled at least once, in
// the order of its key within a shard, and parents before children across a
// reshard; none is skipped. It ends in exactly one of: handled, accepted by the
// on-failure destination, filtered, dropped by a policy that the user named, declared lost
// because retention passed it, or still pending. README.md states what the
// promise rests on.
//
// # How it is built
//
// Packages have floors and import only lower ones:
//
//	5  examples, cmd
//	4  streamtest, redrive, reposition, telemetry, health, dashboard, doctor, takeover, tape
//	3  consumer, and beside it the drivers, the …test packages and awsfake
//	2  destination, batching/filter, batching/window, once, overview
//	1  checkpoint, batching, codec, follow, shard/kpl, shard/streams
//	0  shard, iam, autoscale, cost
//
// What needs a heavy third party is a module of its own under contrib.
//
// The engine and the drivers share a floor, so that the engine compiles without
// the AWS SDK. layers_test.go holds the table and fails on a wrong import;
// ARCHITECTURE.md tells the rest.
package towpath

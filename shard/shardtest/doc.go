// Package shardtest has a stream in memory, [Stream], and [RunSource], the
// conformance suite of shard.Source.
//
// A [Stream] is a shard.Source without a service behind it: records are put,
// shards split and merged, records trimmed and calls made to fail by the test.
// It waits with timers only, so that it is virtual in a testing/synctest bubble,
// and draws no random numbers, so that a run repeats.
//
// The suite says what a driver has to do, one named promise a subtest. A driver
// runs it with a [Rig] on its own service or on a fake of it.
package shardtest

// Package follow reads a stream as somebody who looks on: without leases,
// positions or a fleet, and without taking anything from those who work it.
//
// # Which shards
//
// All, or those that are named, or those whose range of hashes holds a key. What a
// shard was split or merged into is read after it: the same rules say so that
// bind a fleet, [shard.Lineage]'s.
//
// # In which order
//
// Records of one shard come in its order, and records of a child come after those
// of its parents. Between shards they come as they were read or, with
// Config.InOrder, by the time of their arrival: a record waits until every other
// shard is known to have been read up to there. Arrival is what the service says,
// to the millisecond, so that two shards agree as well as its clocks do.
//
// # What is not promised
//
// Each record once: a run remembers nothing of another one. And that nothing is
// missed: whoever reads slower than the retention is told of a loss and goes on.
package follow

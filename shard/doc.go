// Package shard has the words in which everything else is said: [Record],
// [Position], [Lease], and the two decisions that are about shards as a whole.
// [Lineage] says which shard may be read, and [Plan] says by whom.
//
// # What a shard is
//
// A stream is a set of shards. Each takes the partition keys whose hash falls into
// its range, and is an ordered sequence of records. Shards split and merge:
//
//	      ┌── c1 ──────┐
//	p ────┤            ├── m ────►
//	      └── c2 ──────┘
//	 closed    closed     open
//
// Records of one key go on from a parent to the child whose range holds the key,
// so that order per key holds only if a child is read after all its parents were
// read to their end. A merge has two.
//
// # Which shard may be read
//
// [NewLineage] puts together what the service lists and what the lease table
// holds. A row at TRIM_HORIZON waits until every parent is finished, or is gone
// from both. A row with progress, or at LATEST, waits for nothing, and its
// ancestors are behind the fleet: a listed shard without a row is created only if
// no descendant has been started, because the row of a finished parent may be
// deleted while the service still lists the shard. A row at AT_TIMESTAMP waits for
// the parents that have rows.
//
// The promises, for a table in which nobody edits rows by hand:
//
//   - a shard is not read before its parents;
//   - a finished shard is never created again;
//   - every record at or after the start position lies in a shard that has a row,
//     or will get one when an ancestor with a row ends.
//
// Lineage.Holes audits the last of them. A row that cannot be believed
// (Lease.Fault) is left alone: it is neither created again nor deleted, its
// children wait, and nothing is concluded from its position.
//
// # By whom
//
// [Plan] is computed by every worker of the fleet from the same rows. It only has
// to be good, not agreed on: each move is a conditional write, so that two workers
// with different views cost a refused write. The promises, once views agree:
//
//   - every free lease that may be read is taken in one round, by one worker;
//   - a join moves at most ⌈n/w⌉ leases, a death moves none of the living;
//   - with numbers within one of each other, leases move only to even loads that
//     are far apart.
//
// # What is not promised
//
// Leases are shared by their number first. In a fleet at rest the load of the
// heaviest and the lightest worker is evened, by one move or exchange at a time and
// with the numbers within one of each other. A single hot shard cannot be divided by
// moving it.
//
// # The other side
//
// [Source] and [Reader] are what a driver such as kinesisshards implements to read
// a stream. They wait and fail; the rest of this package only decides: values in,
// values out, the time as an argument.
package shard

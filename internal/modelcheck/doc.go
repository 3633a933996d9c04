// Package modelcheck runs the decisions of the library, as they are compiled into
// it, through every order of events within small bounds, and through random
// orders within larger ones.
//
// # Systems
//
// A system is a Model: states without pointers, the moves that are possible in a
// state, and what a move makes of it. Whatever the library decides is asked of
// the library: checkpoint.Adopt, the conditions of the lease table
// (checkpointtest.Table, which is held to the same conditions as the DynamoDB
// driver by their common suite), shard.Lineage, checkpoint.Tracker,
// batching.Policy. What is left to the model is what the library does not decide:
// when a request is applied, lost, applied twice or applied long after its caller
// has given it up, how fast a clock runs, what a handler returns. A rule that is
// wrong is found wrong here, and not a description of it.
//
//   - Leases: one lease row and a few workers, each of which may take it at any
//     moment and may be a zombie. No skip, no regress, no jump, fenced writes.
//   - Sessions: two workers with a clock each, heartbeats, revocation. One at a
//     time is entitled to the lease.
//   - Family: shards that split and merge, and maintenance runs that are held up
//     between any two of their steps. Parents first, no replay, no hole.
//   - Batches: one shard's tracker, lanes and policy over handlers and
//     destinations that fail. What the position passes is settled.
//
// # What is promised
//
// Explore visits each state that can be reached within the bounds of a system
// once, nearest first, so that the trace of what it finds is as short as can be.
// It says whether it came to the end. Walk draws moves at random; a seed is the
// same walk on every machine, as long as the model is the same.
//
// # What is not promised
//
// Nothing is said of what lies outside the bounds. Whether something good happens
// at last (that a shard gets an owner again, that a hand-over ends) is not looked
// at here: only that nothing bad does.
package modelcheck

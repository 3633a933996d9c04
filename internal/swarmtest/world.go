package swarmtest

import (
	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
)

// World is what a plan is played on: a stream, a lease table, and workers of the
// production engine over them, in a bubble of testing/synctest. Workers are known
// by a name that none has twice. Shards are known by the stream's ids.
type World interface {
	// Put puts a record. The handler fails whenever a poisonous one is among its
	// records.
	Put(key string, poison bool)
	// Open are the shards that take records, in the order of their hashes.
	Open() []string
	// Split and Merge reshard; what cannot be is left.
	Split(shardID string)
	// Merge merges two that lie beside one another.
	Merge(shardID, adjacent string)
	// Trim has the n oldest readable records of a shard go.
	Trim(shardID string, n int)

	// Start starts a worker on a host whose clock has this rate, 1 being right.
	Start(worker string, rate float64)
	// Stop begins to stop one gently; Ended reports whether it has ended.
	Stop(worker string)
	// Ended reports whether a worker has ended, however that came.
	Ended(worker string) bool
	// Kill takes one away without a word.
	Kill(worker string)
	// Pause stops one where it stands, until resume.
	Pause(worker string) (resume func())
	// Cut breaks its connection to a service, table or stream, or to both with
	// none, until heal.
	Cut(worker, service string) (heal func())

	// Rows are the lease rows as they stand.
	Rows() []shard.Lease
	// DeleteRow deletes a row by hand, and DeleteSession the session of a worker.
	DeleteRow(key string)
	// DeleteSession deletes the session of a worker by hand.
	DeleteSession(worker string)
	// Weather switches the faults of the plan's Weather on or off, and Outage the
	// destination off.
	Weather(on bool)
	// Outage has the destination accept nothing while it is on.
	Outage(on bool)

	// Checker is what holds the promises against all that happens.
	Checker() *prooftest.Checker
	// Name is the worker that an id in a row belongs to.
	Name(id string) string
	// Trace is what happened so far as one number.
	Trace() uint64
	// Close stops every worker, those that were killed too, and waits for all of
	// them.
	Close()
}

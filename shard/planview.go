package shard

import (
	"time"
)

// View is what one worker sees of the fleet when it plans.
type View struct {
	// Me is the id of the worker that plans.
	Me string
	// Workers are the sessions that live, this worker's among them. An owner
	// that is not here is dead, or will be declared so.
	Workers []WorkerView
	// Leases are the rows that are not finished.
	Leases []LeaseView
	// Settle is how long a worker must have lived before others are asked to
	// hand leases to it, so that a rolling deploy does not move each lease
	// several times. 0 is not at all.
	Settle time.Duration
	// HandoverTimeout is how long a hand-over may stand before it is withdrawn;
	// 0 is for ever.
	HandoverTimeout time.Duration
	// ByRelease is set if leases go from worker to worker only by their owner's
	// own doing: Ask then holds what this worker is to release, and to whom.
	ByRelease bool
	// LeastLoad is how far apart the loads of two workers must be before leases are
	// moved or exchanged for it alone; 0 is never.
	LeastLoad float64
	// Moves is how many hand-overs are asked for in this round at most; 0 is
	// max(1, 10 %) of each owner's leases.
	Moves int
}

// WorkerView is one live worker.
type WorkerView struct {
	// ID is the worker's id.
	ID string
	// Age is how long its session has been seen.
	Age time.Duration
	// Leaving is set if it is stopping: it gets nothing, and releases what it
	// has by itself.
	Leaving bool
	// MaxLeases is how many leases it takes at most; 0 is no limit.
	MaxLeases int
	// Foreign is set for a worker of another library, which goes by rules of its
	// own: it counts for what is fair, and is given nothing.
	Foreign bool
	// Idle is set if its plan counter does not move: it is not relied on as the
	// planner.
	Idle bool
	// New is set if it has not planned yet, as far as is known.
	New bool
	// Silent is set if it has missed its last beats. It may be dead: it keeps what
	// it has until that is certain, is given nothing, and is not relied on as the
	// planner, unless all are silent.
	Silent bool
}

// LeaseView is one lease.
type LeaseView struct {
	// Key, Owner and CheckpointOwner are the row's: with both owners set, the
	// second holds the lease and was asked to hand it over to the first.
	Key, Owner, CheckpointOwner string
	// Free is set if the lease may be taken: it has no owner, or its holder is
	// dead and its time has passed. Without an owner it is free in any case.
	Free bool
	// Runnable tells whether the shard may be read now; see Lineage.Runnable.
	// Other leases are of no account.
	Runnable bool
	// Load is what the lease costs its worker, in any unit that all share.
	Load float64
	// Asked is for how long this worker has seen the hand-over stand.
	Asked time.Duration
	// Left is set if the lease has been free for so long that no worker of
	// another library seems to want it: it goes to one of ours, over its quota if
	// need be.
	Left bool
	// Spare is set if the lease is better not asked for now, such as when a
	// hand-over of it was withdrawn a moment ago.
	Spare bool
}

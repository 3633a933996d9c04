package consumer

import (
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Hooks are told what happens. Each is optional and gets one event; it is
// called by the goroutine to which the thing happened, so it must be quick and
// safe to call at once from several.
type Hooks struct {
	// SessionStarted: a worker has registered under an id.
	SessionStarted func(SessionEvent)
	// SessionLost: a worker's session was revoked or ran out.
	SessionLost func(SessionEvent)
	// ShardStarted: a shard begins to be worked here.
	ShardStarted func(ShardStartedEvent)
	// ShardLeft: a shard is no longer worked here.
	ShardLeft func(ShardLeftEvent)
	// Read: one read has brought records or the end of the shard.
	Read func(ReadEvent)
	// ReadFailed: one read has failed; the position stays.
	ReadFailed func(ReadFailedEvent)
	// OddAggregates: aggregated records of one read could not be unpacked, or have
	// user records that do not belong to the shard.
	OddAggregates func(OddAggregatesEvent)
	// Filtered: the records of one read have been held against the filters.
	Filtered func(FilteredEvent)
	// BatchDone: one call of the handler has returned.
	BatchDone func(BatchEvent)
	// Split: a batch that failed is tried again in parts, to find the record at
	// fault.
	Split func(SplitEvent)
	// Woken: a call of the handler without records has returned; see Waker.
	Woken func(WakeEvent)
	// CommitRefused: the effects of a call were refused, so that nothing of it was
	// written and it counts as failed.
	CommitRefused func(CommitRefusedEvent)
	// GaveUp: the destination has accepted records that were given up.
	GaveUp func(GaveUpEvent)
	// Published: EmitTo has accepted what a call emitted, or OnSuccess what it
	// handled.
	Published func(PublishedEvent)
	// DestinationRefused: a destination did not accept; it is tried again.
	DestinationRefused func(DestinationRefusedEvent)
	// KeySetAside: a key waits for another call of a record that failed.
	KeySetAside func(KeySetAsideEvent)
	// KeyParked: a key's records are kept in a table from now on.
	KeyParked func(KeyParkedEvent)
	// KeyReleased: the last parked record of a key is finished.
	KeyReleased func(KeyReleasedEvent)
	// Checkpointed: a position was written.
	Checkpointed func(CheckpointEvent)
	// Loss: records were trimmed before they were read.
	Loss func(LossEvent)
	// HandlerStuck: a handler ignores the end of its context.
	HandlerStuck func(HandlerStuckEvent)
	// RowQuarantined: a lease row cannot be believed and is left alone.
	RowQuarantined func(RowEvent)
	// HoleFound: the audit found part of the stream without a lease, and
	// repairs it.
	HoleFound func(HoleEvent)
	// MemoryPressure: a read waits because the memory budget is used up.
	MemoryPressure func(PressureEvent)
	// ShardStalled: a shard makes no progress although it has something to do and
	// nobody holds it back.
	ShardStalled func(ShardStalledEvent)
	// RetentionRisk: records that are not finished are so old that they will soon
	// be trimmed: four fifths of the retention have passed. It is told again once
	// the shard has been better.
	RetentionRisk func(RetentionRiskEvent)
	// ShardsUnplaced: shards are read by nobody, as every worker has as many as its
	// MaximumLeases. Start more workers, or raise it.
	ShardsUnplaced func(UnplacedEvent)
	// Conflict: a conditional write was refused. Expected now and then; many
	// mean that two applications share a table.
	Conflict func(ConflictEvent)
	// NeighbourSeen: a worker of another library is at work on the lease table;
	// told once for each.
	NeighbourSeen func(NeighbourEvent)
	// ControlChanged: a worker goes by something new that the fleet is told: a
	// limit, its share of it, or what is paused.
	ControlChanged func(ControlEvent)
	// StreamChanged: one of many streams is read from now on, or not any more, or
	// something is wrong with it. Each worker tells of each change once.
	StreamChanged func(StreamEvent)
	// BreakerChanged: the breaker has opened, lets a probe through, or has
	// closed.
	BreakerChanged func(BreakerEvent)
}

// SessionEvent tells of a worker's session.
type SessionEvent struct {
	// Worker is the worker's id. Err is why it ended, nil at its start.
	Worker string
	Err    error
}

// NeighbourEvent tells of a worker of another library, such as KCL, that has been
// seen at work on the lease table after the run began. Unless BesideKCL2 allows it, the
// two fleets take shards from one another: what that costs is repeats, until one
// of them is stopped.
type NeighbourEvent struct {
	// Worker is this worker's id, and Neighbour the other's.
	Worker, Neighbour string
	// Shard is the shard whose lease it renews; empty if something else gave it
	// away.
	Shard string
	// Allowed is set if BesideKCL2 is.
	Allowed bool
}

// ShardStartedEvent tells that a shard is worked here.
type ShardStartedEvent struct {
	// Worker is the worker's id and Shard the shard's, here and in every event
	// below; Handler is the handler's name, where a consumer has several.
	Worker, Shard string
	// After is the position it goes on from.
	After shard.Position
	// Fence is the tenure's token.
	Fence batching.Fence
	// From is the worker that held it before, if the table still names one.
	From string
	// Isolated is set if the last owners died without any progress, so that
	// records are handled one by one to find the one at fault.
	Isolated bool
}

// ShardLeftEvent tells that a shard is no longer worked here.
type ShardLeftEvent struct {
	Worker, Shard string
	// Cause is ErrLeaseLost, ErrStopping, ErrHandedOver, ErrStalled, or nil at the
	// end of the shard.
	Cause error
	// At is the position that stands in the table, as far as known here.
	At shard.Position
	// To is the worker it was handed to, if any.
	To string
	// Took is how long draining took.
	Took time.Duration
}

// CheckpointEvent tells of a position that was written.
type CheckpointEvent struct {
	Worker, Shard string
	// At is the position, Pending how many records are read and not finished.
	At      shard.Position
	Pending int
	// Took is how long the write took.
	Took time.Duration
}

// LossEvent tells of a window of records that were trimmed unread.
type LossEvent struct {
	Worker string
	// Handler is the handler that has lost them, if it read by itself.
	Handler string
	Loss    shard.Loss
}

// HandlerStuckEvent tells of a handler that ignores the end of its context.
type HandlerStuckEvent struct {
	Worker, Shard, Handler string
	// First is the first record of its batch; For how long it has been running.
	First shard.Position
	For   time.Duration
}

// RowEvent tells of a lease row that cannot be believed.
type RowEvent struct {
	Worker string
	// Row is what could be read of it; Row.Fault says why it is not believed.
	Row shard.Lease
}

// HoleEvent tells of a hole in the lease table.
type HoleEvent struct {
	// Hole says which part of the stream nobody's lease leads to, and why.
	Worker, Hole string
}

// PressureEvent tells of a read that waits for memory.
type PressureEvent struct {
	Worker, Shard string
	// Held is how many bytes of the budget are in use.
	Held, Budget int64
}

// ShardStalledEvent tells of a shard that makes no progress.
type ShardStalledEvent struct {
	Worker, Shard string
	// Handler is the handler's name, where there are several.
	Handler string
	// For is how long nothing has moved, and Mark up to where all is finished.
	For  time.Duration
	Mark shard.Position
	// Pending is how many records are read and not finished, Busy how many lanes
	// are at work: those wait for the handler or a destination.
	Pending, Busy int
	// BegunAnew is set if no lane was at work, so that the lease is let go.
	BegunAnew bool
	// Err is the last error of the shard; empty if there was none.
	Err string
}

// RetentionRiskEvent tells of records that may soon be trimmed.
type RetentionRiskEvent struct {
	Worker, Shard string
	// Handler is the handler's name, where there are several.
	Handler string
	// Age is how old the oldest unfinished record is, or how far behind the tip
	// reading is; Retention is how long the service keeps records.
	Age, Retention time.Duration
}

// UnplacedEvent tells of shards that nobody reads.
type UnplacedEvent struct {
	// Worker is the worker's id that planned.
	Worker string
	// Shards is how many there are, and First the lease key of one of them.
	Shards int
	First  string
}

// ConflictEvent tells of a conditional write that was refused.
type ConflictEvent struct {
	// Write is the write that was refused: take, save, finish, release, end.
	Worker, Shard, Write string
}

// ControlEvent tells what a worker goes by from now on.
type ControlEvent struct {
	Worker string
	// Gen is the generation of what the fleet is told.
	Gen int64
	// Limited tells whether the calls that run at once in the fleet are limited,
	// Limit to how many, and Share how many of them are this worker's.
	Limited      bool
	Limit, Share int
	// Pauses are what is held back.
	Pauses []shard.Pause
	// Move is a move of all positions that is under way, for which every worker
	// stands still.
	Move shard.Move
}

// BreakerEvent tells of the breaker of one process.
type BreakerEvent struct {
	Worker string
	// Handler is the handler whose breaker it is, where a consumer has several.
	Handler string
	// State is what it is now. Err is what the call failed with that opened it;
	// nil otherwise.
	State batching.BreakerState
	Err   error
}

// fire calls a hook if it is set.
func fire[E any](hook func(E), event E) {
	if hook != nil {
		hook(event)
	}
}

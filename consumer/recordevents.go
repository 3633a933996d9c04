package consumer

import (
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// ReadEvent tells of one read with something in it.
type ReadEvent struct {
	// Worker is the worker's id, and Shard the shard that the records are of.
	Worker, Shard string
	// Handler is set if a handler that has fallen behind others read by itself.
	Handler string
	// Records and Bytes are what it brought; Skipped what the service sent
	// twice or out of order.
	Records int
	Bytes   int64
	Skipped int
	// Payload is the sum of the records' payloads in bytes, which Bytes counts
	// with their keys and what a record takes in memory.
	Payload int64
	// Behind is how far behind the tip it ended, Took how long the read ran.
	Behind, Took time.Duration
	// Ended is set at the end of the shard.
	Ended bool
}

// ReadFailedEvent tells of a read that failed.
type ReadFailedEvent struct {
	Worker, Shard string
	// Handler is set if a handler that has fallen behind others read by itself.
	Handler string
	// Err is why it failed.
	Err error
}

// OddAggregatesEvent tells of aggregated records that are not as they should be.
type OddAggregatesEvent struct {
	Worker, Shard string
	// Handler is set if a handler that has fallen behind others read by itself.
	Handler string
	// First and Last are the first and the last record of the read: what is told
	// of lies between them, unless it was dropped. They are zero if nothing was
	// delivered.
	First, Last shard.Position
	// Aggregates counts what was odd.
	Aggregates shard.Aggregates
}

// FilteredEvent tells what the filters said of the records of one read.
type FilteredEvent struct {
	Worker, Shard, Handler string
	// Records is how many there were.
	Records int
	// Matched is how many matched each pattern, in the order of Config.Filters;
	// a record counts for the first that it matches.
	Matched []int
	// Dropped is how many matched none, and are finished. NotJSON is how many of
	// those had a payload that is no JSON where a pattern looks at it: many mean
	// that the producer writes something else than the filters expect.
	Dropped, NotJSON int
}

// BatchEvent tells of one call of the handler.
type BatchEvent struct {
	Worker, Shard, Handler string
	// Records is how many the call got and Attempt which try it was.
	Records, Attempt int
	// Handled is how many of them are done by it, Rejected how many it gave up,
	// and Deferred how many it will finish later.
	Handled, Rejected, Deferred int
	// Payload is the sum of the records' payloads in bytes.
	Payload int64
	// Behind is how far behind the tip the batch was read, Took how long the
	// call ran.
	Behind, Took time.Duration
	// Oldest and Newest are how old the batch's first and last record were when
	// the call began: by the service's time, since the service took them; 0 if it
	// does not say when.
	Oldest, Newest time.Duration
	// Err is what the handler returned.
	Err error
}

// aged says how much was in a batch, and how old it was.
func (e *BatchEvent) aged(batch *batching.Batch) {
	e.Payload = payloadOf(batch.Records)
	if len(batch.Records) > 0 {
		e.Oldest, e.Newest = ageOf(batch.First(), batch.Now), ageOf(batch.Last(), batch.Now)
	}
}

// ageOf is how old a record is, and 0 if the service does not say when it came: not
// as old as the calendar.
func ageOf(r *shard.Record, now time.Time) time.Duration {
	if r.ArrivedAt.IsZero() {
		return 0
	}
	return max(0, now.Sub(r.ArrivedAt))
}

// SplitEvent tells of a batch that is tried again in parts.
type SplitEvent struct {
	Worker, Shard, Handler string
	// Records is how many records failed as one, and Parts in how many parts they
	// are tried now.
	Records, Parts int
}

// WakeEvent tells of one call of the handler without records.
type WakeEvent struct {
	Worker, Shard, Handler string
	// Reason is what the call was for, Took how long it ran.
	Reason batching.WakeReason
	Took   time.Duration
	// Err is what the handler returned; it is then called again.
	Err error
}

// CommitRefusedEvent tells of effects that were refused. The call's BatchDone
// came before, with what the handler answered.
type CommitRefusedEvent struct {
	Worker, Shard string
	// Records is how many the call had, and Effects how many were attached.
	Records, Effects int
	// Attempt is the call's.
	Attempt int
	// Err is why: with a *checkpoint.EffectError in it, which effect was refused.
	Err error
}

// GaveUpEvent tells of records that a destination has accepted.
type GaveUpEvent struct {
	Worker, Shard, Handler string
	// Failure is what was sent, without being held: copy what you keep.
	Failure destination.Failure
	// Destination is its name.
	Destination string
}

// PublishedEvent tells of records that EmitTo or OnSuccess has accepted.
type PublishedEvent struct {
	Worker, Shard, Handler string
	// Records is how many were accepted, and Emitted tells that the handler made
	// them: they went to EmitTo.
	Records int
	Emitted bool
	// Destination is its name.
	Destination string
	// Took is how long it took, from the first try on.
	Took time.Duration
}

// DestinationRefusedEvent tells of a destination that did not accept.
type DestinationRefusedEvent struct {
	Worker, Shard, Handler string
	// Destination is its name, Try how often it was asked for these records.
	Destination string
	Try         int
	Err         error
}

// KeySetAsideEvent tells of a key that waits without its lane.
type KeySetAsideEvent struct {
	Worker, Shard string
	// Key is the SHA-256 of the key in hexadecimal.
	Key string
	// Attempts is how many calls of its first record have failed, and Wait how
	// long it waits for the next.
	Attempts int
	Wait     time.Duration
	// Records is how many of its records wait.
	Records int
	// Err is what the handler returned last.
	Err error
}

// KeyParkedEvent tells of a key that is parked.
type KeyParkedEvent struct {
	Worker, Shard, Handler string
	// Key is the SHA-256 of the key in hexadecimal.
	Key string
	// Attempts is how many calls of its first record have failed; 0 if it was
	// parked because too many of its records waited.
	Attempts int
	// Records is how many wait of it.
	Records int
}

// KeyReleasedEvent tells of a key that is not parked any more.
type KeyReleasedEvent struct {
	Worker, Shard, Handler string
	// Key is the SHA-256 of the key in hexadecimal.
	Key string
	// For is how long it was parked.
	For time.Duration
}

package batching

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// Wake is a call of a handler without records: a time that it asked for has
// come, or what it holds back is wanted. It is made while no other call for the
// shard runs.
type Wake struct {
	// Stream is the ARN of the stream, Shard the id of the shard, and Handler
	// the handler's name where a consumer has several.
	Stream, Shard, Handler string
	// Why says what the call is for.
	Why WakeReason
	// Now is the service's time.
	Now time.Time
	// Behind is how far the shard's reader is behind the tip; 0 is caught up.
	Behind time.Duration
	// ReadUpTo is the service's time up to which all that had arrived in the
	// shard has been read and finished; zero if the reader was not at the tip
	// yet. It stands still while the stream can not be read, and when the shard
	// has ended; Now does not.
	ReadUpTo time.Time
	// Token and Held are as in a Batch.
	Token Fence
	Held  func() bool
	// Call collects what the handler emits.
	Call *Call
}

// Batch is a batch without records, to give to a handler of batches. What it
// emits is collected with the wake.
func (w *Wake) Batch() *Batch {
	if w.Call == nil {
		w.Call = &Call{}
	}
	return &Batch{
		Stream: w.Stream, Shard: w.Shard, Handler: w.Handler, Attempt: 1,
		Behind: w.Behind, Now: w.Now, Token: w.Token, Held: w.Held, Call: w.Call,
	}
}

// WakeReason is why a handler is called without records.
type WakeReason int

const (
	// WakeDue: the time has come that the handler named.
	WakeDue WakeReason = iota
	// WakePressure: memory is short, or as many records are in flight as may
	// be. Records that are deferred should be finished now.
	WakePressure
	// WakeLeaving: the shard is to be let go, by a stop or a hand-over. What is
	// deferred should be finished now; what is not is another worker's.
	WakeLeaving
	// WakeEnded: the last record of the shard has been handled. What is
	// deferred must be finished before the end is written.
	WakeEnded
)

// String is a word.
func (w WakeReason) String() string {
	switch w {
	case WakeDue:
		return "due"
	case WakePressure:
		return "pressure"
	case WakeLeaving:
		return "leaving"
	case WakeEnded:
		return "ended"
	}
	return "unknown"
}

// Restored is the state that a handler begins a shard with.
type Restored struct {
	// Stream is the ARN of the stream, Shard the id of the shard, and Handler
	// the handler's name where a consumer has several.
	Stream, Shard, Handler string
	// State is what was written with the position that the shard goes on from;
	// nil if nothing was.
	State []byte
	// Inherited are the states with which the parents ended, where the shard
	// has none of its own yet, by the parents' ids. A parent's state holds keys
	// of all its children: those within Hashes are this shard's.
	Inherited map[string][]byte
	// Hashes is the range of the shard; zero on DynamoDB Streams, whose shards
	// have one child each.
	Hashes shard.HashRange
}

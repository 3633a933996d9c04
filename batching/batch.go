package batching

import (
	"cmp"
	"fmt"
	"time"

	"github.com/towpath/towpath/shard"
)

// Batch is what one call of a handler gets: records of one shard, in order.
type Batch struct {
	// Stream is the ARN of the stream and Shard the id of the shard. A consumer
	// of many streams has ids that no two streams share, as shard.StreamKey.ID
	// makes them; its records have the service's own.
	Stream, Shard string
	// Handler is the handler's name where a consumer has several, else empty.
	Handler string
	// Records are the records in the order of the shard, never none but in the
	// last call for a window. Within a lane that is the order of each key.
	Records []shard.Record
	// Attempt is 1 on the first call with these records.
	Attempt int
	// Behind is how far the shard's reader was behind the tip when it read the
	// last of these records; 0 is caught up.
	Behind time.Duration
	// Now is the service's time at which the call was made; zero in a batch that
	// was made by hand.
	Now time.Time
	// Token grows from one tenure of the lease to the next. See Fence.
	Token Fence
	// Held reports whether the lease is still this worker's to act on. The
	// engine sets it; nil means yes. See Valid.
	Held func() bool
	// Window is the window the records belong to, where the consumer has
	// tumbling windows; else nil.
	Window *Window
	// Call collects what the handler emits, attaches and defers. The engine
	// sets it.
	Call *Call
}

// Fence is the tenure's fencing token: a sink that keeps the largest it has
// seen for a shard, and refuses smaller ones, cannot be written by a worker
// that lost the shard without noticing.
func (b *Batch) Fence() Fence { return b.Token }

// Valid reports whether the worker may still act on the shard, by its own
// clock. A handler with side effects of some length asks before each.
func (b *Batch) Valid() bool { return b.Held == nil || b.Held() }

// First and Last are the batch's first and last record.
func (b *Batch) First() *shard.Record { return &b.Records[0] }

// Last is the batch's last record.
func (b *Batch) Last() *shard.Record { return &b.Records[len(b.Records)-1] }

// Fence orders the tenures of a shard's lease.
type Fence struct {
	// Stream is the creation time of the stream in Unix milliseconds, so that a
	// recreated stream of the same name is ahead of its predecessor.
	Stream int64
	// Counter is the lease counter written by the acquisition.
	Counter int64
}

// Compare is -1, 0 or +1: negative if f is of an earlier tenure than g.
func (f Fence) Compare(g Fence) int {
	if c := cmp.Compare(f.Stream, g.Stream); c != 0 {
		return c
	}
	return cmp.Compare(f.Counter, g.Counter)
}

// String is the two numbers joined by a dot.
func (f Fence) String() string { return fmt.Sprintf("%d.%d", f.Stream, f.Counter) }

package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/codec"
	"github.com/towpath/towpath/shard"
)

// Handler handles batches. Nil means that every record of the batch is finished
// and its effects are durable: the checkpoint may pass it. An error means that
// the batch failed, unless it says more:
//
//   - batching.FailFrom(record, err): the records before it are done;
//   - batching.Reject(record, err): this one goes to OnFailure, the others are
//     done (several are joined with errors.Join);
//   - batching.RetryAfter(d, err): what lies behind is not well; no attempt is
//     used up.
//
// A panic is an error with a stack. The context ends when the call is no longer
// wanted; context.Cause tells why: ErrLeaseLost, ErrStopping, ErrHandedOver or
// ErrHandlerTimeout. A handler should then return soon: what it returns after
// the lease is lost is not believed.
//
// Calls for one lane of one shard follow one another; calls for different lanes
// and shards run at once.
type Handler interface {
	Handle(ctx context.Context, batch *batching.Batch) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, batch *batching.Batch) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, batch *batching.Batch) error { return f(ctx, batch) }

// Each handles records one after the other, decoded from JSON. An error fails
// from that record on; a record that cannot be decoded is rejected, which sends
// it to OnFailure, and the rest goes on.
func Each[T any](handle func(ctx context.Context, v T) error) Handler {
	if handle == nil {
		return unusable{errNoFunction}
	}
	return EachRecord(codec.JSON, func(ctx context.Context, _ *shard.Record, v T) error { return handle(ctx, v) })
}

// EachRecord is Each with a codec of one's choice, and the record beside its
// decoded payload.
func EachRecord[T any](c codec.Codec, handle func(ctx context.Context, r *shard.Record, v T) error) Handler {
	switch {
	case c == nil:
		return unusable{errors.New("the codec is nil: name one, such as codec.JSON")}
	case handle == nil:
		return unusable{errNoFunction}
	}
	return HandlerFunc(func(ctx context.Context, batch *batching.Batch) error {
		var rejected []error
		for i := range batch.Records {
			r := &batch.Records[i]
			// What a zombie still holds must not be worked through to its end.
			if err := ctx.Err(); err != nil {
				return errors.Join(append(rejected, batching.FailFrom(r, context.Cause(ctx)))...)
			}
			var v T
			if err := c.Decode(r.Data, &v); err != nil {
				rejected = append(rejected, batching.Reject(r, err))
				continue
			}
			if err := handle(ctx, r, v); err != nil {
				return errors.Join(append(rejected, batching.FailFrom(r, err))...)
			}
		}
		return errors.Join(rejected...)
	})
}

var errNoFunction = errors.New("the function that handles a record is nil")

// unusable is a Handler that was made of what cannot work: New says so.
type unusable struct{ problem error }

func (u unusable) Handle(context.Context, *batching.Batch) error { return u.problem }
func (u unusable) Validate() error                               { return u.problem }

// Waker is a Handler that is also called without records: at a time that it
// names, and when what it holds back is wanted. Such a call is made while no
// other call for the shard runs, and like one with records takes one of
// MaximumConcurrency and has HandlerTimeout. One that fails is made again after
// a wait, or after that of batching.RetryAfter; it uses up no attempt of any
// record. What it emits is accepted by EmitTo before another call is made.
//
// Before a shard is let go, Wake is called with batching.WakeLeaving once no
// other call runs, within DrainTimeout and before the last save; when its last
// record has been handled, with batching.WakeEnded, and the end is not written
// before that has succeeded. A worker that loses its lease calls neither.
type Waker interface {
	// WakeAt says when the handler wants to be called for a shard next, by the
	// service's time; ok is false for never. It is asked often, while other
	// calls run, and must be quick. A time that has passed is at once.
	WakeAt(shard string) (at time.Time, ok bool)
	// Wake is the call.
	Wake(ctx context.Context, w *batching.Wake) error
}

// ShardStarter is told when a shard begins to be worked by this worker, before
// its first batch. An error keeps the shard from starting; it is tried again. A
// shard that is begun anew without having been lost, because somebody moved its
// position or a hand-over came to nothing, is started again without a ShardLost
// in between: what is kept for it begins anew, too.
type ShardStarter interface {
	ShardStarted(ctx context.Context, s ShardStart) error
}

// ShardStart is what a ShardStarter gets.
type ShardStart struct {
	// Stream is the ARN of the stream. Shard is the shard's id, After the
	// position it begins behind.
	Stream, Shard string
	After         shard.Position
	// Fence is the tenure's fencing token.
	Fence batching.Fence
}

// ShardLoser is told when a shard is no longer this worker's, after its last
// handler call has returned: the cause is ErrLeaseLost, ErrStopping, ErrHandedOver
// or ErrStreamLeft.
type ShardLoser interface {
	ShardLost(shard string, cause error)
}

// ShardEnder is told when a shard is finished to its end, after the end has
// been written: its children start.
type ShardEnder interface {
	ShardEnded(shard string)
}

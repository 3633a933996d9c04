package consumer

import "errors"

// Why a context ended, as context.Cause tells it, and why a lease was let go.
var (
	// ErrLeaseLost: another worker has the shard, or may have it by now.
	ErrLeaseLost = errors.New("lease lost")
	// ErrStopping: the consumer is stopping and the drain time is over.
	ErrStopping = errors.New("consumer is stopping")
	// ErrHandedOver: the shard goes to another worker.
	ErrHandedOver = errors.New("shard handed over")
	// ErrStalled: the shard made no progress for StallTimeout, and nothing held
	// it up. It is begun anew.
	ErrStalled = errors.New("shard makes no progress")
	// ErrStreamLeft: the stream, one of many, is not to be read any more.
	ErrStreamLeft = errors.New("the stream is not read any more")
	// ErrMoved: somebody moves the position of the shard, and it is begun anew
	// from there.
	ErrMoved = errors.New("the position is moved by hand")
	// ErrHandlerTimeout: the call took longer than HandlerTimeout.
	ErrHandlerTimeout = errors.New("handler timeout")
)

var (
	// ErrRunning is returned by Run if the consumer is running already.
	ErrRunning = errors.New("the consumer is running already")
	// ErrNotHeld is returned by Release for a shard that this worker does not
	// work.
	ErrNotHeld = errors.New("the shard is not held by this worker")
	// ErrNobodyElse is returned by Release if no other worker could take it.
	ErrNobodyElse = errors.New("no other worker is there to take the shard")
	// ErrNotParked is returned by Unpark for a key that is not parked.
	ErrNotParked = errors.New("the key is not parked")
	// ErrLoss ends a run with StopOnLoss.
	ErrLoss = errors.New("records were trimmed unread")
	// ErrNeighbours ends a start: workers of another library are at work on the
	// lease table, and it cannot be shared with them as it is configured. The
	// error names one of them, what gave it away, and what to do.
	ErrNeighbours = errors.New("another fleet works on the lease table")
	// ErrStuck ends a run, or a Release, that had to leave a handler behind which
	// ignored the end of its context.
	ErrStuck = errors.New("a handler did not return after its context ended")
)

// errRowGone is why a shard is begun anew whose row somebody has deleted.
var errRowGone = errors.New("lease row is gone")

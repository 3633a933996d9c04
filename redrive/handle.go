package redrive

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// firstWait is how long to wait before the second attempt; it doubles.
const firstWait = time.Second

// handle calls the handler with the records of a letter, as often as it may.
func (r *run) handle(ctx context.Context, e *destination.Envelope) (Outcome, error) {
	records, wait := e.Failure.Records, firstWait
	for attempt := 1; ; {
		outcome, err := r.call(ctx, &e.Failure, records, attempt)
		if err != nil {
			return Failed, err
		}
		if len(outcome.Rejects) > 0 {
			return Failed, outcome.Rejects[0].Err
		}
		if !outcome.Failed {
			return Handled, nil
		}
		records = records[outcome.From:]
		pause := wait
		if outcome.Delayed {
			pause = outcome.After
		} else {
			if attempt >= r.cfg.Attempts || errors.Is(outcome.Err, destination.ErrRefused) { // for good
				return Failed, outcome.Err
			}
			attempt, wait = attempt+1, 2*wait
		}
		if err := clock.Sleep(ctx, pause); err != nil {
			return Failed, errors.Join(outcome.Err, err)
		}
	}
}

// call makes one call of the handler and publishes what it emitted for records
// that are done. An error is one that no further attempt mends.
func (r *run) call(ctx context.Context, f *destination.Failure, records []shard.Record, attempt int) (batching.Outcome, error) {
	b := &batching.Batch{Stream: f.Stream, Shard: f.Shard, Records: records, Attempt: attempt, Call: &batching.Call{}}
	outcome := batching.Read(records, protected(ctx, r.cfg.Handler, b))
	switch {
	case b.Call.Deferred() != nil:
		return outcome, errors.New("the handler deferred its answer, which a redrive can not wait for")
	case len(b.Call.Effects()) > 0:
		return outcome, errors.New("the handler attached effects to a checkpoint, and a redrive has none")
	}
	var emitted []batching.Emitted
	for _, one := range b.Call.Emitted() {
		if !outcome.Failed || one.Of != nil && before(one.Of, records, outcome.From) {
			emitted = append(emitted, one)
		}
	}
	if len(emitted) == 0 {
		return outcome, nil
	}
	if r.cfg.Publish == nil {
		return outcome, errors.New("the handler emitted records, and Publish is not set")
	}
	if err := r.cfg.Publish.Publish(ctx, emitted); err != nil {
		return batching.Outcome{Failed: true, Err: err}, nil
	}
	return outcome, nil
}

// before reports whether a record stands among the first n.
func before(one *shard.Record, records []shard.Record, n int) bool {
	for i := range records[:n] {
		if records[i].Position() == one.Position() {
			return true
		}
	}
	return false
}

// protected calls a handler, and makes an error of its panic.
func protected(ctx context.Context, h consumer.Handler, b *batching.Batch) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &batching.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h.Handle(ctx, b)
}

// PutBack is a handler that puts records as they are, payload and key, into a
// stream or another destination, each with its own id. A consumer that reads it
// handles them behind what is there.
func PutBack(to destination.Publisher) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
		emitted := make([]batching.Emitted, len(b.Records))
		for i := range b.Records {
			one := &b.Records[i]
			emitted[i] = batching.Emitted{Of: one, ID: one.ID(), Key: one.PartitionKey, Data: one.Data}
		}
		if err := to.Publish(ctx, emitted); err != nil {
			return fmt.Errorf("put back: %w", err)
		}
		return nil
	})
}

package kinesisshards

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// subscribe makes a subscription that goes on from the cursor, or notes why that
// failed.
func (r *fanReader) subscribe(ctx context.Context) {
	if r.mine = r.mine || r.consumers.take(r.start.Shard); !r.mine {
		r.tries = r.tries.postponed(time.Now(), subscribeAgain, secondReader)
		return
	}
	stream := r.start.Stream
	var err error
	if stream.ARN == "" {
		stream, err = r.describe(ctx)
	}
	var arn string
	if err == nil {
		var wait time.Duration
		arn, wait, err = r.consumers.find(ctx, stream.ARN)
		if err == nil && arn == "" {
			wait += dice.From(ctx).N(consumerEvery/20, "consumer", r.start.Shard) // of all shards one asks, not all at once
			r.tries = r.tries.postponed(time.Now(), wait, "consumer is not active")
			return
		}
	}
	if err == nil {
		err = r.goOn(ctx, arn)
	}
	now := time.Now()
	var early earlyError
	switch {
	case ctx.Err() != nil:
	case err == nil:
		r.tries = r.tries.subscribed(now)
		r.empty, r.quiet = now, time.Time{}
		r.poll.iterator = iterator{}
		r.tell(FanOutSubscribed, nil)
	case errors.As(err, &early):
		r.tries = r.tries.postponed(now, early.wait, "postponed")
	default:
		t := subscriptionTrouble(err)
		r.tries = r.tries.refused(now, t, dice.From(ctx).Float64("subscribe", r.start.Shard))
		if t == troubleInUse {
			r.tell(FanOutInUse, err)
		} else {
			r.tell(FanOutRefused, err)
		}
		if t != troubleInUse || r.tries.contested(now) {
			r.fault = err
		}
	}
}

// goOn subscribes behind the last event if that is still where the cursor is, and
// else at the cursor: also if the record at the cursor is expected still, as an
// event without records may not have gone past it.
func (r *fanReader) goOn(ctx context.Context, arn string) error {
	const action = "SubscribeToShard"
	ask := func(at types.StartingPosition) (time.Time, error) {
		if err := clock.Sleep(ctx, time.Until(r.asked.Add(subscribeEvery))); err != nil {
			return time.Time{}, err
		}
		sub, said, err := r.consumers.subscribe(ctx, arn, r.start.Shard, at)
		r.asked = time.Now()
		if err != nil {
			return time.Time{}, err
		}
		r.sub = sub
		if !said.IsZero() {
			r.clock = serviceClock{said, r.asked}
		}
		return said, nil
	}
	if !r.anchored && r.next.usable(time.Now()) {
		_, err := ask(types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &r.next.sequence})
		if err == nil {
			return nil
		}
		if !isInvalid(err) {
			return r.explain(ctx, arn, r.diagnose(ctx, action, err))
		}
		r.next = continuation{}
	}
	return r.explain(ctx, arn, r.begin(ctx, action, ask))
}

// explain finds out whether it is the consumer that was not found.
func (r *fanReader) explain(ctx context.Context, arn string, err error) error {
	if isNotFound(err) && !errors.Is(err, shard.ErrNoStream) && !errors.Is(err, shard.ErrNoShard) {
		return r.consumers.missing(ctx, arn, err)
	}
	return err
}

// subscriptionTrouble is the kind of an error of a subscription.
func subscriptionTrouble(err error) trouble {
	if isInUse(err) {
		return troubleInUse
	}
	return kind(err)
}

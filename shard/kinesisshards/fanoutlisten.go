package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/dice"
)

// drained is how long it has to be waited for an event to know that none had
// been waiting: longer than the SDK takes to decode one.
const drained = 20 * time.Millisecond

// listen waits for an event for at most so long; zero is not to wait.
func (r *fanReader) listen(ctx context.Context, patience time.Duration) {
	began := time.Now()
	if r.quiet.IsZero() {
		r.quiet = began
	}
	timer := time.NewTimer(max(0, r.quiet.Add(patience).Sub(began)))
	defer timer.Stop()
	for {
		select {
		case e, ok := <-r.sub.stream.Events():
			now := time.Now()
			if now.Sub(began) >= drained {
				r.empty = now
			}
			r.quiet = time.Time{}
			if !ok {
				r.over(ctx, now, r.sub.stream.Err())
				return
			}
			if e, ok := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); ok {
				r.event, r.heard = &e.Value, now
				return
			}
			// Something that is not known here; it is a sign of life.
			began = now
			timer.Reset(patience)
		case <-timer.C:
			if patience > 0 {
				r.fail(ctx, FanOutSilent, fmt.Errorf("kinesis:SubscribeToShard: %w for %s", errSilent, patience))
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

var errSilent = errors.New("no event came")

// over is after the last event of a subscription.
func (r *fanReader) over(ctx context.Context, now time.Time, err error) {
	if err != nil {
		r.fail(ctx, FanOutCut, explain("SubscribeToShard, in its stream", err))
		return
	}
	r.drop(now)
	r.tries = r.tries.ended(now, dice.From(ctx).Float64("subscription", r.start.Shard))
	r.tell(FanOutEnded, nil)
}

// drop lets go of the subscription, and of an event that was not delivered; the
// next read by polling is due at once.
func (r *fanReader) drop(now time.Time) {
	if r.sub == nil {
		return
	}
	r.sub.close()
	r.sub, r.event, r.quiet = nil, nil, time.Time{}
	r.tries.due = r.tries.place(later(r.tries.due, now))
	r.poll.iterator = iterator{}
	r.poll.pace = r.poll.pace.at(now)
}

// fail drops the subscription because of an error.
func (r *fanReader) fail(ctx context.Context, what FanOutChange, err error) {
	now := time.Now()
	r.drop(now)
	r.tries = r.tries.cut(now, subscriptionTrouble(err), dice.From(ctx).Float64("subscription", r.start.Shard))
	r.tell(what, err)
	r.fault = err
}

func (r *fanReader) tell(what FanOutChange, err error) {
	if r.options.Tell != nil {
		r.options.Tell(FanOutEvent{Shard: r.start.Shard, What: what, Err: err})
	}
}

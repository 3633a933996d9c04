package kinesisshards

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// fanReader reads one shard over subscriptions, and by polling between them. Both
// go on from the same cursor. An event is read when somebody waits for it, and
// not before: the connection holds back the rest.
type fanReader struct {
	*course
	consumers *registry
	options   *FanOut
	poll      *reader
	tries     attempts

	mine  bool          // this reader is the one that subscribes
	sub   *subscription // nil while there is none
	next  continuation  // behind the last event, if nothing was polled since
	asked time.Time     // when SubscribeToShard was last called
	quiet time.Time     // since when it is waited for an event; zero if it is not
	empty time.Time     // when last no event was waiting to be read

	event *types.SubscribeToShardEvent // that came and was not delivered
	heard time.Time                    // when it came
	fault error                        // that is to be told
}

func newFanReader(c *course, g *registry, now time.Time) *fanReader {
	return &fanReader{course: c, consumers: g, options: g.options, poll: newReader(c, now), tries: newAttempts(now)}
}

// turn is what a reader does next.
type turn int

const (
	turnWait      turn = iota // nothing is due
	turnListen                // wait for an event
	turnSubscribe             // make a subscription
	turnPoll                  // read by polling
)

// decide says what to do now, and until when to wait if that is nothing. While
// the trim horizon is near, polling alone shows whether it has passed the cursor,
// and so it does for a reader that may not subscribe.
func (r *fanReader) decide(now time.Time) (turn, time.Time) {
	trimming := r.mustVerify(now)
	if r.sub != nil && trimming {
		// What is in the connection still was sent within the life of the
		// subscription: nothing of it was skipped that was trimmed later than that.
		trimming = r.mustVerify(earlier(now, r.tries.began.Add(subscriptionLife)))
	}
	due := r.poll.pace.next()
	polls := trimming || r.options.Fallback == FallbackPoll || !r.mine && r.tries.why == secondReader
	switch {
	case r.sub != nil && !trimming:
		return turnListen, time.Time{}
	case !trimming && !now.Before(r.tries.due):
		return turnSubscribe, time.Time{}
	case polls && !now.Before(due):
		return turnPoll, time.Time{}
	case !polls || !trimming && r.tries.due.Before(due):
		return turnWait, r.tries.due
	}
	return turnWait, due
}

// secondReader is why a reader does not subscribe while another one does.
const secondReader = "second reader"

// Ready waits until an event has come, or a read by polling is due. It makes
// subscriptions; that one failed is told by Next.
func (r *fanReader) Ready(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.ended != nil || r.event != nil || r.fault != nil {
			return nil
		}
		now := time.Now()
		what, until := r.decide(now)
		if r.sub != nil && what != turnListen {
			r.drop(now)
			continue
		}
		switch what {
		case turnPoll:
			return nil
		case turnListen:
			r.listen(ctx, r.options.Silence)
		case turnSubscribe:
			r.subscribe(ctx)
		default:
			if err := clock.Sleep(ctx, until.Sub(now)); err != nil {
				return err
			}
		}
	}
}

// Next delivers the event that Ready waited for, or reads by polling.
func (r *fanReader) Next(ctx context.Context) (shard.Chunk, error) {
	if r.ended != nil {
		return *r.ended, nil
	}
	if err := ctx.Err(); err != nil {
		return shard.Chunk{}, err
	}
	if err := r.fault; err != nil {
		r.fault = nil
		return shard.Chunk{}, fmt.Errorf("read %s: %w", r, err)
	}
	now := time.Now()
	what, _ := r.decide(now)
	if what != turnListen {
		r.drop(now)
	}
	switch {
	case what == turnPoll:
		return r.pollOnce(ctx)
	case what != turnListen:
		// Nobody waited in Ready, or for so long that something else is due now.
		return nothing, nil
	}
	if r.event == nil {
		r.listen(ctx, 0)
	}
	if r.event == nil {
		return nothing, nil
	}
	chunk, err := r.take(ctx)
	if err != nil && ctx.Err() == nil {
		r.fail(ctx, FanOutCut, err)
		r.fault = nil // it is told now
	}
	if err != nil {
		return shard.Chunk{}, fmt.Errorf("read %s: %w", r, err)
	}
	return chunk, nil
}

// nothing is a chunk without records that says nothing of the tip.
var nothing = shard.Chunk{Behind: time.Millisecond}

// Close ends the subscription. The reader is not used any more.
func (r *fanReader) Close() error {
	r.drop(time.Now())
	if r.mine {
		r.mine = false
		r.consumers.give(r.start.Shard)
	}
	return nil
}

// pollOnce reads by polling. What follows the last event is then another thing
// than what follows the cursor.
func (r *fanReader) pollOnce(ctx context.Context) (shard.Chunk, error) {
	r.next = continuation{}
	return r.poll.Next(ctx)
}

// take delivers the event that came.
func (r *fanReader) take(ctx context.Context) (shard.Chunk, error) {
	e := r.event
	p := portion{
		records: e.Records, children: e.ChildShards, behind: e.MillisBehindLatest,
		closed: len(e.ChildShards) > 0, heard: r.heard, stale: time.Since(r.empty) > staleAfter,
	}
	h, err := r.harvest(p)
	if err != nil {
		return shard.Chunk{}, fmt.Errorf("kinesis:SubscribeToShard: %w", err)
	}
	chunk, err := r.deliver(ctx, p, h)
	if err != nil {
		return shard.Chunk{}, err
	}
	r.event = nil
	r.next = continuation{aws.ToString(e.ContinuationSequenceNumber), r.heard}
	r.tries = r.tries.flowing()
	if len(h.records) > 0 {
		r.poll.pace = r.poll.pace.woken(r.heard)
	}
	if h.cut {
		r.next = continuation{}
	}
	if h.cut || r.ended != nil {
		r.drop(time.Now())
	}
	return chunk, nil
}

// staleAfter is how old an event may be, at most, to tell where the tip is.
const staleAfter = time.Second

package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// giveUp sends records to OnFailure until it accepts them. Nothing is dropped:
// the lane waits, other lanes and shards go on.
func (l *lane) giveUp(records []shard.Record, f destination.Failure) error {
	f = l.filled(records, f)
	if err := l.deliver(l.cfg.OnFailure, f); err != nil {
		return err
	}
	fire(l.cfg.Hooks.GaveUp, GaveUpEvent{Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Failure: f, Destination: l.cfg.OnFailure.String()})
	return nil
}

// filled is f with what every envelope of this shard says.
func (l *lane) filled(records []shard.Record, f destination.Failure) destination.Failure {
	f.Application, f.Handler, f.Worker = l.cfg.Name, l.handler, l.worker.session.id
	f.Stream, f.Records, f.At = l.branch.stream.ARN, records, l.worker.serviceNow()
	f.Shard = or(records[0].Shard, l.branch.shard) // what was parked may be of a parent
	return f
}

// deliver sends an envelope until it is accepted.
func (l *lane) deliver(to destination.Destination, f destination.Failure) error {
	return l.persist(to.String(), func(ctx context.Context) (bool, error) { return false, to.Send(ctx, f) })
}

// persist sends until what is sent is accepted. Send reports whether a try that
// failed has come further than the one before it: then the waits begin anew.
func (l *lane) persist(to string, send func(context.Context) (further bool, err error)) error {
	waits := 0
	for try := 1; ; try++ {
		if !l.right.valid() || l.ctx.Err() != nil {
			return errLaneOver
		}
		ctx, cancel := context.WithTimeout(l.ctx, sendTimeout)
		further, err := send(ctx)
		cancel()
		if err == nil {
			return nil
		}
		if waits++; further {
			waits = 1
		}
		fire(l.cfg.Hooks.DestinationRefused, DestinationRefusedEvent{
			Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Destination: to, Try: try, Err: err,
		})
		l.worker.note(l.shard, l.handler, fmt.Errorf("send to %s: %w", to, err))
		if clock.Sleep(l.patience(), backoff(l.worker.dice, waits, l.policy.MinBackoff, l.policy.MaxBackoff, "send", l.shard, l.head())) != nil {
			return errLaneOver
		}
	}
}

// sendTimeout is how long one try of a destination may take. A client of the SDK
// has no limit of its own; ten megabytes take a slow line less than this.
const sendTimeout = 30 * time.Second

var (
	errNoEmitTo = errors.New("the handler emitted records, and EmitTo is nil: set it in the consumer.Config")
	errNoID     = errors.New("the handler emitted a record without ID in a call without records: a repeat could not be recognised")
)

// checkEmitted is what is wrong with what the handler emitted.
func (l *lane) checkEmitted() error {
	for _, e := range l.left.Emitted() {
		switch {
		case l.cfg.EmitTo == nil:
			return errNoEmitTo
		case e.ID == "":
			return errNoID
		}
	}
	return nil
}

// sends reports whether what the last call handled is not finished with it: it
// goes somewhere, or the handler finishes it later.
func (l *lane) sends() bool {
	return l.cfg.OnSuccess != nil || len(l.left.Emitted()) > 0 || l.left.Deferred() != nil
}

// sendOn sends what the last call has made of the records that the verdict lets
// pass, until it is accepted.
func (l *lane) sendOn(records []shard.Record, v batching.Verdict) error {
	if err := l.publish(batching.Kept(l.left.Emitted(), records, v)); err != nil {
		return err
	}
	l.acks.settled(l.hold)
	l.hold = nil
	l.exit()
	return nil
}

// withoutRejected is the records that were handled.
func withoutRejected(records []shard.Record, rejected []batching.Rejection) []shard.Record {
	if len(rejected) == 0 {
		return records
	}
	handled := make([]shard.Record, 0, len(records))
	from := 0
	for _, r := range rejected {
		handled = append(handled, records[from:r.Index]...)
		from = r.Index + 1
	}
	return append(handled, records[from:]...)
}

// succeed sends an envelope of handled records to OnSuccess, if there is one.
func (l *lane) succeed(records []shard.Record, attempts int) error {
	if len(records) == 0 || l.cfg.OnSuccess == nil {
		return nil
	}
	started := time.Now()
	f := l.filled(records, destination.Failure{Condition: destination.Success, Attempts: attempts})
	if err := l.deliver(l.cfg.OnSuccess, f); err != nil {
		return err
	}
	l.published(len(records), false, l.cfg.OnSuccess.String(), time.Since(started))
	return nil
}

// publish sends emitted records to EmitTo, in order. What it has accepted of
// them is not sent again.
func (l *lane) publish(records []batching.Emitted) error {
	if len(records) == 0 {
		return nil
	}
	started, rest := time.Now(), records
	err := l.persist(l.cfg.EmitTo.String(), func(ctx context.Context) (bool, error) {
		err := l.cfg.EmitTo.Publish(ctx, rest)
		var partly *destination.PublishError
		if n := len(rest); errors.As(err, &partly) && len(partly.Rest) > 0 && len(partly.Rest) < n {
			rest = partly.Rest
			return true, err
		}
		return false, err
	})
	if err == nil {
		l.published(len(records), true, l.cfg.EmitTo.String(), time.Since(started))
	}
	return err
}

func (l *lane) published(records int, emitted bool, to string, took time.Duration) {
	fire(l.cfg.Hooks.Published, PublishedEvent{
		Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Records: records, Emitted: emitted, Destination: to, Took: took,
	})
}

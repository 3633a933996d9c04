package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// prepare writes the row until it is fit for a shard to be begun with, and reports
// whether the tenure may begin; if not, cause and again are those of once. Most
// rows are fit as they are.
func (t *tenure) prepare() (begin bool, cause error, again bool) {
	w, now := t.worker, t.worker.serviceNow()
	for try := 1; ; try++ {
		write := t.writer().advance
		switch at := t.row.Checkpoint; {
		case at.IsLatest() && at.At.IsZero():
			// As KCL writes it, which begins such a shard at the tip of each start:
			// what came while nothing ran is then lost. It is pinned to now.
			write = func(ctx context.Context, held shard.Lease) (result, error) {
				p := asBefore(held)
				p.Position.At = now
				return t.writer().save(ctx, held, p)
			}
		case t.right.each && t.right.ranOut():
			// Nobody here knows when the lease was last renewed: somebody else may be
			// about to take it.
		case !w.newer(t.row.Shard, t.branch.fence(t.row)):
			// Under this fence, or a greater one, something was sent that may still be
			// on its way: see parting.go.
		default:
			return true, nil, false
		}
		res, err := write(t.life, t.row)
		if err != nil || res.verdict == checkpoint.Lost {
			return false, ErrLeaseLost, false
		}
		t.row = res.row
		if res.verdict == checkpoint.Restart {
			return false, nil, true
		}
		if res.answered {
			t.right.lapsed.Store(false)
		} else if clock.Sleep(t.reading, backoff(w.dice, try, w.timing.beat/10, w.timing.beat, "renew", t.row.Key)) != nil {
			cause, again = t.endWithout()
			return false, cause, again
		}
	}
}

// begin finds out where a handler begins, reads what is kept of the shard for it,
// and tells it that the shard starts.
func (t *tenure) begin(l *shardLoop) error {
	parked, err := t.loadParked(l.handler)
	if err != nil {
		return err
	}
	s, err := t.claim(start{from: l.from}, l)
	if err != nil {
		return err
	}
	l.from, l.readUpTo, l.tracker = s.from, s.from.ReadUpTo, checkpoint.NewTracker(s.from)
	l.parking = l.newParking(t.row, parked)
	if starter, ok := l.cfg.Handler.(ShardStarter); ok {
		if err := t.tell(starter, l); err != nil {
			return err
		}
	}
	if h, ok := l.cfg.Handler.(Stateful); ok {
		if s.inherited, err = t.restore(l.handler, h); err != nil {
			return err
		}
		l.keeping.begin(h, s)
	}
	return t.reading.Err()
}

// tell tells the handler that the shard starts.
func (t *tenure) tell(starter ShardStarter, l *shardLoop) error {
	for try := 1; ; try++ {
		err := starter.ShardStarted(t.reading, ShardStart{Stream: l.branch.stream.ARN, Shard: l.shard, After: l.from.Position, Fence: l.fence})
		if err == nil {
			l.status.begun.Store(true) // so that its end will be told, too
			return t.reading.Err()
		}
		t.worker.note(l.shard, l.handler, fmt.Errorf("start shard: %w", err))
		if err := clock.Sleep(t.reading, backoff(t.worker.dice, try, 100*time.Millisecond, 10*time.Second, "start", l.shard)); err != nil {
			return err
		}
	}
}

func (t *tenure) tellStarted(l *shardLoop) {
	w, after := t.worker, t.row.Checkpoint
	if len(w.parts) == 1 {
		after = l.from.Position
	}
	w.log.Info("shard started", "shard", l.shard, "after", after, "from", t.from, "fence", l.fence.String(), "isolated", l.isolate)
	fire(w.cfg.Hooks.ShardStarted, ShardStartedEvent{
		Worker: w.session.id, Shard: l.shard, After: after, Fence: l.fence, From: t.from, Isolated: l.isolate,
	})
}

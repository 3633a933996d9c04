package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// heart keeps the session alive and looks into its inbox. It is the first thing
// of a session to start and the last to end.
type heart struct {
	*fleet
	end context.CancelCauseFunc // ends the session's life
}

// beat sends a heartbeat every tenth of the lease duration until ctx ends. When
// the session runs out without an answer, every shard is dropped at once, by
// this worker's own clock; when it is over, so is its life.
func (h *heart) beat(ctx context.Context) {
	valid := true
	wait := jitter(h.dice, h.timing.beat, "beat")
	for {
		if valid {
			wait = min(wait, max(h.session.left(), 0))
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-h.beats:
		case <-time.After(wait):
		}
		select {
		case <-h.beats: // this one answers it, too
		default:
		}
		if valid && !h.session.valid() {
			valid = false
			h.lapse()
		}
		turned(&h.loops.heartbeat, h.clock)
		row, err := h.session.beatRow(ctx)
		switch {
		case err == nil:
			turned(&h.loops.answered, h.clock)
			if valid && h.session.lapsed.Load() {
				h.lapse() // it ran out while the answer was under way
			}
			h.session.revive()
			valid = h.session.valid()
			wait = jitter(h.dice, h.timing.beat, "beat")
			h.pass(row.Inbox)
		case errors.Is(err, checkpoint.ErrSessionOver):
			h.lapse()
			h.end(err)
			return
		default:
			// Sooner than by its turn: several tries fit before it runs out.
			wait = jitter(h.dice, h.timing.beat/4, "beat")
			h.log.Debug("heartbeat", "error", err)
		}
	}
}

// lapse drops every shard: others may take them from now on.
func (h *heart) lapse() {
	h.log.Warn("session has run out, dropping every shard", "worker", h.session.id)
	h.loseAll()
}

// mailbox reads the own inbox a few times a second. That is what makes a
// hand-over take less than one: the heartbeat's answer carries the inbox too,
// but only every second.
func (h *heart) mailbox(ctx context.Context) {
	for clock.Sleep(ctx, jitter(h.dice, h.timing.mailbox, "mailbox")) == nil {
		turned(&h.loops.mailbox, h.clock)
		row, err := tableCall(ctx, h.worker, func(ctx context.Context) (shard.Session, error) {
			return h.cfg.Leases.Session(ctx, h.session.id)
		})
		switch {
		case errors.Is(err, checkpoint.ErrNoSession) || err == nil && !row.Alive():
			h.lapse()
			h.end(checkpoint.ErrSessionOver)
			return
		case err == nil:
			h.pass(row.Inbox)
		}
	}
}

// pass gives hints to the fleet, if it is not still busy with the last: they
// stay in the inbox until they have been looked at.
func (h *heart) pass(hints []shard.Hint) {
	if len(hints) == 0 {
		return
	}
	select {
	case h.hints <- hints:
	default:
	}
}

// beatNow has the next heartbeat sent at once.
func (w *worker) beatNow() {
	select {
	case w.beats <- struct{}{}:
	default:
	}
}

package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// steerEvery is how often a worker reads what the fleet is told, and shareTurn
// how long a worker has its turn where there are more workers than calls.
const (
	steerEvery = time.Second
	shareTurn  = 30 * time.Second
)

// steer reads what the fleet is told, goes by it, and says so in the session
// when no more calls run than may. The planner shares the limit out. It ends
// with ctx.
func (h *heart) steer(ctx context.Context) {
	if h.pace.table == nil {
		return
	}
	for ctx.Err() == nil {
		h.listen(ctx)
		h.answer()
		if h.session.valid() && h.isPlanner(h.views()) {
			h.apportion(ctx)
		}
		next := time.NewTimer(jitter(h.dice, min(h.timing.beat, steerEvery), "steer"))
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				waiting = false
			case <-next.C:
				waiting = false
			case <-h.pace.slots.even:
				h.answer()
			}
		}
		next.Stop()
	}
}

// listen reads the control row and goes by it. One that cannot be read leaves in
// force what is known.
func (h *heart) listen(ctx context.Context) {
	c, err := tableCall(ctx, h.worker, h.pace.table.Control)
	switch {
	case err == nil:
		h.heed(c)
	case ctx.Err() == nil && h.pace.failed(err):
		h.log.Warn("cannot read what the fleet is told, going on as before", "error", err)
	}
}

// heed goes by what the fleet is told.
func (h *heart) heed(c shard.Control) {
	news, anew := h.pace.apply(c, h.session.id)
	c, share, _ := h.pace.now()
	h.halt(c.Move.Active())
	if !news {
		return
	}
	event := ControlEvent{Worker: h.session.id, Gen: c.Gen, Limited: c.Limited, Limit: c.Limit, Share: share, Pauses: slices.Clone(c.Pauses), Move: c.Move}
	if !c.Limited {
		event.Share = 0
	}
	if anew {
		h.log.Warn("somebody has deleted or replaced what the fleet was told", "gen", c.Gen)
	}
	if c.Gen > 0 || anew {
		h.log.Info("the fleet is told", "gen", c.Gen, "limited", c.Limited, "limit", c.Limit, "share", event.Share, "pauses", len(c.Pauses), "move", c.Move.String())
		fire(h.cfg.Hooks.ControlChanged, event)
	}
}

// answer says in the session which generation this worker keeps to. While all
// positions are moved, that is said when no shard is worked any more.
func (h *heart) answer() {
	gen, ok := h.pace.kept()
	if ok && gen != h.session.shareGen.Load() && (!h.pace.moving() || h.standsStill()) {
		h.session.shareGen.Store(gen)
		h.beatNow()
	}
}

// apportion shares the fleet's limit out. Somebody else may do so at the same
// moment; then one is refused, and looks again.
func (h *heart) apportion(ctx context.Context) {
	seen, _, fault := h.pace.now()
	if !seen.Limited || fault != "" {
		return
	}
	sessions, err := tableCall(ctx, h.worker, h.pace.table.SessionsNow)
	if err != nil {
		h.log.Debug("read sessions", "error", err)
		return
	}
	next := shard.Apportion(seen, sessions, int64(h.clock.Elapsed()/shareTurn))
	if next.Gen == seen.Gen {
		return
	}
	now, err := tableCall(ctx, h.worker, func(ctx context.Context) (shard.Control, error) {
		return h.pace.table.SetControl(ctx, seen, next)
	})
	switch {
	case err == nil:
		h.heed(now)
		h.answer()
	case !errors.Is(err, checkpoint.ErrFenced):
		h.log.Debug("share out the fleet's limit", "error", err)
	}
}

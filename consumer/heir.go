package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// takes reports whether a worker lives and is not leaving, by a strongly
// consistent read.
func (f *fleet) takes(ctx context.Context, id string) bool {
	if id == "" || id == f.session.id {
		return false
	}
	s, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Session, error) {
		return f.cfg.Leases.Session(ctx, id)
	})
	return err == nil && s.Alive() && !s.Leaving
}

// heirThatTakes is an heir that is not leaving either: of a fleet that is stopped
// at once each worker would give its leases to another that is about to be gone,
// and they would stand under the names of the dead. What is known from looking
// round is up to a beat old; the session itself is not.
func (f *fleet) heirThatTakes(ctx context.Context) string {
	for {
		id := f.heir()
		if id == "" || f.takes(ctx, id) {
			return id
		}
		f.mu.Lock()
		if p, ok := f.peers.byID[id]; ok {
			p.Row.Leaving = true // until it is looked at again
		}
		f.mu.Unlock()
	}
}

// putDown lets go of what this worker was given while it was leaving: its giver
// asked before the sign was up. Nothing of it has been worked here. What is not
// found, or cannot be written, is taken over as from a worker that died.
func (f *fleet) putDown(ctx context.Context) {
	if !f.session.valid() {
		return
	}
	me := f.session.id
	keys, err := tableCall(ctx, f.worker, func(ctx context.Context) ([]string, error) { return f.cfg.Leases.Owned(ctx, me) })
	if err != nil {
		f.log.Debug("list what was given while leaving", "error", err)
		return
	}
	for _, key := range keys {
		f.putDownOne(ctx, key)
	}
}

// putDownOne lets go of one lease that this worker was given while it was leaving.
func (f *fleet) putDownOne(ctx context.Context, key string) {
	me := f.session.id
	row, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) { return f.cfg.Leases.Get(ctx, key) })
	if err != nil || row.Owner != me || row.CheckpointOwner != "" || row.Finished() || row.Fault != nil {
		return
	}
	if f.runningIn(row.Shard).Load() > 0 {
		return // a handler that does not end: the lease is to run out, not to be given away
	}
	err = tableDo(ctx, f.worker, func(ctx context.Context) error {
		_, err := f.cfg.Leases.Release(ctx, row, me, asBefore(row), "")
		return err
	})
	if err != nil {
		f.log.Debug("put down what was given while leaving", "shard", row.Shard, "error", err)
	}
}

// goAway takes this worker's session out of the table, its last act. Whoever has
// given it a lease has told it so before the session is gone, and then that lease is
// put down first; or is told that the session is gone, and takes it back: see
// tenure.given. Nobody waits for this: a session that stays is found silent and
// revoked, and it ends with the session at the latest.
func (f *fleet) goAway(ctx context.Context) {
	for {
		err := f.session.call(ctx, f.timing.margin, func(ctx context.Context) error { return f.cfg.Leases.Leave(ctx, f.session.id) })
		if errors.Is(err, checkpoint.ErrUnread) && f.session.valid() {
			if err = f.putDownTold(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			f.log.Debug("leave", "error", err)
		}
		return
	}
}

// putDownTold lets go of what the inbox tells that this worker was given.
func (f *fleet) putDownTold(ctx context.Context) error {
	me := f.session.id
	told, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Session, error) { return f.cfg.Leases.Session(ctx, me) })
	if err != nil {
		return err
	}
	if len(told.Inbox) == 0 {
		return checkpoint.ErrUnread // by something that cannot be read
	}
	for _, h := range told.Inbox {
		if f.session.valid() {
			f.putDownOne(ctx, h.Key)
		}
	}
	return tableDo(ctx, f.worker, func(ctx context.Context) error { return f.cfg.Leases.Forget(ctx, me, told.Inbox) })
}

// heir is the live worker with the least to do, to give a lease to; empty if
// there is none. One that has missed its last beats is chosen only if all have.
func (f *fleet) heir() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	best, least, bestQuiet := "", 0.0, false
	for id, p := range f.peers.byID {
		if id == f.session.id || !f.peers.live(id) {
			continue
		}
		load, quiet := p.Row.Load+float64(f.given[id]), f.peers.quiet(p)
		if p.Row.MaxLeases > 0 && load >= float64(p.Row.MaxLeases) {
			continue
		}
		better := load < least || load == least && id < best
		if quiet != bestQuiet {
			better = bestQuiet
		}
		if best == "" || better {
			best, least, bestQuiet = id, load, quiet
		}
	}
	if best != "" {
		f.given[best]++
	}
	return best
}

// given tells a worker that the shard is its own now. It may have left since it was
// last looked at: then nobody would have the shard until it has been missed, and so
// the lease is taken back and let go to whoever is there. A handler of the shard that
// the other had left behind in between would have held it up for longer than that
// may take.
func (t *tenure) given(to string, at time.Duration) {
	w := t.worker
	hint := shard.Hint{Kind: shard.HintStart, Key: t.row.Key, Counter: t.row.Counter + 1}
	for try := 1; ; try++ {
		err := w.tell(t.life, to, hint)
		if err == nil || try == givenTries || w.clock.Elapsed()-at >= handlerGrace {
			return // it is found without it, too
		}
		if errors.Is(err, checkpoint.ErrSessionOver) {
			break
		}
		if clock.Sleep(t.life, backoff(w.dice, try, 50*time.Millisecond, time.Second, "given", t.row.Key)) != nil {
			return
		}
	}
	row, err := tableCall(t.life, w, func(ctx context.Context) (shard.Lease, error) { return w.cfg.Leases.Get(ctx, t.row.Key) })
	if err != nil || row.Owner != to || row.CheckpointOwner != "" || row.Finished() || row.Fault != nil || !w.session.valid() {
		return
	}
	row, err = tableCall(t.life, w, func(ctx context.Context) (shard.Lease, error) { return w.cfg.Leases.Take(ctx, row, w.session.id, to) })
	if err == nil {
		_, err = t.writer().release(t.life, row, asBefore(row), "")
	}
	if err != nil {
		w.log.Debug("take back from a worker that has left", "shard", t.row.Shard, "worker", to, "error", err)
		return
	}
	t.setTo("")
}

// givenTries is how often a worker is told that a lease is its own, where the table
// does not answer.
const givenTries = 4

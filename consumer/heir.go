package consumer

import (
	"context"

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
		row, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) { return f.cfg.Leases.Get(ctx, key) })
		if err != nil || row.Owner != me || row.CheckpointOwner != "" || row.Finished() || row.Fault != nil {
			continue
		}
		if f.runningIn(row.Shard).Load() > 0 {
			continue // a handler that does not end: the lease is to run out, not to be given away
		}
		err = tableDo(ctx, f.worker, func(ctx context.Context) error {
			_, err := f.cfg.Leases.Release(ctx, row, me, asBefore(row), "")
			return err
		})
		if err != nil {
			f.log.Debug("put down what was given while leaving", "shard", row.Shard, "error", err)
		}
	}
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

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

// heir is the live worker with the least to do, to give a lease to; empty if
// there is none.
func (f *fleet) heir() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	best, least := "", 0.0
	for id, p := range f.peers.byID {
		if id == f.session.id || !f.peers.live(id) {
			continue
		}
		load := p.row.Load + float64(f.given[id])
		if p.row.MaxLeases > 0 && load >= float64(p.row.MaxLeases) {
			continue
		}
		if best == "" || load < least || load == least && id < best {
			best, least = id, load
		}
	}
	if best != "" {
		f.given[best]++
	}
	return best
}

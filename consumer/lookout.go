package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// lookAround finds out, before anything is taken, whether a fleet of another
// library lives on the lease table. Where every owner has a session it costs one
// reading; else it watches for as long as the lease duration, and what has not
// moved by then may be taken at once.
func (w *worker) lookAround(ctx context.Context) error {
	table, _ := w.cfg.Leases.(checkpoint.Neighbours)
	name := ""
	if table != nil {
		name = table.TableName()
	}
	out := newLookout(name, w.timing.lease, w.cfg.BesideKCL2)
	absent := map[string]bool{}
	told, gaveUp := false, w.clock.Elapsed()+startTimeout
	for try := 1; ; try++ {
		w.loops.alone(w.clock)
		err := w.lookOnce(ctx, table, out, absent)
		now := w.clock.Elapsed()
		if err == nil {
			wait, refused := out.verdict(now)
			if refused != nil || wait <= 0 {
				w.orphans = out.orphans
				return refused
			}
			if !told {
				told = true
				w.log.Info("leases are held by workers without a session; watching whether they live before any is taken", "for", wait, "workers", out.watched())
			}
			try, gaveUp = 0, now+startTimeout
			if err := clock.Sleep(ctx, min(wait, w.timing.beat)); err != nil {
				return context.Cause(ctx)
			}
			continue
		}
		if now >= gaveUp || errors.Is(err, checkpoint.ErrNoTable) {
			return err
		}
		w.log.Warn("cannot start yet", "error", err)
		if sleepErr := clock.Sleep(ctx, backoff(w.dice, try, 200*time.Millisecond, 5*time.Second, "look around")); sleepErr != nil {
			return err
		}
	}
}

// lookOnce reads once what the lookout judges. Absent holds the owners that were
// seen to have no session.
func (w *worker) lookOnce(ctx context.Context, table checkpoint.Neighbours, out *lookout, absent map[string]bool) error {
	sessions, err := tableCall(ctx, w, w.cfg.Leases.Sessions)
	if err != nil {
		return fmt.Errorf("read the sessions: %w", err)
	}
	has := make(map[string]bool, len(sessions))
	for _, s := range sessions {
		has[s.ID] = true
	}
	if table != nil {
		found, err := tableCall(ctx, w, table.Neighbours)
		if err != nil {
			w.log.Debug("read what another library keeps", "error", err) // its leases say the same
		}
		out.neighbours(found, w.clock.Elapsed(), w.serviceNow())
	}
	for {
		rows, err := tableCall(ctx, w, w.cfg.Leases.List)
		if err != nil {
			return fmt.Errorf("read the leases: %w", err)
		}
		fresh, err := w.seekAbsent(ctx, rows, has, absent)
		if err != nil {
			return err
		}
		if !fresh {
			out.rows(rows, func(owner string) bool { return absent[owner] }, w.clock.Elapsed())
			return nil
		}
		// Again, now that the sessions are known to be absent: what moves from
		// there on is not moved by a worker that has since left.
	}
}

// seekAbsent asks for the session of every owner that was not listed, and
// reports whether it has found another one that has none.
func (w *worker) seekAbsent(ctx context.Context, rows []shard.Lease, has, absent map[string]bool) (fresh bool, err error) {
	for _, row := range rows {
		w.loops.alone(w.clock)
		owner := row.Holder()
		if row.Fault != nil || row.Finished() || owner == "" || has[owner] || absent[owner] {
			continue
		}
		_, err := tableCall(ctx, w, func(ctx context.Context) (shard.Session, error) { return w.cfg.Leases.Session(ctx, owner) })
		switch {
		case errors.Is(err, checkpoint.ErrNoSession):
			absent[owner], fresh = true, true
		case err != nil:
			return false, fmt.Errorf("read the session of %s: %w", owner, err)
		default:
			has[owner] = true
		}
	}
	return fresh, nil
}

// neighbourMoved takes note of a worker of another library that is at work, while
// this one runs. It is told of once.
func (f *fleet) neighbourMoved(neighbour, shardID string) {
	now := f.clock.Elapsed()
	f.worker.mu.Lock()
	_, known := f.worker.neighbours[neighbour]
	f.worker.neighbours[neighbour] = now
	for id, at := range f.worker.neighbours {
		if now-at > burial {
			delete(f.worker.neighbours, id) // ids are new at every start of a process
		}
	}
	f.worker.mu.Unlock()
	if known {
		return
	}
	allowed := f.cfg.BesideKCL2
	if allowed {
		f.log.Info("a worker of KCL is at work on the lease table", "neighbour", neighbour, "shard", shardID)
	} else {
		f.log.Error("a worker that is not towpath's is at work on the lease table: stop its fleet, or this one; if it is KCL 2, they can work side by side with BesideKCL2",
			"neighbour", neighbour, "shard", shardID)
	}
	fire(f.cfg.Hooks.NeighbourSeen, NeighbourEvent{Worker: f.session.id, Neighbour: neighbour, Shard: shardID, Allowed: allowed})
}

// neighboursAtWork are those that were seen at work lately.
func (w *worker) neighboursAtWork() (ids []string) {
	now := w.clock.Elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, at := range w.neighbours {
		if now-at < 3*w.timing.lease {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// watchSigns looks, in a maintenance run, for signs of life of another library's
// workers that may hold no lease at present.
func (f *fleet) watchSigns(ctx context.Context) {
	table, ok := f.cfg.Leases.(checkpoint.Neighbours)
	if !ok {
		return
	}
	found, err := tableCall(ctx, f.worker, table.Neighbours)
	if err != nil {
		f.log.Debug("read what another library keeps", "error", err)
	}
	signs := map[string]string{}
	for _, n := range found {
		signs[n.Row] = n.Sign
		if was, known := f.signs[n.Row]; known && n.Sign != "" && n.Sign != was {
			f.neighbourMoved(cmp.Or(n.Worker, n.Row), "")
		}
	}
	f.signs = signs
}

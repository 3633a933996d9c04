package consumer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// auditor remembers what earlier maintenance runs saw: one audit may see a hole
// that the next does not, and a dead session is kept for a day.
type auditor struct {
	holes   map[string]bool          // seen by the last audit
	revoked map[string]time.Duration // since when a session has been seen revoked
	missing map[string]*absence      // rows that are missing and stood before, by key
	dropped []string                 // keys of rows deleted here whose states still stand
	ran     bool
}

// burial is how long a revoked session is kept, so that a registration that was
// delayed in the network cannot bring it back.
const burial = 24 * time.Hour

// maintain keeps the table in step with the stream: rows for shards that have
// none, an end to rows that are done, an audit for holes. The planner does it
// every two minutes; every worker does once when it starts, as it may be the
// first, and once more if it found rows missing then: where no worker lives for
// two minutes, nobody would make them.
func (f *fleet) maintain(ctx context.Context) {
	if f.audit.ran && len(f.audit.missing) == 0 && !f.isPlanner(f.views()) {
		return
	}
	if err := f.upkeep(ctx); err != nil {
		f.log.Debug("maintenance", "error", err)
		if !f.audit.ran {
			f.upkeepAt = f.clock.Elapsed() + f.timing.beat
		}
		return
	}
	f.audit.ran, f.beforeTip = true, nil
	f.soon()
}

// isPlanner reports whether this worker is the live one with the smallest id
// that neither idles nor leaves.
func (f *fleet) isPlanner(views []shard.WorkerView) bool {
	for _, v := range views {
		if v.ID < f.session.id && !v.Idle && !v.Silent && !v.Leaving {
			return false
		}
	}
	return true
}

func (f *fleet) upkeep(ctx context.Context) error {
	if f.streams == nil {
		if err := f.sameStream(ctx); err != nil {
			return err
		}
	}
	// What the run writes, it writes under the epoch that it began with, and it
	// lists after it began: a run that was held up for an hour between its
	// reading and its writing is refused, and cannot bring a finished shard back.
	if f.audit.ran {
		return f.upkeepRun(ctx)
	}
	// At a start nothing is missing as a rule, and a fleet that starts at once
	// need not take turns to find that out.
	if err := f.list(ctx); err != nil {
		return err
	}
	rows, err := f.rows(ctx)
	if err != nil {
		return err
	}
	if len(f.overdue(f.missing(rows))) == 0 {
		f.fresh = rows
		return nil
	}
	return f.upkeepRun(ctx)
}

func (f *fleet) upkeepRun(ctx context.Context) error {
	epoch, err := tableCall(ctx, f.worker, f.cfg.Leases.Begin)
	if err != nil {
		return err
	}
	if err := f.listAnew(ctx); err != nil {
		return err
	}
	rows, err := f.rows(ctx)
	if err != nil {
		return err
	}
	if missing := f.overdue(f.missing(rows)); len(missing) > 0 {
		err := f.cfg.Leases.Create(ctx, epoch, missing)
		if errors.Is(err, checkpoint.ErrEpochOver) {
			return nil // another worker is at it
		}
		if err != nil {
			return err
		}
		f.offering = true
		f.log.Info("lease rows created", "rows", len(missing))
		if rows, err = f.rows(ctx); err != nil {
			return err
		}
	}
	lineages := f.lineages(rows)
	f.fresh = rows
	for _, row := range deletable(lineages) {
		f.turned()
		f.fresh = nil
		err := tableDo(ctx, f.worker, func(ctx context.Context) error { return f.cfg.Leases.Delete(ctx, epoch, row) })
		if errors.Is(err, checkpoint.ErrEpochOver) {
			return nil
		}
		if err != nil && !errors.Is(err, checkpoint.ErrFenced) {
			return err
		}
		if err == nil {
			f.audit.dropped = append(f.audit.dropped, row.Key)
		}
	}
	f.dropStates(ctx)
	f.forget(rows)
	f.auditHoles(lineages)
	f.watchSigns(ctx)
	f.bury(ctx, append(rows[:len(rows):len(rows)], f.bundle.foreign...))
	return f.forgetStreams(ctx, epoch)
}

// sameStream ends the run if the stream was deleted and created again: the
// positions in the table mean nothing in the new one, and reading it from some
// default would skip or repeat without a word.
func (f *fleet) sameStream(ctx context.Context) error {
	now, err := tableCall(ctx, f.worker, f.cfg.Source.Describe)
	if errors.Is(err, shard.ErrNoStream) {
		f.fail(err)
	}
	if err != nil {
		return err
	}
	f.serviceSaid(now.Now)
	if !now.CreatedAt.Equal(f.stream.CreatedAt) {
		f.fail(checkpoint.ErrRecreated)
		return checkpoint.ErrRecreated
	}
	return nil
}

// auditHoles reports what two audits in a row have found. What can be repaired
// has been: a row that is missing is created by the same run.
func (f *fleet) auditHoles(lineages []lineageOf) {
	seen := map[string]bool{}
	for _, l := range lineages {
		for _, hole := range l.Holes() {
			text := l.prefix + hole.String()
			seen[text] = true
			if f.audit.holes[text] {
				f.log.Error("part of the stream has no lease", "hole", text)
				fire(f.cfg.Hooks.HoleFound, HoleEvent{Worker: f.session.id, Hole: text})
			}
		}
	}
	f.audit.holes = seen
}

// bury deletes the sessions of workers that have been dead for a day and that no
// lease names any more.
func (f *fleet) bury(ctx context.Context, rows []shard.Lease) {
	named := map[string]bool{}
	for _, row := range rows {
		named[row.Owner], named[row.CheckpointOwner] = true, true
	}
	now := f.clock.Elapsed()
	revoked := map[string]time.Duration{}
	var dead []shard.Session
	f.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(f.peers.byID)) {
		p := f.peers.byID[id]
		if p.Row.Alive() {
			continue
		}
		since, ok := f.audit.revoked[id]
		if !ok {
			since = now
		}
		revoked[id] = since
		if now-since >= burial && !named[id] {
			dead = append(dead, p.Row)
		}
	}
	f.mu.Unlock()
	f.audit.revoked = revoked
	for _, d := range dead {
		f.turned()
		err := tableDo(ctx, f.worker, func(ctx context.Context) error { return f.cfg.Leases.Bury(ctx, d) })
		if err != nil {
			f.log.Debug("bury session", "session", d.ID, "error", err)
		}
	}
}

// caughtUp reports whether there is nothing left to do for a run that ends when
// everything has been handled: those of this worker's shards are at their tips,
// and every other unfinished one has an owner that beats. That a session exists
// is not enough: a job that died is started again before anybody has noticed.
func (f *fleet) caughtUp(ctx context.Context) bool {
	if !f.audit.ran || !f.tipsReached() || f.clock.Elapsed() < f.caughtAt {
		return false
	}
	f.caughtAt = f.clock.Elapsed() + max(f.timing.mailbox, turn(len(f.views())))
	rows, err := f.rows(ctx)
	if err != nil || len(rows) == 0 || f.streamsMissing() {
		return false
	}
	for _, row := range rows {
		if row.Fault != nil || row.Finished() {
			continue
		}
		mine := row.Holder() == f.session.id && f.held(row.Key) != nil
		if !mine && !f.seenToBeat(row.Holder()) {
			return false
		}
	}
	return f.tipsReached()
}

// seenToBeat reports whether a worker has been, a moment ago.
func (f *fleet) seenToBeat(id string) bool {
	now := f.clock.Elapsed()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers.seenToBeat(id, now)
}

func (f *fleet) tipsReached() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tenures {
		for _, status := range t.statuses {
			if !status.atTip() {
				return false
			}
		}
	}
	return true
}

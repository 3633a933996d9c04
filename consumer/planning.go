package consumer

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// plan reads the table, takes what falls to this worker, and, as the planner,
// asks for moves.
func (f *fleet) plan(ctx context.Context) {
	rows := f.fresh
	if rows == nil {
		var err error
		if rows, err = f.rows(ctx); err != nil {
			f.tableFailed("read leases", err)
			f.planAt = f.clock.Elapsed() + f.timing.beat
			return
		}
	}
	lineage := shard.NewLineage(f.listed, rows)
	view, absent := f.view(ctx, rows, lineage)
	byKey := make(map[string]shard.Lease, len(rows))
	for _, row := range rows {
		byKey[row.Key] = row
		if row.Holder() == f.session.id {
			f.recognise(row, lineage.Runnable(row.Shard))
		}
	}
	moves := f.offers.plan(view, f.clock.Elapsed())
	f.unplaced(moves.Unplaced)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelTakes)
	var unanswered atomic.Bool
	for _, key := range moves.Take {
		group.Go(func() error {
			if !f.take(ctx, byKey[key], absent[key]) {
				unanswered.Store(true)
			}
			return nil
		})
	}
	for _, ask := range moves.Even {
		f.spared[ask.Key] = f.clock.Elapsed() // one exchange of a shard is enough for a while
	}
	for _, ask := range slices.Concat(moves.Ask, moves.Even) {
		if f.cfg.BesideKCL2 { // what to ask for is this worker's own
			if t := f.held(ask.Key); t != nil {
				t.leave(ErrHandedOver, ask.To)
			}
			continue
		}
		group.Go(func() error { f.ask(ctx, byKey[ask.Key], ask.To); return nil })
	}
	for _, key := range moves.Withdraw {
		f.spared[key] = f.clock.Elapsed()
		group.Go(func() error { f.withdraw(ctx, byKey[key]); return nil })
	}
	planner := f.planning(view.Workers)
	if f.offering || planner && f.rounds > 0 {
		// Whoever made leases free says so to those to whom they fall, and so does
		// the planner that finds them free still. The others would find them by
		// their next look at the table.
		f.offering = false
		for to, hint := range firstOffers(moves.Offers, byKey) {
			group.Go(func() error { _ = f.tell(ctx, to, hint); return nil }) // found without it, too
		}
	}
	group.Wait() // none returns an error
	f.rounds++
	if len(moves.Offers) == 0 {
		f.rounds = 0
	}
	o := outlook{
		planner: planner, beside: f.cfg.BesideKCL2, workers: len(view.Workers), young: isYoung(view),
		asked: len(moves.Ask) > 0, failed: unanswered.Load(), rounds: f.rounds,
		orphans: f.cfg.BesideKCL2 && len(f.orphans) > 0,
	}
	now := f.clock.Elapsed()
	for _, orphan := range f.orphans {
		// By the time of the view: a lease that was not free there is watched on, if
		// its time is over by now, too.
		if watched := f.viewedAt - orphan.since; watched < f.timing.lease { // else it is free, and offered
			o.orphans, o.orphan = true, max(o.orphan, watched)
		}
	}
	if wait, early := o.next(f.timing); early {
		f.planAt = min(f.planAt, now+wait)
	}
}

// firstOffers is one of the free leases of each worker that some fall to: it
// looks at the whole table on account of it. A hint for each lease would fill its
// session's row, which everybody reads every second.
func firstOffers(offers []shard.Ask, byKey map[string]shard.Lease) map[string]shard.Hint {
	first := map[string]shard.Hint{}
	for _, offer := range offers {
		if _, has := first[offer.To]; !has {
			first[offer.To] = shard.Hint{Kind: shard.HintFree, Key: offer.Key, Counter: byKey[offer.Key].Counter}
		}
	}
	return first
}

// planning reports whether this worker has to see to what is too much anywhere:
// the planner, and beside KCL, where nobody is asked, each by itself.
func (f *fleet) planning(views []shard.WorkerView) bool {
	return f.cfg.BesideKCL2 || f.isPlanner(views)
}

// isYoung reports whether a worker is still too young to be given shards.
func isYoung(v shard.View) bool {
	return len(v.Workers) > 1 && slices.ContainsFunc(v.Workers, func(w shard.WorkerView) bool { return w.Age < v.Settle })
}

// unplaced tells, as the planner, of leases that no worker takes: shards that
// nobody reads. It is told again whenever there are more of them or fewer.
func (f *fleet) unplaced(keys []string) {
	if len(keys) == f.unread || !f.isPlanner(f.views()) {
		return
	}
	f.unread = len(keys)
	if len(keys) == 0 {
		f.log.Info("every shard has a worker again")
		return
	}
	f.log.Error("shards have no worker: every one has as many as its MaximumLeases", "shards", len(keys), "first", keys[0])
	fire(f.cfg.Hooks.ShardsUnplaced, UnplacedEvent{Worker: f.session.id, Shards: len(keys), First: keys[0]})
}

// spareFor is how long a lease is not asked for again after a hand-over of it was
// withdrawn, as its handler is busy for longer than a hand-over may take, or after
// it was asked for because of its load.
const spareFor = 5 * time.Minute

// parallelTakes bounds how many rows are written at once in a round.
const parallelTakes = 16

// view is the fleet as the planner sees it. Absent names, for each lease that is
// free because its owner has no session, that owner.
func (f *fleet) view(ctx context.Context, rows []shard.Lease, lineage *shard.Lineage) (v shard.View, absent map[string]string) {
	now := f.clock.Elapsed()
	v = shard.View{Me: f.session.id, Workers: f.views(), Settle: f.timing.settle, HandoverTimeout: f.timing.handover, LeastLoad: leastLoad}
	absent = map[string]string{}
	asked := map[string]time.Duration{}
	holders := newHolders(f)
	for _, row := range rows {
		if row.Fault != nil || row.Finished() || !lineage.Runnable(row.Shard) {
			continue
		}
		lease := shard.LeaseView{Key: row.Key, Owner: row.Owner, CheckpointOwner: row.CheckpointOwner, Runnable: true, Load: row.Load}
		if holder := row.Holder(); holder == "" {
			lease.Free = true
		} else if holder != f.session.id {
			var orphaned bool
			if lease.Free, orphaned = holders.gone(ctx, row); orphaned {
				absent[row.Key] = holder
			}
		}
		if row.CheckpointOwner != "" {
			since, ok := f.asked[row.Key]
			if !ok {
				since = now
			}
			asked[row.Key] = since
			lease.Asked = now - since
		}
		if at, ok := f.spared[row.Key]; ok {
			lease.Spare = now-at < spareFor
		}
		v.Leases = append(v.Leases, lease)
	}
	f.asked = asked
	f.orphans, f.viewedAt = holders.orphans, holders.now
	if f.cfg.BesideKCL2 {
		f.withNeighbours(&v)
	}
	return v, absent
}

// holders finds out, for one plan, which owners of leases are dead.
type holders struct {
	*fleet
	now     time.Duration
	absent  map[string]bool // whether a holder that was not listed has a session
	orphans map[string]orphan
}

func newHolders(f *fleet) *holders {
	return &holders{fleet: f, now: f.clock.Elapsed(), absent: map[string]bool{}, orphans: map[string]orphan{}}
}

// gone reports whether the holder of a lease is dead, so that it may be taken.
// A holder without a session (a lost registration, a worker of KCL, a row edited
// by hand) is watched for the lease duration first, by its lease: it is gone
// when neither holder nor counter has moved since a strongly consistent read
// first showed the session absent. The take is then conditional on that, too.
func (h *holders) gone(ctx context.Context, row shard.Lease) (gone, orphaned bool) {
	switch h.standing(row.Holder()) {
	case holderLives:
		return false, false
	case holderDead:
		return true, false
	}
	absent, asked := h.absent[row.Holder()]
	if !asked {
		_, err := tableCall(ctx, h.worker, func(ctx context.Context) (shard.Session, error) {
			return h.cfg.Leases.Session(ctx, row.Holder())
		})
		absent = errors.Is(err, checkpoint.ErrNoSession)
		h.absent[row.Holder()] = absent
	}
	if !absent {
		return false, false
	}
	// From after the read: its answer is what the time counts from.
	o, moved := h.fleet.orphans[row.Key].see(row, h.clock.Elapsed())
	if moved {
		h.neighbourMoved(row.Holder(), row.Shard)
	}
	h.orphans[row.Key] = o
	gone = h.now-o.since >= h.timing.lease
	return gone, gone
}

func (f *fleet) standing(holder string) standing {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers.standing(holder)
}

// take makes a free lease this worker's own and starts it. It reports whether it
// was answered: if not, the lease may be free still.
func (f *fleet) take(ctx context.Context, seen shard.Lease, absent string) bool {
	if !f.session.valid() || f.held(seen.Key) != nil || f.isHalted() {
		return true
	}
	f.turned() // of a thousand that are not answered, each waits
	sentAt := f.clock.Elapsed()
	row, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) {
		return f.cfg.Leases.Take(ctx, seen, f.session.id, absent)
	})
	var conflict *checkpoint.Conflict
	switch {
	case err == nil:
	case errors.As(err, &conflict) && conflict.Exists && conflict.Row.Holder() == f.session.id:
		row, sentAt = conflict.Row, never // the answer to an earlier try was lost
	case errors.As(err, &conflict):
		fire(f.cfg.Hooks.Conflict, ConflictEvent{Worker: f.session.id, Shard: seen.Shard, Write: "take"})
		return true
	default:
		// Applied or not: the sweep finds out. Sooner than by its turn.
		f.log.Debug("take lease", "lease", seen.Key, "error", err)
		soon := f.clock.Elapsed() + f.timing.mailbox
		f.mu.Lock()
		f.sweepAt = min(f.sweepAt, soon)
		f.mu.Unlock()
		return false
	}
	f.start(row, seen.Holder(), sentAt)
	return true
}

// ask asks for a hand-over, and tells the owner.
func (f *fleet) ask(ctx context.Context, seen shard.Lease, to string) {
	f.turned()
	_, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) {
		return f.cfg.Leases.Ask(ctx, seen, to)
	})
	if err != nil {
		f.log.Debug("ask for a hand-over", "lease", seen.Key, "error", err) // by the next plan, if it is due still
	} else {
		_ = f.tell(ctx, seen.Owner, shard.Hint{Kind: shard.HintDrain, Key: seen.Key, Counter: seen.Counter}) // it sweeps, too
	}
}

func (f *fleet) withdraw(ctx context.Context, seen shard.Lease) {
	f.turned()
	_, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) {
		return f.cfg.Leases.Withdraw(ctx, seen)
	})
	if err != nil {
		f.log.Debug("withdraw hand-over", "lease", seen.Key, "error", err)
	}
}

// untaken is after how many lease durations a free lease is taken that was left
// to a worker of KCL: those look for leases every two.
const untaken = 3

// withNeighbours has the workers of KCL count for what is fair: those whose
// leases are not seen to stand still. They are seen by what they hold alone, as
// they see one another.
func (f *fleet) withNeighbours(v *shard.View) {
	v.ByRelease = true
	now := f.clock.Elapsed()
	live := map[string]bool{}
	for _, o := range f.orphans {
		if now-o.since < f.timing.lease && !live[o.holder] {
			live[o.holder] = true
			v.Workers = append(v.Workers, shard.WorkerView{ID: o.holder, Age: f.timing.settle, Foreign: true})
		}
	}
	free := map[string]time.Duration{}
	for i := range v.Leases {
		if l := &v.Leases[i]; l.Free {
			since, known := f.free[l.Key]
			if !known {
				since = now
			}
			free[l.Key] = since
			l.Left = now-since >= untaken*f.timing.lease
		}
	}
	f.free = free
}

package consumer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// tenure is the time for which this worker holds one lease: from the row that
// names it to the write that lets it go, or to the loss.
//
// Three contexts nest in it. Life ends when the lease is lost; work, a child of
// it, when handlers may no longer run; reading, a child of that, when the shard
// is to be left.
type tenure struct {
	worker *worker
	branch branch
	row    shard.Lease
	from   string // who held it before
	right  *right

	life, work, reading   context.Context
	lose                  context.CancelCauseFunc
	stopWork, stopReading context.CancelCauseFunc

	mu      sync.Mutex
	to      string      // whom to hand over to, if that was said
	why     error       // why it is left, if it is
	asked   bool        // because a hand-over stood in the row
	want    int64       // the newest seek generation that is known of the row
	drain   *time.Timer // ends work when the drain time is over
	leaving time.Time   // since when

	statuses []*shardStatus // by handler
	unparks  []chan unpark  // by handler
	done     chan struct{}
	cause    error // why it ended, nil at the shard's end; valid after done
}

func newTenure(ctx context.Context, w *worker, b branch, row shard.Lease, from string, sentAt time.Duration) *tenure {
	t := &tenure{worker: w, branch: b, row: row, from: from, want: row.SeekGen, right: newRight(w, sentAt), done: make(chan struct{})}
	t.life, t.lose = context.WithCancelCause(ctx)
	t.renew()
	for _, p := range w.parts {
		t.statuses = append(t.statuses, newShardStatus(b, row, p.name))
		t.unparks = append(t.unparks, make(chan unpark))
	}
	return t
}

// renew makes the contexts of another go at the shard.
func (t *tenure) renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.work, t.stopWork = context.WithCancelCause(t.life)
	t.reading, t.stopReading = context.WithCancelCause(t.work)
	t.to, t.why, t.asked, t.leaving = "", nil, false, time.Time{}
	if t.drain != nil {
		t.drain.Stop()
		t.drain = nil
	}
}

// leave tells the tenure to drain and let go, for cause. To is whom to hand over
// to, if it is not whoever the row names.
func (t *tenure) leave(cause error, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.leaving.IsZero() {
		return
	}
	t.leaving, t.to, t.why = time.Now(), to, cause
	stopWork := t.stopWork
	t.drain = time.AfterFunc(t.worker.cfg.DrainTimeout, func() { stopWork(cause) })
	t.stopReading(cause)
}

// run works the shard until it is let go, lost or ended.
func (t *tenure) run() {
	defer close(t.done)
	defer t.lose(nil)
	w := t.worker
	for {
		cause, again := t.once()
		if again && t.life.Err() == nil {
			t.renew()
			switch {
			case w.stopping():
				t.leave(ErrStopping, "")
			case w.fleet.isHalted():
				t.leave(ErrMoved, "")
			}
			continue
		}
		if t.life.Err() != nil {
			cause = ErrLeaseLost
		}
		t.mu.Lock()
		if t.drain != nil {
			t.drain.Stop()
		}
		event := ShardLeftEvent{Worker: w.session.id, Shard: t.row.Shard, Cause: cause, At: t.row.Checkpoint, To: t.to}
		if !t.leaving.IsZero() {
			event.Took = time.Since(t.leaving)
		}
		t.mu.Unlock()
		t.cause = cause
		t.tellLeft(cause)
		w.log.Info("shard left", "shard", t.row.Shard, "cause", cause, "at", t.row.Checkpoint, "to", event.To, "took", event.Took)
		fire(w.cfg.Hooks.ShardLeft, event)
		return
	}
}

// tellLeft tells each handler that the shard is finished or, if it was told of its
// start, lost.
func (t *tenure) tellLeft(cause error) {
	for i, p := range t.worker.parts {
		if cause == nil {
			if e, ok := p.cfg.Handler.(ShardEnder); ok {
				e.ShardEnded(t.row.Shard)
			}
		} else if l, ok := p.cfg.Handler.(ShardLoser); ok && t.statuses[i].begun.Load() {
			l.ShardLost(t.row.Shard, cause)
		}
	}
}

// once works the shard from the row's positions to the end of one loop a handler,
// and writes what that came to. Again means that the lease is still held and the
// shard to be begun anew.
func (t *tenure) once() (cause error, again bool) {
	if t.outdated() {
		return t.again()
	}
	running := t.worker.runningIn(t.row.Shard)
	if begin, cause, again := t.prepare(); !begin {
		return cause, again
	}
	if t.row.Finished() {
		return nil, false // by an end that was still under way
	}
	keeper := newKeeper(t.worker, t.branch, t.writer(), t.work, t.row)
	endRenewing := t.keepRenewed(keeper)
	rest := func() {
		endRenewing()
		keeper.rest()
	}
	// No handler of an earlier tenure of this shard may run in this process any
	// more.
	for running.Load() > 0 {
		if clock.Sleep(t.reading, 100*time.Millisecond) != nil {
			rest()
			t.row = keeper.row()
			return t.endWithout()
		}
	}
	loops := t.newLoops(keeper, running)
	out := t.drive(loops)
	rest()
	if verdict, over := keeper.verdict(); over {
		out = verdict
	}
	t.row = keeper.row()
	if running.Load() > 0 {
		// It may still act on what it was given. The lease is left to expire,
		// which takes longer than its context has been over.
		return ErrLeaseLost, false
	}
	switch out {
	case outcomeEnded:
		return t.end(loops, keeper.progress())
	case outcomeLeave:
		if t.outdated() && !t.isLeaving() {
			return t.again()
		}
		return t.letGo(keeper.progress())
	case outcomeRestart:
		return nil, true
	}
	return ErrLeaseLost, false
}

// endWithout ends a tenure that has read nothing.
func (t *tenure) endWithout() (error, bool) {
	if context.Cause(t.reading) == ErrLeaseLost {
		return ErrLeaseLost, false
	}
	if t.outdated() && !t.isLeaving() {
		return t.again()
	}
	if t.worker.runningIn(t.row.Shard).Load() > 0 {
		return t.endBeside()
	}
	return t.letGo(asBefore(t.row))
}

// endBeside ends a tenure while a handler of an earlier one runs in this process: it
// gives the lease to nobody, who would work beside that one. At a stop the lease runs
// out. A hand-over that is asked for waits, and is withdrawn if it does for too long.
func (t *tenure) endBeside() (error, bool) {
	if cause := t.leftFor(); cause == errRowGone || cause == ErrHandedOver && t.wasAsked() {
		return t.again()
	}
	return ErrLeaseLost, false
}

// newLoops makes the loops that work the shard, one a handler, each from its
// position in the row.
func (t *tenure) newLoops(k *keeper, running *atomic.Int64) []*shardLoop {
	w := t.worker
	for name, at := range strangers(t.row, w.parts) {
		w.log.Warn("the row has the position of a handler that is not configured; it is dropped with the next checkpoint",
			"shard", t.row.Shard, "handler", name, "at", at)
	}
	loops := make([]*shardLoop, len(w.parts))
	for i := range w.parts {
		loops[i] = t.newLoop(i, k, running)
	}
	return loops
}

// newLoop makes the loop of one handler.
func (t *tenure) newLoop(i int, k *keeper, running *atomic.Int64) *shardLoop {
	w, p, status := t.worker, &t.worker.parts[i], t.statuses[i]
	cfg, from := p.cfg, progressOf(t.row, p.name)
	l := &shardLoop{
		cfg: cfg, worker: w, branch: t.branch, shard: t.row.Shard, fence: t.branch.fence(t.row), right: t.right, valid: t.mayAct(t.work), policy: p.policy, seat: k.sit(p.name, from, status),
		floor: from, handler: p.name, breaker: p.breaker,
		reading: t.reading, work: t.work, stopWork: t.stopWork, memory: holding{budget: w.budget},
		from: from, tracker: checkpoint.NewTracker(from), meter: meter{rate: t.row.Load, at: time.Now()},
		gathered: w.budget.enter(), started: -1, running: running,
		suspect: t.row.Suspect, crashes: t.row.SuspectCrashes, suspectOf: t.row.SuspectHandler,
		isolate:  t.row.Suspect.IsRecord() || t.row.OwnerSwitches >= crashLoop,
		suspects: w.cfg.MaximumInFlight + largestRead,
		chunks:   make(chan fetched), settled: make(chan settlement),
		status: status, readUpTo: from.ReadUpTo, wakes: newWakes(cfg.Handler), acks: newAcks(),
		gate: batching.NewGate(cfg.KeyLimit), pauses: w.keyPauses.watch(), unparks: t.unparks[i],
	}
	l.split, l.lanes = cfg.newLanes()
	return l
}

// crashLoop is how many acquisitions without one checkpoint in between make a
// shard suspect: two owners have died on it.
const crashLoop = 3

// largestRead is how many records one read brings at most, by the limit of
// GetRecords; a read is taken whole, so that so many more can be in flight.
const largestRead = 10_000

// drive runs the loops with what they read from, and waits for all of it.
func (t *tenure) drive(loops []*shardLoop) outcome {
	w := t.worker
	open := func(at place) shard.Reader {
		return t.branch.source.Open(shard.Start{
			Stream: t.branch.stream, Shard: t.row.Shard, Hashes: t.row.Hashes, After: t.branch.startOf(at.after), LastArrival: at.arrived, ReadUpTo: at.readUpTo,
		})
	}
	var started sync.Once
	outs := make([]outcome, len(loops))
	if len(loops) == 1 {
		l := loops[0]
		outs[0] = t.play(l, &started, func(ctx context.Context) {
			f := &fetcher{worker: w, shard: l.shard, chunks: l.chunks, statuses: t.statuses, breaker: l.breaker, reader: open(placeOf(l.from))}
			f.run(ctx)
		})
		return together(outs)
	}
	starts := make([]place, len(loops))
	for i, l := range loops {
		starts[i] = placeOf(l.from)
	}
	h := newHub(w, t.row.Shard, open, starts)
	reading, stopReading := context.WithCancel(t.reading)
	var reader, playing sync.WaitGroup
	reader.Go(func() { h.run(reading, t.statuses) })
	working := new(atomic.Int64)
	working.Store(int64(len(loops)))
	over := make(chan struct{})
	for i, l := range loops {
		f := h.feeds[i]
		f.loop = l
		playing.Go(func() {
			outs[i] = t.play(l, &started, func(ctx context.Context) {
				f.moveTo(placeOf(l.from))
				f.run(ctx)
			})
			if working.Add(-1) == 0 {
				close(over)
			}
			notParked(l.unparks, over)
		})
	}
	playing.Wait()
	stopReading()
	reader.Wait()
	h.close()
	return together(outs)
}

// together is what the loops of all handlers came to: the shard has ended when it
// has for every one.
func together(outs []outcome) outcome {
	for _, bad := range []outcome{outcomeLost, outcomeRestart, outcomeLeave} {
		if slices.Contains(outs, bad) {
			return bad
		}
	}
	return outcomeEnded
}

// play starts the shard for one handler and runs its loop, with read giving it
// its chunks.
func (t *tenure) play(l *shardLoop, started *sync.Once, read func(context.Context)) outcome {
	defer l.close()
	if err := t.begin(l); err != nil {
		if context.Cause(t.reading) == ErrLeaseLost {
			return outcomeLost
		}
		return outcomeLeave
	}
	started.Do(func() { t.tellStarted(l) })
	l.status.begun.Store(true)
	reading, stop := context.WithCancel(t.reading)
	var reader sync.WaitGroup
	reader.Go(func() { read(reading) })
	out := l.run()
	stop()
	reader.Wait()
	return out
}

// writer makes the writes of the row.
func (t *tenure) writer() *rowWriter {
	w := t.worker
	limit := w.timing.tableCall
	if t.right.each {
		limit = min(limit, w.timing.renew/2) // so that several tries fit before the lease runs out
	}
	parting := func(held shard.Lease) { w.parting(held.Shard, t.branch.fence(held)) }
	return &rowWriter{me: w.session.id, table: w.cfg.Leases, limit: limit, hooks: &w.cfg.Hooks, shard: t.row.Shard, right: t.right, parting: parting}
}

// newLanes makes the lanes of a shard.
func (cfg *Config) newLanes() (batching.Lanes, []laneState) {
	bounds := batching.Gathering{Records: cfg.BatchSize, Bytes: cfg.MaximumBatchBytes, Window: cfg.MaximumBatchingWindow}
	split := batching.Lanes{Count: cfg.ParallelizationFactor, Key: cfg.Key}
	lanes := make([]laneState, cfg.ParallelizationFactor)
	if cfg.Unordered {
		// One assembler for all: a batch goes to whichever lane is free.
		split.Count = 1
		shared := batching.NewAssembler(bounds)
		for i := range lanes {
			lanes[i].gather = shared
		}
		return split, lanes
	}
	for i := range lanes {
		lanes[i].gather = batching.NewAssembler(bounds)
	}
	return split, lanes
}

package consumer

import (
	"context"
	"fmt"
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
	row    shard.Lease
	from   string // who held it before

	life, work, reading   context.Context
	lose                  context.CancelCauseFunc
	stopWork, stopReading context.CancelCauseFunc

	mu      sync.Mutex
	to      string      // whom to hand over to, if that was said
	drain   *time.Timer // ends work when the drain time is over
	leaving time.Time   // since when

	status  shardStatus
	unparks chan unpark
	done    chan struct{}
	cause   error // why it ended, nil at the shard's end; valid after done
}

func newTenure(ctx context.Context, w *worker, row shard.Lease, from string) *tenure {
	t := &tenure{worker: w, row: row, from: from, unparks: make(chan unpark), done: make(chan struct{})}
	t.life, t.lose = context.WithCancelCause(ctx)
	t.renew()
	t.status.init(row)
	return t
}

// renew makes the contexts of another go at the shard.
func (t *tenure) renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.work, t.stopWork = context.WithCancelCause(t.life)
	t.reading, t.stopReading = context.WithCancelCause(t.work)
	t.to, t.leaving = "", time.Time{}
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
	t.leaving, t.to = time.Now(), to
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
			if w.stopping() {
				t.leave(ErrStopping, "")
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
		if cause == nil {
			if e, ok := w.cfg.Handler.(ShardEnder); ok {
				e.ShardEnded(t.row.Shard)
			}
		} else if l, ok := w.cfg.Handler.(ShardLoser); ok && t.status.begun.Load() {
			l.ShardLost(t.row.Shard, cause)
		}
		w.log.Info("shard left", "shard", t.row.Shard, "cause", cause, "at", t.row.Checkpoint, "to", event.To, "took", event.Took)
		fire(w.cfg.Hooks.ShardLeft, event)
		return
	}
}

// once works the shard from the row's checkpoint to the end of one loop, and
// writes what that came to. Again means that the lease is still held and the
// shard to be begun anew.
func (t *tenure) once() (cause error, again bool) {
	running := t.worker.runningIn(t.row.Shard)
	start, err := t.begin(running)
	if err != nil {
		return t.endWithout()
	}
	parked, err := t.loadParked("")
	if err != nil {
		return t.endWithout()
	}
	keeper := newKeeper(t.worker, t.writer(), t.work, t.row)
	loop := t.newLoop(keeper, running, start)
	loop.parking = loop.newParking(t.row, parked)
	out := t.drive(loop, start)
	keeper.rest()
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
		return t.end(loop, keeper.progress())
	case outcomeLeave:
		return t.letGo(keeper.progress())
	case outcomeRestart:
		return nil, true
	}
	return ErrLeaseLost, false
}

// begin waits until no handler of an earlier tenure of this shard runs in this
// process any more, finds out where to begin, and tells the handler.
func (t *tenure) begin(running *atomic.Int64) (start, error) {
	for running.Load() > 0 {
		if err := clock.Sleep(t.reading, 100*time.Millisecond); err != nil {
			return start{}, err
		}
	}
	s, err := t.claim(fromRow(t.row))
	if err != nil {
		return s, err
	}
	if starter, ok := t.worker.cfg.Handler.(ShardStarter); ok {
		if err := t.tell(starter, s.from.Position); err != nil {
			return s, err
		}
	}
	if h, ok := t.worker.cfg.Handler.(Stateful); ok {
		if s.inherited, err = t.restore("", h); err != nil {
			return s, err
		}
	}
	return s, t.reading.Err()
}

// tell tells the handler that the shard starts.
func (t *tenure) tell(starter ShardStarter, after shard.Position) error {
	for try := 1; ; try++ {
		err := starter.ShardStarted(t.reading, ShardStart{Shard: t.row.Shard, After: after, Fence: t.worker.fence(t.row)})
		if err == nil {
			t.status.begun.Store(true) // so that its end will be told, too
			return t.reading.Err()
		}
		t.worker.note(t.row.Shard, fmt.Errorf("start shard: %w", err))
		if err := clock.Sleep(t.reading, backoff(try, 100*time.Millisecond, 10*time.Second)); err != nil {
			return err
		}
	}
}

// endWithout ends a tenure that has read nothing.
func (t *tenure) endWithout() (error, bool) {
	if context.Cause(t.reading) == ErrLeaseLost {
		return ErrLeaseLost, false
	}
	return t.letGo(checkpoint.Progress{Position: t.row.Checkpoint, Arrived: t.row.LastArrival})
}

// newLoop makes the loop that works the shard from where it begins.
func (t *tenure) newLoop(k *keeper, running *atomic.Int64, begun start) *shardLoop {
	w := t.worker
	cfg := &w.cfg
	from, floor := begun.from, fromRow(t.row).from
	l := &shardLoop{
		cfg: cfg, worker: w, shard: t.row.Shard, fence: w.fence(t.row), policy: w.policy, seat: k.sit("", floor, &t.status), floor: floor,
		reading: t.reading, work: t.work, stopWork: t.stopWork,
		tracker:  checkpoint.NewTracker(from),
		gathered: w.budget.enter(), started: -1, running: running,
		suspect: t.row.Suspect, crashes: t.row.SuspectCrashes,
		isolate:  t.row.Suspect.IsRecord() || t.row.OwnerSwitches >= crashLoop,
		suspects: w.cfg.MaximumInFlight + largestRead,
		chunks:   make(chan fetched), settled: make(chan settlement),
		status: &t.status, readUpTo: from.ReadUpTo, wakes: newWakes(cfg.Handler), acks: newAcks(),
		gate: batching.NewGate(cfg.KeyLimit), pauses: w.keyPauses.watch(), unparks: t.unparks,
	}
	if h, ok := cfg.Handler.(Stateful); ok {
		l.keeping.begin(h, begun)
	}
	l.split, l.lanes = w.newLanes()
	return l
}

// crashLoop is how many acquisitions without one checkpoint in between make a
// shard suspect: two owners have died on it.
const crashLoop = 3

// largestRead is how many records one read brings at most, by the limit of
// GetRecords; a read is taken whole, so that so many more can be in flight.
const largestRead = 10_000

// drive runs the fetcher and the loop, and waits for both.
func (t *tenure) drive(l *shardLoop, begun start) outcome {
	w := t.worker
	after := begun.from.Position
	event := ShardStartedEvent{Worker: w.session.id, Shard: l.shard, After: after, Fence: l.fence, From: t.from, Isolated: l.isolate}
	w.log.Info("shard started", "shard", l.shard, "after", after, "from", t.from, "fence", l.fence.String(), "isolated", l.isolate)
	t.status.begun.Store(true)
	fire(w.cfg.Hooks.ShardStarted, event)
	fetching, stopFetching := context.WithCancel(t.reading)
	f := &fetcher{
		worker: w, shard: l.shard, chunks: l.chunks, status: &t.status,
		reader: w.cfg.Source.Open(shard.Start{
			Stream: w.stream, Shard: l.shard, After: w.startOf(after), LastArrival: begun.from.Arrived, ReadUpTo: begun.from.ReadUpTo,
		}),
	}
	var fetcherDone sync.WaitGroup
	fetcherDone.Go(func() { f.run(fetching) })
	out := l.run()
	stopFetching()
	fetcherDone.Wait()
	return out
}

func (t *tenure) writer() *rowWriter {
	w := t.worker
	return &rowWriter{me: w.session.id, table: w.cfg.Leases, limit: w.timing.tableCall, hooks: &w.cfg.Hooks, shard: t.row.Shard}
}

// newLanes makes the lanes of a shard.
func (w *worker) newLanes() (batching.Lanes, []laneState) {
	cfg := &w.cfg
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

package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// Consumer works the shards of a stream together with every other Consumer of
// the same name.
type Consumer struct {
	cfg Config

	mu     sync.Mutex
	worker *worker // while Run runs
}

// New checks a config and makes a consumer of it. It does no I/O. Every problem
// is reported at once.
func New(cfg Config) (*Consumer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.filters, _ = cfg.compileFilters() // validated
	cfg.Handlers = slices.Clone(cfg.Handlers)
	for i := range cfg.Handlers {
		cfg.Handlers[i].Handler = cfg.inWindows(cfg.Handlers[i].Handler)
	}
	if cfg.Handler != nil {
		cfg.Handler = cfg.inWindows(cfg.Handler)
	}
	return &Consumer{cfg: cfg}, nil
}

// Run works until ctx ends, and returns when everything has ended: handlers have
// returned, positions are written, shards are handed over. When ctx ends,
// reading stops at once and running handlers get DrainTimeout.
//
// It returns nil when it ended because ctx or Until said so. It returns an error
// at once if the stream or a table is missing or another's, or a permission on the
// tables is, and tries for a minute if AWS does not answer; after it has started, it
// goes on through any outage.
func (c *Consumer) Run(ctx context.Context) error {
	w, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		c.mu.Lock()
		c.worker = nil
		c.mu.Unlock()
	}()
	return w.run(ctx)
}

func (c *Consumer) begin(ctx context.Context) (*worker, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worker != nil {
		return nil, ErrRunning
	}
	c.worker = newWorker(c.cfg, clock.From(ctx), dice.From(ctx))
	return c.worker, nil
}

// Release hands one shard over to the least loaded other worker and waits until
// it has let go. It is ErrNotHeld if this worker does not work the shard,
// ErrNobodyElse if no other could, and ErrStuck if a handler of the shard ignores
// the end of its context: then the worker keeps the lease, or lets it run out.
func (c *Consumer) Release(ctx context.Context, shardID string) error {
	c.mu.Lock()
	w := c.worker
	c.mu.Unlock()
	if w == nil {
		return fmt.Errorf("release %s: %w", shardID, ErrNotHeld)
	}
	f := w.currentFleet()
	if f == nil {
		return fmt.Errorf("release %s: %w", shardID, ErrNotHeld)
	}
	t := f.heldShard(shardID)
	if t == nil {
		return fmt.Errorf("release %s: %w", shardID, ErrNotHeld)
	}
	to := f.heir()
	if to == "" {
		return fmt.Errorf("release %s: %w", shardID, ErrNobodyElse)
	}
	t.leave(ErrHandedOver, to)
	select {
	case <-t.done:
		if w.runningIn(shardID).Load() > 0 {
			return fmt.Errorf("release %s: %w", shardID, ErrStuck)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("release %s: %w", shardID, context.Cause(ctx))
	}
}

// startTimeout is how long Run tries to reach the stream and the tables before
// it gives up. Longer than a throttled control plane takes to calm down, shorter
// than anybody waits for a deploy to fail.
const startTimeout = time.Minute

// run is Consumer.Run.
func (w *worker) run(ctx context.Context) error {
	stop, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.stop, w.cancel = stop, cancel
	defer w.stopBreakers()
	if err := w.prepare(stop); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start %s: %w", w.cfg.Name, err)
	}
	if err := w.lookAround(stop); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start %s: %w", w.cfg.Name, err)
	}
	for stop.Err() == nil {
		err := w.live(stop)
		if err != nil && stop.Err() == nil {
			w.log.Warn("session is over, starting another", "error", err)
		}
	}
	if w.leftBehind() {
		cancel(fmt.Errorf("stop %s: %w", w.cfg.Name, ErrStuck))
		w.setFailure(ErrStuck)
	}
	return w.failed()
}

// prepare finds out which stream this is, and that the tables are its own.
func (w *worker) prepare(ctx context.Context) error {
	deadline := w.clock.Elapsed() + startTimeout
	for try := 1; ; try++ {
		w.loops.alone(w.clock)
		err := w.prepareOnce(ctx)
		final := errors.Is(err, shard.ErrNoStream) || errors.Is(err, checkpoint.ErrNoTable) ||
			errors.Is(err, checkpoint.ErrOtherStream) || errors.Is(err, checkpoint.ErrRecreated) ||
			errors.Is(err, errBudget)
		// A missing permission is not final: what is granted takes seconds to be seen
		// everywhere (IAM is eventually consistent), and a role is often made in the same
		// deployment as its workers.
		if err == nil || final || w.clock.Elapsed() >= deadline {
			return err
		}
		w.log.Warn("cannot start yet", "error", err)
		if sleepErr := clock.Sleep(ctx, backoff(w.dice, try, 200*time.Millisecond, 5*time.Second, "start")); sleepErr != nil {
			return err
		}
	}
}

var errBudget = errors.New("memory budget is too small")

func (w *worker) prepareOnce(ctx context.Context) error {
	if w.cfg.StartingPosition.IsLatest() && w.streams == nil {
		// Before the tip is pinned: what is closed in this listing ends before it.
		listed, err := w.listShards(ctx)
		if err != nil {
			return fmt.Errorf("list the shards: %w", err)
		}
		w.beforeTip = listed
	}
	stream, err := w.describe(ctx)
	if err != nil {
		return fmt.Errorf("describe the stream: %w", err)
	}
	w.stream = stream
	w.serviceSaid(stream.Now)
	unread := w.cfg.Source.Open(shard.Start{Stream: stream})
	need := unread.MaxBytes()
	if err := closeReader(unread); err != nil {
		return fmt.Errorf("close a reader that has not read: %w", err)
	}
	if need > w.cfg.MemoryBudget {
		return fmt.Errorf("MemoryBudget is %d bytes, but one read can bring %d: %w", w.cfg.MemoryBudget, need, errBudget)
	}
	// Creating tables takes longer than a call to them.
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := w.cfg.Leases.Prepare(ctx, stream); err != nil {
		return fmt.Errorf("prepare the lease table: %w", err)
	}
	if table, ok := w.cfg.Leases.(checkpoint.Parking); ok && w.cfg.Park.on() {
		if err := table.PrepareParking(ctx); err != nil {
			return fmt.Errorf("prepare the table of parked records: %w", err)
		}
	}
	if states := w.states(); states != nil {
		if err := states.PrepareStates(ctx); err != nil {
			return fmt.Errorf("prepare the state table: %w", err)
		}
	}
	return nil
}

// live works under one session until stop ends or the session is over.
func (w *worker) live(stop context.Context) error {
	// The life of a session goes on when the run is told to stop, until every
	// shard has been let go.
	life, end := context.WithCancelCause(context.WithoutCancel(stop))
	defer end(nil)
	s := &session{
		id: newWorkerID(w.dice, w.cfg.WorkerPrefix), clock: w.clock, dice: w.dice, table: w.cfg.Leases, timing: w.timing, loops: &w.loops, maxLeases: w.cfg.MaximumLeases,
	}
	gen, _ := tableCall(stop, w, func(ctx context.Context) (int64, error) { return w.pace.begin(ctx), nil })
	s.shareGen.Store(gen)
	if err := s.register(stop); err != nil {
		return err
	}
	w.session = s
	f := newFleet(life, w, s)
	w.orphans = nil
	w.setFleet(f)
	w.log.Info("worker registered", "worker", s.id)
	fire(w.cfg.Hooks.SessionStarted, SessionEvent{Worker: s.id})

	var pulse sync.WaitGroup
	h := &heart{fleet: f, end: end}
	pulse.Go(func() { h.beat(life) })
	pulse.Go(func() { h.mailbox(life) })
	pulse.Go(func() { h.steer(life) })
	if w.streams != nil {
		pulse.Go(func() { f.watchStreams(life) })
	}
	f.run(life, stop)
	over := context.Cause(life)
	end(nil)
	pulse.Wait()
	if over != nil {
		fire(w.cfg.Hooks.SessionLost, SessionEvent{Worker: s.id, Err: over})
		return over
	}
	f.goAway(context.WithoutCancel(stop))
	fire(w.cfg.Hooks.SessionLost, SessionEvent{Worker: s.id, Err: ErrStopping})
	return nil
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// worker is one run of a consumer: what its shards share. Session and fleet are
// replaced when a session is over; nothing of the old one runs by then.
type worker struct {
	cfg    Config
	log    *slog.Logger
	clock  clock.Clock
	dice   dice.Dice
	timing timing
	parts  []part // the handlers

	stream  shard.Stream
	streams shard.Streams // nil: there is one
	// beforeTip is what was listed before the stream was described, for a first
	// start at LATEST; nil for every other.
	beforeTip []shard.Shard
	budget    *budget
	pace      *pace
	limiter   *rate.Limiter     // nil: unlimited
	keyPauses keyPauses         // which keys wait because somebody said so
	orphans   map[string]orphan // leases that were watched before the run began, for its first session
	beats     chan struct{}

	stop    context.Context // ends when the run is to end
	cancel  context.CancelCauseFunc
	session *session
	fleet   *fleet

	loops loops

	service atomic.Int64 // how far the service's clock is ahead of this host's, in nanoseconds

	mu      sync.Mutex
	running map[string]*atomic.Int64  // handler calls by shard, whatever the session
	fences  map[string]batching.Fence // the greatest of each shard, likewise: see parting
	failure error
	notes   map[noteKey]string // the last error of each shard's handlers or destinations

	streamStates []StreamStatus // of many streams, by name
	streamsError string         // why their list could not be had
	// neighbours are the workers of another library that were seen at work, and
	// when last, on the worker's clock.
	neighbours map[string]time.Duration
}

// noLimit is how many handler calls run at once where nobody set a limit.
const noLimit = math.MaxInt32

func newWorker(cfg Config, c clock.Clock, d dice.Dice) *worker {
	w := &worker{
		cfg: cfg, log: cfg.Logger.With("application", cfg.Name), clock: c, dice: d,
		timing:  timingOf(cfg.LeaseDuration, cfg.DrainTimeout),
		parts:   cfg.parts(),
		budget:  newBudget(cfg.MemoryBudget),
		beats:   make(chan struct{}, 1),
		running: map[string]*atomic.Int64{}, fences: map[string]batching.Fence{}, notes: map[noteKey]string{},
		neighbours: map[string]time.Duration{},
	}
	w.loops.begin(c)
	w.streams, _ = cfg.Source.(shard.Streams)
	w.pace = newPace(cfg.Leases, or(cfg.MaximumConcurrency, noLimit), &w.keyPauses)
	for i := range w.parts {
		p := &w.parts[i]
		p.breaker = newBreaker(cfg.Breaker, func(state batching.BreakerState, err error) { w.breakerChanged(p.name, state, err) })
	}
	if cfg.RecordsPerSecond > 0 {
		// A burst of a second's records, so that a batch need not be cut.
		w.limiter = rate.NewLimiter(rate.Limit(cfg.RecordsPerSecond), max(1, int(cfg.RecordsPerSecond)))
	}
	return w
}

// tableCall makes one call with the time that one call may take.
func tableCall[T any](ctx context.Context, w *worker, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timing.tableCall)
	defer cancel()
	return f(ctx)
}

func tableDo(ctx context.Context, w *worker, f func(context.Context) error) error {
	_, err := tableCall(ctx, w, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

// stopBreakers ends what the breakers have started.
func (w *worker) stopBreakers() {
	for _, p := range w.parts {
		p.breaker.stop()
	}
}

// breakerState is that of the first breaker that is not closed.
func (w *worker) breakerState() batching.BreakerState {
	for _, p := range w.parts {
		if state := p.breaker.state(); state != batching.BreakerClosed {
			return state
		}
	}
	return batching.BreakerClosed
}

// breakerChanged tells of the state of a handler's breaker.
func (w *worker) breakerChanged(handler string, state batching.BreakerState, err error) {
	if state != batching.BreakerProbing {
		w.log.Warn("the breaker is "+state.String(), append(ofHandler(handler), "error", w.cfg.saying(err))...)
	}
	event := BreakerEvent{Handler: handler, State: state, Err: err}
	if f := w.currentFleet(); f != nil {
		event.Worker = f.session.id
	}
	fire(w.cfg.Hooks.BreakerChanged, event)
}

// fence is the token of a tenure that begins with this row.
func (b branch) fence(row shard.Lease) batching.Fence {
	return batching.Fence{Stream: b.stream.CreatedAt.UnixMilli(), Counter: row.Counter}
}

// runningIn counts the handler calls of a shard that have not returned, over all
// tenures of this process.
func (w *worker) runningIn(shardID string) *atomic.Int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.running[shardID]
	if n == nil {
		n = new(atomic.Int64)
		w.running[shardID] = n
	}
	return n
}

// forget drops what is remembered of shards that are not known any more.
func (w *worker) forget(known map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.running, func(id string, n *atomic.Int64) bool { return !known[id] && n.Load() == 0 })
	maps.DeleteFunc(w.fences, func(id string, _ batching.Fence) bool { return !known[id] })
	maps.DeleteFunc(w.notes, func(k noteKey, _ string) bool { return !known[k.shard] })
}

// leftBehind reports whether a handler call is running, which at the end of a
// run is one that ignored the end of its context.
func (w *worker) leftBehind() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.running {
		if n.Load() > 0 {
			return true
		}
	}
	return false
}

// serviceSaid notes the service's clock, and serviceNow reads it: what is
// compared with a service's timestamp is compared with this.
func (w *worker) serviceSaid(now time.Time) {
	if !now.IsZero() {
		w.service.Store(int64(time.Until(now)))
	}
}

func (w *worker) serviceNow() time.Time { return time.Now().Add(time.Duration(w.service.Load())) }

// stopping reports whether the run is to end.
func (w *worker) stopping() bool { return w.stop.Err() != nil }

// fail ends the run with an error; the first one stands.
func (w *worker) fail(err error) {
	w.setFailure(err)
	w.cancel(err)
}

// finished ends the run as Until said.
func (w *worker) finished() { w.cancel(nil) }

func (w *worker) setFailure(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		w.failure = err
	}
}

func (w *worker) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

// noteKey is what an error is kept under.
type noteKey struct{ shard, handler string }

// note keeps the last error of a shard's handler or destination for Status, and
// logs it.
func (w *worker) note(shardID, handler string, err error) {
	text := w.cfg.saying(err)
	w.mu.Lock()
	w.notes[noteKey{shardID, handler}] = text
	w.mu.Unlock()
	w.log.Warn("batch failed", append(ofHandler(handler), "shard", shardID, "error", text)...)
}

func (w *worker) noted(shardID, handler string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notes[noteKey{shardID, handler}]
}

// ofHandler names the handler in a line of the log, where there are several.
func ofHandler(name string) []any {
	if name == "" {
		return nil
	}
	return []any{"handler", name}
}

// reportLoss tells of records that were trimmed unread, and reports whether the
// run goes on. Handler is who alone has lost them, where there are several.
func (w *worker) reportLoss(loss shard.Loss, handler string) bool {
	w.log.Error("records were trimmed before they were read", "shard", loss.Shard, "after", loss.After, "until", loss.Until,
		"last_arrival", loss.LastArrival, "first_arrival", loss.FirstArrival)
	fire(w.cfg.Hooks.Loss, LossEvent{Worker: w.session.id, Handler: handler, Loss: loss})
	if w.cfg.OnLoss == StopOnLoss {
		w.fail(fmt.Errorf("%s: %w", loss, ErrLoss))
		return false
	}
	return true
}

// childrenOf asks the listing for a shard's children, for as long as it takes.
func (w *worker) childrenOf(ctx context.Context, b branch) ([]shard.Shard, error) {
	for try := 1; ; try++ {
		listed, err := b.list(ctx)
		if err == nil {
			return shard.NewLineage(listed, nil).Children(b.id), nil
		}
		if errors.Is(err, shard.ErrNoStream) && w.streamGone(ctx, b.id, err) {
			return nil, err
		}
		if err := clock.Sleep(ctx, backoff(w.dice, try, 100*time.Millisecond, 5*time.Second, "children", b.id)); err != nil {
			return nil, err
		}
	}
}

// tell puts a hint into a peer's inbox.
func (w *worker) tell(ctx context.Context, to string, h shard.Hint) error {
	err := tableDo(ctx, w, func(ctx context.Context) error { return w.cfg.Leases.Tell(ctx, to, h) })
	if err != nil {
		w.log.Debug("tell", "worker", to, "hint", h.Kind, "error", err)
	}
	return err
}

func (w *worker) setFleet(f *fleet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fleet = f
}

func (w *worker) currentFleet() *fleet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fleet
}

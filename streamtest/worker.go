package streamtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/internal/clock"
)

// Accept is a handler that finishes everything at once.
var Accept consumer.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil })

// Worker is one worker of a rig.
type Worker struct {
	// Name is what faults are aimed at; the worker's id begins with it.
	Name string
	// Consumer is the worker itself.
	Consumer *consumer.Consumer

	rig    *Rig
	gate   gate
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; valid after done

	mu     sync.Mutex
	resume []func() // of pauses and cuts that are still on
	killed bool
}

func newWorker(r *Rig, c Clock, name string, cfg *consumer.Config) *Worker {
	w := &Worker{Name: name, rig: r, done: make(chan struct{})}
	ctx := clock.With(context.Background(), &gatedClock{Clock: c, gate: &w.gate, start: time.Now()})
	for _, with := range r.contexts {
		ctx = with(ctx, name)
	}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.observe(cfg)
	return w
}

// observe has the ledger note what the worker does.
func (w *Worker) observe(cfg *consumer.Config) {
	handler := cfg.Handler
	seen := &observed{worker: w, Handler: handler}
	cfg.Handler = seen
	waker, wakes := handler.(consumer.Waker)
	keeper, keeps := handler.(consumer.Stateful)
	switch {
	case wakes && keeps:
		cfg.Handler = &observedBoth{observedWaker: &observedWaker{observed: seen, waker: waker}, Stateful: keeper}
	case wakes:
		cfg.Handler = &observedWaker{observed: seen, waker: waker}
	case keeps:
		cfg.Handler = &observedStateful{observed: seen, Stateful: keeper}
	}
	started, left := cfg.Hooks.ShardStarted, cfg.Hooks.ShardLeft
	cfg.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
		w.rig.checker.Started(w.Name, e.Worker, e.Shard, e.After, e.Fence)
		if started != nil {
			started(e)
		}
	}
	cfg.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) {
		w.rig.checker.Left(w.Name, e.Shard)
		if left != nil {
			left(e)
		}
	}
	loss, gaveUp := cfg.Hooks.Loss, cfg.Hooks.GaveUp
	cfg.Hooks.Loss = func(e consumer.LossEvent) {
		w.rig.checker.Lost(e.Loss)
		if loss != nil {
			loss(e)
		}
	}
	cfg.Hooks.GaveUp = func(e consumer.GaveUpEvent) {
		if !w.rig.witness {
			w.rig.checker.GaveUp(e.Failure)
		}
		if gaveUp != nil {
			gaveUp(e)
		}
	}
}

func (w *Worker) run() {
	defer close(w.done)
	w.err = w.Consumer.Run(w.ctx)
}

// Stop stops the worker gently, waits until it has ended, and returns what Run
// returned and how long that took.
func (w *Worker) Stop() (took time.Duration, err error) {
	began := time.Now()
	w.cancel()
	<-w.done
	return time.Since(began), w.err
}

// Wait waits until the worker has ended by itself.
func (w *Worker) Wait() error {
	<-w.done
	return w.err
}

// Done is closed when the worker has ended.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Kill takes the worker away without a word: nothing it does from now on has any
// effect outside it, and it does not learn of it.
func (w *Worker) Kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed {
		return
	}
	w.killed = true
	heal := w.rig.AWS.Cut(w.Name, "")
	w.resume = append(w.resume, heal)
	w.gate.shut()
	w.rig.checker.Killed(w.Name)
}

// Pause stops the worker where it stands, as SIGSTOP does: its clock goes on,
// and nothing else. Resume lets it go on.
func (w *Worker) Pause() (resume func()) {
	open := w.rig.AWS.Pause(w.Name)
	w.gate.shut()
	w.rig.checker.Asleep(w.Name, true)
	resume = sync.OnceFunc(func() {
		w.gate.open()
		open()
		w.rig.checker.Asleep(w.Name, false)
	})
	w.mu.Lock()
	w.resume = append(w.resume, resume)
	w.mu.Unlock()
	return resume
}

// Cut breaks the worker's connections to a service (kinesis, dynamodb), or to
// all with an empty name, until heal is called.
func (w *Worker) Cut(service string) (heal func()) {
	heal = sync.OnceFunc(w.rig.AWS.Cut(w.Name, service))
	w.mu.Lock()
	w.resume = append(w.resume, heal)
	w.mu.Unlock()
	return heal
}

// end brings the worker to its end whatever was done to it: a killed one runs to
// where it finds its session over, without any effect.
func (w *Worker) end() {
	w.cancel()
	w.mu.Lock()
	resume := w.resume
	if w.killed {
		resume = nil // what is dead stays cut off
		w.gate.open()
	}
	w.mu.Unlock()
	for _, f := range resume {
		f()
	}
	<-w.done
}

// observed notes every call of a handler in the ledger, and holds it while its
// worker is paused.
type observed struct {
	worker *Worker
	consumer.Handler
}

// observedStateful is one that keeps state beside.
type observedStateful struct {
	*observed
	consumer.Stateful
}

// observedBoth is one that is woken and keeps state.
type observedBoth struct {
	*observedWaker
	consumer.Stateful
}

// errNoAnswer is what the ledger notes of a call that panicked or ended its
// goroutine.
var errNoAnswer = errors.New("the handler did not return")

// Handle calls the handler between two entries of the ledger.
func (o *observed) Handle(ctx context.Context, b *batching.Batch) (err error) {
	o.worker.gate.pass()
	if len(b.Records) == 0 { // the last call for a window
		defer o.worker.gate.pass()
		return o.Handler.Handle(ctx, b)
	}
	call := o.worker.rig.checker.Began(o.worker.Name, b)
	err = errNoAnswer
	defer func() {
		o.worker.gate.pass()
		o.worker.rig.checker.Ended(call, b, err)
	}()
	err = o.Handler.Handle(ctx, b)
	return err
}

// ShardStarted passes on the start of a shard, if the handler asks for it.
func (o *observed) ShardStarted(ctx context.Context, s consumer.ShardStart) error {
	if h, ok := o.Handler.(consumer.ShardStarter); ok {
		return h.ShardStarted(ctx, s)
	}
	return nil
}

// ShardLost passes on the loss of a shard.
func (o *observed) ShardLost(shardID string, cause error) {
	if h, ok := o.Handler.(consumer.ShardLoser); ok {
		h.ShardLost(shardID, cause)
	}
}

// ShardEnded passes on the end of a shard.
func (o *observed) ShardEnded(shardID string) {
	if h, ok := o.Handler.(consumer.ShardEnder); ok {
		h.ShardEnded(shardID)
	}
}

// observedWaker is an observed handler that is also called without records.
type observedWaker struct {
	*observed
	waker consumer.Waker
}

// WakeAt asks the handler.
func (o *observedWaker) WakeAt(shardID string) (time.Time, bool) { return o.waker.WakeAt(shardID) }

// Wake calls the handler, and holds the call while its worker is paused.
func (o *observedWaker) Wake(ctx context.Context, w *batching.Wake) error {
	o.worker.gate.pass()
	defer o.worker.gate.pass()
	return o.waker.Wake(ctx, w)
}

// gate holds whoever passes while it is shut.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil while open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) pass() {
	for {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed == nil {
			return
		}
		<-closed
	}
}

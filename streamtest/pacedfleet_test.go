package streamtest_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard/shardtest"
)

// paced is a fleet with a gauge of the handlers that run.
type paced struct {
	t      *testing.T
	stream *shardtest.Stream
	table  *checkpointtest.Table
	steer  *consumer.Steering
	r      *rand.Rand

	mu      sync.Mutex
	workers map[string]*pacedWorker
	running map[*pacedCall]bool
	peak    int
	handled map[string]bool
	started int // calls
	// allowed is the highest limit since the fleet was last known to keep to
	// one, and limit the one that is set; math.MaxInt without.
	allowed, limit int
	lowered        time.Time // when it was last lowered
	// isolates is set if deaths have a shard's records handled one by one, each
	// alone in its process: the limit can then not be used up.
	isolates bool
}

// pacedCall is one call of a handler.
type pacedCall struct{ worker, session string }

// pacedWorker is one worker, whose host can be stopped.
type pacedWorker struct {
	name   string
	cancel context.CancelFunc
	done   chan error
	start  time.Time

	mu      sync.Mutex
	session string
	frozen  chan struct{} // nil: its host runs
	dead    bool          // it stays frozen
	cut     bool
}

// Elapsed is its clock: whoever reads it while the host is stopped waits.
func (w *pacedWorker) Elapsed() time.Duration {
	w.pass()
	return time.Since(w.start)
}

func (w *pacedWorker) pass() {
	for {
		w.mu.Lock()
		frozen := w.frozen
		w.mu.Unlock()
		if frozen == nil {
			return
		}
		<-frozen
	}
}

func (w *pacedWorker) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen == nil {
		w.frozen = make(chan struct{})
	}
}

func (w *pacedWorker) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen != nil {
		close(w.frozen)
		w.frozen = nil
	}
}

func (w *pacedWorker) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

func newPaced(t *testing.T, r *rand.Rand) *paced {
	p := &paced{
		t: t, r: r, stream: shardtest.NewStream(6), table: checkpointtest.NewTable(),
		workers: map[string]*pacedWorker{}, running: map[*pacedCall]bool{}, handled: map[string]bool{},
		allowed: math.MaxInt, limit: math.MaxInt,
	}
	p.steer = consumer.Steer(p.table)
	p.table.Interfere(p.before, nil)
	return p
}

// before is the network between a worker and the table.
func (p *paced) before(_, caller string) error {
	p.mu.Lock()
	w := p.workers[caller]
	p.mu.Unlock()
	if w == nil {
		return nil
	}
	w.pass()
	time.Sleep(2 * time.Millisecond)
	w.pass()
	if w.isCut() {
		return errors.New("no route to the table")
	}
	return nil
}

func (p *paced) start(name string) {
	w := &pacedWorker{name: name, done: make(chan error, 1), start: time.Now()}
	p.mu.Lock()
	p.workers[name] = w
	p.mu.Unlock()
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: p.stream, Leases: p.table.As(name), WorkerPrefix: name, Logger: slog.New(slog.DiscardHandler),
		LeaseDuration: 5 * time.Second, CheckpointInterval: 2 * time.Second, BatchSize: 1, ParallelizationFactor: 4, MaximumInFlight: 20,
		Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error { return p.handle(ctx, w, b) }),
		Hooks: consumer.Hooks{SessionStarted: func(e consumer.SessionEvent) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.session = e.Worker
		}, ShardStarted: func(e consumer.ShardStartedEvent) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.isolates = p.isolates || e.Isolated
		}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(clock.With(context.Background(), w))
	w.cancel = cancel
	go func() { w.done <- c.Run(ctx) }() // awaited by end
}

// end brings a worker to its end, whatever was done to it.
func (p *paced) end(w *pacedWorker) {
	w.cancel()
	w.mu.Lock()
	w.cut = w.cut || w.dead // what is dead stays cut off
	w.mu.Unlock()
	w.thaw()
	<-w.done
}

// handle is a call that takes a while and minds its context.
func (p *paced) handle(ctx context.Context, w *pacedWorker, b *batching.Batch) error {
	w.pass()
	w.mu.Lock()
	call := &pacedCall{worker: w.name, session: w.session}
	w.mu.Unlock()
	p.mu.Lock()
	p.running[call] = true
	p.started++
	takes := time.Duration(50+p.r.IntN(2000)) * time.Millisecond
	p.mu.Unlock()
	if b.Attempt != 1 {
		p.t.Errorf("a record is at attempt %d, though none has failed", b.Attempt)
	}
	p.check("a handler has begun")
	var err error
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	w.pass()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, call)
	if err == nil {
		p.handled[string(b.First().Data)] = true
	}
	return err
}

// check compares the gauge with what is allowed. Handlers of a host that stands
// still do not run, and those of a worker whose session was revoked may not act
// and are told to end.
func (p *paced) check(when string) {
	sessions, err := p.table.SessionsNow(context.Background())
	if err != nil {
		p.t.Error(err)
	}
	live := map[string]bool{}
	for _, s := range sessions {
		live[s.ID] = s.Alive()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for call := range p.running {
		w := p.workers[call.worker]
		w.mu.Lock()
		if live[call.session] && w.frozen == nil {
			count++
		}
		w.mu.Unlock()
	}
	p.peak = max(p.peak, count)
	if count > p.allowed {
		p.t.Errorf("%s: %d handlers run, and %d are allowed", when, count, p.allowed)
		p.allowed = count // once is enough
	}
}

// look is a check from outside, which learns whether the fleet keeps to its
// limit.
func (p *paced) look() {
	p.check("meanwhile")
	keeps, err := p.steer.FleetKeeps(context.Background())
	if err != nil {
		p.t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if keeps {
		p.allowed = p.limit
	}
}

// set changes the limit; math.MaxInt takes it away.
func (p *paced) set(limit int) {
	p.mu.Lock()
	p.allowed = max(p.allowed, limit)
	if limit < p.limit {
		p.lowered = time.Now()
	}
	p.limit = limit
	p.mu.Unlock()
	to := batching.AtMost(limit)
	if limit == math.MaxInt {
		to = batching.Unlimited
	}
	if err := p.steer.SetFleetConcurrency(context.Background(), to); err != nil {
		p.t.Error(err)
	}
}

// pass lets time pass, with a look every fifth of a second.
func (p *paced) pass(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; time.Sleep(200 * time.Millisecond) {
		p.look()
	}
}

// heal takes away what was done to those that are not dead.
func (p *paced) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		w.mu.Lock()
		dead := w.dead
		if !dead {
			w.cut = false
		}
		w.mu.Unlock()
		if !dead {
			w.thaw()
		}
	}
}

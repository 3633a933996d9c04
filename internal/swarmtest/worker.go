package swarmtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
)

// worker is one worker of a world of fakes.
type worker struct {
	world  *fakes
	name   string
	gate   gate
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; valid after done
	lost   atomic.Int64

	mu     sync.Mutex // guards what is below
	cuts   map[string]int
	killed bool
}

// hostClock is the clock of a worker's host, which goes at its own rate from a
// time of its own. Whoever reads it while the worker stands still waits.
type hostClock struct {
	gate  *gate
	rate  float64
	ahead time.Duration
	start time.Time
}

func (c *hostClock) Elapsed() time.Duration {
	c.gate.pass()
	return c.ahead + time.Duration(float64(time.Since(c.start))*c.rate)
}

// Start implements World.
func (w *fakes) Start(name string, rate float64) {
	by := &worker{world: w, name: name, done: make(chan struct{}), cuts: map[string]int{}}
	ahead := time.Duration(dice.Hash(w.plan.Seed, 0, "boot", name) % uint64(1000*time.Hour))
	ctx := clock.With(context.Background(), &hostClock{gate: &by.gate, rate: rate, ahead: ahead, start: time.Now()})
	ctx, by.cancel = context.WithCancel(dice.With(ctx, dice.Hash(w.plan.Seed, 1, name)))
	w.mu.Lock()
	w.workers[name] = by
	w.order = append(w.order, by)
	w.mu.Unlock()
	c, err := consumer.New(w.config(by))
	if err != nil {
		panic(fmt.Errorf("a plan with a config that is refused: %w", err))
	}
	go func() { // ends with the worker; awaited by Close
		defer close(by.done)
		by.err = c.Run(ctx)
	}()
}

// Stop implements World.
func (w *fakes) Stop(name string) { w.worker(name).cancel() }

// Ended implements World.
func (w *fakes) Ended(name string) bool {
	select {
	case <-w.worker(name).done:
		return true
	default:
		return false
	}
}

// Kill implements World.
func (w *fakes) Kill(name string) {
	by := w.worker(name)
	w.checker.Killed(name)
	by.mu.Lock()
	by.killed = true
	by.mu.Unlock()
	by.cut("", 1)
	by.cancel()
}

// Pause implements World.
func (w *fakes) Pause(name string) (resume func()) {
	by := w.worker(name)
	w.checker.Asleep(name, true)
	by.gate.shut()
	return sync.OnceFunc(func() {
		by.gate.open()
		w.checker.Asleep(name, false)
	})
}

// Cut implements World.
func (w *fakes) Cut(name, service string) (heal func()) {
	by := w.worker(name)
	by.cut(service, 1)
	return sync.OnceFunc(func() { by.cut(service, -1) })
}

func (by *worker) cut(service string, n int) {
	by.mu.Lock()
	defer by.mu.Unlock()
	by.cuts[service] += n
}

func (by *worker) isCut(service string) bool {
	by.mu.Lock()
	defer by.mu.Unlock()
	return by.cuts[""]+by.cuts[service] > 0
}

func (by *worker) isDead() bool {
	by.mu.Lock()
	defer by.mu.Unlock()
	return by.killed
}

// wake lets a worker go on that stands still.
func (by *worker) wake() { by.gate.open() }

// handler is what a worker's records are handled by.
type handler struct{ by *worker }

var errHandler = errors.New("injected: the handler fails")

// Handle takes a time and fails as the plan says, and always on poison.
func (h *handler) Handle(ctx context.Context, b *batching.Batch) (err error) {
	by, w := h.by, h.by.world
	first := b.First().Sequence
	by.gate.pass("handle", b.Shard, first)
	call := w.checker.Began(by.name, b)
	if call != nil {
		w.trace.note("call", by.name+b.Shard+first, b.Last().Sequence)
	}
	err = errors.New("the handler did not return")
	defer func() {
		by.gate.pass("handled", b.Shard, first)
		if !by.isDead() {
			w.checker.Ended(call, b, err)
			w.trace.note("end", by.name+b.Shard+first, fmt.Sprint(err))
		}
	}()
	weather := &w.plan.Weather
	took := w.span(0, w.plan.Settings.Handle, by.name, b.Shard, first, "handle")
	if w.strikes(weather.HandlerSlow, by.name, b.Shard, first, "slow") {
		took *= 10
	}
	if err := clock.Sleep(ctx, took); err != nil { // a panic finds err as it was
		return err
	}
	if w.strikes(weather.HandlerPanics, by.name, b.Shard, first, "panics") {
		panic(errHandler)
	}
	for i := range b.Records {
		if string(b.Records[i].Data) == "poison" {
			if w.draw(b.Shard, first, "names it") < 0.5 {
				return batching.FailFrom(&b.Records[i], errHandler)
			}
			return errHandler
		}
	}
	if w.strikes(weather.HandlerFails, by.name, b.Shard, first, "fails") {
		return errHandler
	}
	return nil
}

// dump is where a worker's failures go.
type dump struct{ by *worker }

func (d *dump) String() string { return "dump" }

// Send takes a time, and accepts as the plan says.
func (d *dump) Send(ctx context.Context, f destination.Failure) error {
	by, w := d.by, d.by.world
	first := f.Records[0].Sequence
	by.gate.pass("send", f.Shard, first)
	if err := clock.Sleep(ctx, w.span(time.Millisecond, 40*time.Millisecond, by.name, f.Shard, first, "send")); err != nil {
		return err
	}
	w.mu.Lock()
	outage := w.outage
	w.mu.Unlock()
	if by.isDead() || outage || w.strikes(w.plan.Weather.DestinationFails, by.name, f.Shard, first, "refuses") {
		return errLost
	}
	w.checker.GaveUp(f)
	w.trace.note("gave up", by.name+f.Shard+first, "")
	by.gate.pass("sent", f.Shard, first)
	if w.strikes(w.plan.Weather.DestinationLost, by.name, f.Shard, first, "lost") {
		return errLost
	}
	return nil
}

// gate holds whoever passes while it is shut. They then go on one after another, as
// all at once what comes first would be a matter of chance: those who make calls
// by what call it is, and the others in the order of the instants at which they came.
type gate struct {
	mu      sync.Mutex
	closed  chan struct{} // nil while open
	last    time.Time     // when somebody came
	waiting int           // at how many instants somebody has
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed, g.waiting = make(chan struct{}), 0
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

// pass waits until the gate is open. Call is what whoever waits is about to do, if
// that is a call.
func (g *gate) pass(call ...string) {
	for {
		g.mu.Lock()
		closed := g.closed
		if now := time.Now(); closed != nil && len(call) == 0 && now.After(g.last) {
			g.last = now
			g.waiting++
		}
		place := g.waiting
		g.mu.Unlock()
		if closed == nil {
			return
		}
		<-closed
		if len(call) > 0 {
			time.Sleep(time.Duration(1 + dice.Hash(0, 0, call...)%uint64(time.Millisecond)))
		} else {
			time.Sleep(time.Duration(1+place) * 1009 * time.Nanosecond)
		}
	}
}

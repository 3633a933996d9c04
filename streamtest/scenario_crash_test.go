package streamtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// points counts the moments in a worker's life at which it can be killed, and
// kills it at one of them: before each of its calls to AWS is applied, after it
// was applied and before the answer, as each handler call begins and ends, and
// as each checkpoint is known to be written.
type points struct {
	at int // the one to kill at

	mu     sync.Mutex
	passed int
	where  string // where it was killed
	victim *streamtest.Worker
	ready  chan struct{} // closed when victim is known
}

// pass reports whether this is the moment.
func (p *points) pass(where string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed++
	if p.passed != p.at {
		return false
	}
	p.where = where
	return true
}

// seen is where the worker was killed; empty if it lives.
func (p *points) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.where
}

func (p *points) kill() {
	<-p.ready
	p.victim.Kill()
}

// watch starts the worker that is to die.
func (p *points) watch(rig *streamtest.Rig, name string, change ...func(*consumer.Config)) {
	p.ready = make(chan struct{})
	rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Caller != name {
			return awsfake.Fault{}
		}
		if p.pass("before " + c.Operation) {
			p.kill()
			return awsfake.Lose()
		}
		if p.pass("after " + c.Operation) {
			p.kill()
			return awsfake.LoseAnswer()
		}
		return awsfake.Fault{}
	})
	change = append(change, func(cfg *consumer.Config) {
		handle := cfg.Handler
		cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			if p.pass("as a call begins") {
				p.kill()
			}
			err := handle.Handle(ctx, b)
			if p.pass("as a call ends") {
				p.kill()
			}
			return err
		})
		cfg.Hooks.BatchDone = func(consumer.BatchEvent) {
			if p.pass("after a call") {
				p.kill()
			}
		}
		cfg.Hooks.Checkpointed = func(consumer.CheckpointEvent) {
			if p.pass("after a checkpoint") {
				p.kill()
			}
		}
	})
	p.victim = rig.Start(name, change...)
	close(p.ready)
}

// A worker is killed at every point of its life, one run for each: at every call
// to AWS, before it is applied and before it is answered, around every handler
// call, behind every checkpoint, and as it stops. Another worker takes over. Every record is
// handled at least once, none out of order, what is repeated is bounded by what
// was in flight or not yet written, and the position never passes what is not
// finished.
func TestScenario40KillAtEveryPoint(t *testing.T) {
	const records, batch = 24, 4
	run := func(t *testing.T, at int) (lived bool) {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1)
			defer rig.Close()
			rig.PutN(records, 6)
			soon := func(c *consumer.Config) {
				c.LeaseDuration, c.BatchSize, c.ParallelizationFactor = 3*time.Second, batch, 2
				c.CheckpointInterval = 20 * time.Millisecond
			}
			p := &points{at: at}
			p.watch(rig, "dying", handling(lingering(10*time.Millisecond)), soon)
			for began := time.Now(); time.Since(began) < 300*time.Millisecond && p.seen() == ""; {
				time.Sleep(10 * time.Millisecond)
			}
			if p.seen() == "" {
				// It has lived through its work, so it dies as it stops.
				stopped := make(chan struct{})
				go func() { // ends with the worker, at Close at the latest
					defer close(stopped)
					_, _ = p.victim.Stop()
				}()
				select {
				case <-stopped:
				case <-time.After(10 * time.Second):
				}
			}
			if lived = p.seen() == ""; lived {
				return
			}
			rig.Start("next", soon)
			rig.Await(fmt.Sprintf("every record, after a death %s (%d)", p.seen(), at), rig.AllDone)
			// Two lanes of four records, and what was finished in the twenty
			// milliseconds before the last write, which is two calls of each.
			if n := rig.Ledger.Repeated(); n > 2*batch*3 {
				t.Errorf("killed %s: %d records were repeated, want at most %d", p.seen(), n, 2*batch*3)
			}
		})
		return lived
	}
	at, step := 1, 1
	if raceEnabled {
		step = 5
	}
	for ; !run(t, at); at += step {
		if t.Failed() {
			t.Fatalf("it failed when killed at point %d", at)
		}
	}
	if at < 60 {
		t.Errorf("there were %d points, want many more: start, reads, calls and checkpoints", at)
	}
	t.Logf("%d points", at-1)
}

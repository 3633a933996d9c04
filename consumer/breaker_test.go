package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard/shardtest"
)

var errDown = errors.New("connection refused")

// outage is what lies behind a handler, and is down for a while.
type outage struct {
	*tally
	from, until time.Time

	mu    sync.Mutex
	calls []time.Time // those that met it
}

func newOutage(in, lasts time.Duration) *outage {
	o := &outage{tally: &tally{}, from: time.Now().Add(in), until: time.Now().Add(in + lasts)}
	o.tally.do = func(context.Context, *batching.Batch) error {
		time.Sleep(50 * time.Millisecond)
		now := time.Now()
		if now.Before(o.from) || !now.Before(o.until) {
			return nil
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.calls = append(o.calls, now)
		return fmt.Errorf("write to the database: %w", errDown)
	}
	return o
}

// What lies behind is down for an hour: once the breaker has opened, no more
// than one call a cooldown meets it. Not one attempt is burnt, so that nothing
// is given up though one failure would be enough, nothing more is read, leases
// stay, and when it is up again everything is handled once.
func TestBreakerMakesOneCallACooldownWhileAllIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cooldown = 30 * time.Second
		stream, table, failed := shardtest.NewStream(3), checkpointtest.NewTable(), &destinationtest.Recorder{}
		o := newOutage(time.Minute, time.Hour)
		states := &diary{}
		var openedAt, reads atomic.Int64
		opened := func() time.Time { return time.Unix(0, openedAt.Load()) }
		cfg := config(stream, table)
		cfg.Handler, cfg.OnFailure, cfg.MaximumRetryAttempts, cfg.BisectBatchOnError = o, failed, batching.AtMost(0), true
		cfg.BatchSize, cfg.ParallelizationFactor = 10, 4
		cfg.Breaker = consumer.Breaker{Failures: 5, Cooldown: cooldown, Surroundings: func(err error) bool { return errors.Is(err, errDown) }}
		cfg.Hooks.BreakerChanged = func(e consumer.BreakerEvent) {
			if e.State == batching.BreakerOpen && openedAt.CompareAndSwap(0, time.Now().UnixNano()) {
				if !errors.Is(e.Err, errDown) {
					t.Errorf("it opened with the error %v", e.Err)
				}
			}
			states.note("%s", e.State)
		}
		cfg.Hooks.Read = func(consumer.ReadEvent) {
			if openedAt.Load() > 0 && time.Now().Before(o.until) && time.Since(opened()) > 5*time.Second {
				reads.Add(1)
			}
		}
		r := start(t, cfg)
		await(t, "the shards", func() bool { return r.holds() == 3 })
		before := owners(t, table)
		put := 0
		for ; put < 3*3600; put++ {
			stream.Put(fmt.Sprint("key-", put%40), []byte(fmt.Sprint(put)))
			time.Sleep(350 * time.Millisecond)
			if put == 1800 && r.Status().Breaker == batching.BreakerClosed {
				t.Errorf("the status does not show that the breaker is open: %+v", r.Status())
			}
		}
		await(t, "everything handled", func() bool { return o.finished() == put })
		if openedAt.Load() == 0 {
			t.Fatal("the breaker never opened")
		}
		// Those that were under way when it opened are not held back.
		var late []time.Time
		for _, at := range o.calls {
			if at.After(opened().Add(100 * time.Millisecond)) {
				late = append(late, at)
			}
		}
		for i := 1; i < len(late); i++ {
			if gap := late[i].Sub(late[i-1]); gap < cooldown {
				t.Errorf("two calls %v apart", gap)
			}
		}
		if n := len(late); n < 100 || n > 121 {
			t.Errorf("%d calls met what was down for an hour with a cooldown of %v", n, cooldown)
		}
		if early := len(o.calls) - len(late); early > 50 {
			t.Errorf("%d calls met it before the breaker opened, want a few tries of five batches", early)
		}
		if n := reads.Load(); n > 0 {
			t.Errorf("%d reads brought records while it was open", n)
		}
		if o.repeats() > 0 || len(failed.Accepted()) > 0 {
			t.Errorf("%d records were repeated and %d batches given up", o.repeats(), len(failed.Accepted()))
		}
		if now := owners(t, table); now != before {
			t.Errorf("leases moved, from\n%s to\n%s", before, now)
		}
		if text := states.text(); !strings.HasPrefix(text, "open; probing; open; probing") || !strings.HasSuffix(text, "probing; closed") {
			t.Errorf("the hook was told %.60s … ", text)
		}
	})
}

// Without Surroundings every error counts and burns attempts, so that with one
// attempt a probe's batch is given up, and no more than one a cooldown.
func TestBreakerWithoutSurroundingsBurnsTheProbesAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, failed := shardtest.NewStream(2), &destinationtest.Recorder{}
		o := newOutage(time.Second, 10*time.Minute)
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.OnFailure, cfg.MaximumRetryAttempts = o, failed, batching.AtMost(0)
		cfg.BatchSize, cfg.Breaker = 1, consumer.Breaker{Failures: 2, Cooldown: time.Minute}
		start(t, cfg)
		for i := range 900 {
			stream.Put(fmt.Sprint("key-", i%20), []byte(fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		await(t, "everything handled", func() bool { return o.finished()+len(failed.Accepted()) == 900 })
		if n := len(failed.Accepted()); n < 8 || n > 13 {
			t.Errorf("%d batches were given up in ten minutes with a cooldown of one, want about ten", n)
		}
	})
}

// A record that always fails does not open the breaker, however often it is
// tried, with bisecting and without, while others succeed or while it is alone.
func TestBreakerIsNotOpenedByOnePoisonRecord(t *testing.T) {
	for name, change := range map[string]func(*consumer.Config){
		"retried":  func(*consumer.Config) {},
		"bisected": func(c *consumer.Config) { c.BisectBatchOnError = true },
		"alone":    func(c *consumer.Config) { c.BatchSize = 1 },
		"one lane": func(c *consumer.Config) { c.ParallelizationFactor = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, failed := shardtest.NewStream(1), &destinationtest.Recorder{}
				h := &tally{do: failOn2("poison")}
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler, cfg.OnFailure, cfg.MaximumRetryAttempts = h, failed, batching.AtMost(20)
				cfg.ParallelizationFactor, cfg.MaximumBackoff = 4, time.Second
				cfg.Breaker = consumer.Breaker{Failures: 2}
				cfg.Hooks.BreakerChanged = func(e consumer.BreakerEvent) { t.Errorf("the breaker is %s: %v", e.State, e.Err) }
				change(&cfg)
				for i := range 50 {
					stream.Put(fmt.Sprint("key-", i%10), []byte(fmt.Sprint(i)))
				}
				stream.Put("key-3", []byte("poison"))
				start(t, cfg)
				await(t, "the record is given up", func() bool { return len(failed.Accepted()) == 1 })
			})
		})
	}
}

// failOn2 fails each batch with a record.
func failOn2(data string) func(context.Context, *batching.Batch) error {
	return func(_ context.Context, b *batching.Batch) error {
		if find(b, data) != nil {
			return errors.New("bad")
		}
		return nil
	}
}

// An error that is not of the surroundings closes the breaker when a probe meets
// it, and does not open it; a probe that is stopped leaves it to others.
func TestBreakerTellsTheSurroundingsFromTheRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, failed := shardtest.NewStream(1), &destinationtest.Recorder{}
		var up atomic.Bool
		h := &tally{do: func(_ context.Context, b *batching.Batch) error {
			if up.Load() {
				return errors.New("bad record")
			}
			return errDown
		}}
		states := &diary{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.OnFailure, cfg.MaximumRetryAttempts = h, failed, batching.AtMost(1)
		cfg.Breaker = consumer.Breaker{Failures: 1, Surroundings: func(err error) bool { return errors.Is(err, errDown) }}
		cfg.Hooks.BreakerChanged = func(e consumer.BreakerEvent) { states.note("%s", e.State) }
		stream.Put("key", []byte("a"))
		r := start(t, cfg)
		await(t, "a probe", func() bool { return h.begun() == 2 })
		if took, err := r.end(); took > time.Second || err != nil {
			t.Errorf("the stop took %v and returned %v", took, err)
		}
		start(t, cfg)
		await(t, "another probe", func() bool { return h.begun() == 4 })
		up.Store(true)
		await(t, "the record is given up", func() bool { return len(failed.Accepted()) == 1 })
		if got := failed.Accepted()[0].Attempts; got != 2 {
			t.Errorf("it was given up after %d attempts, want 2: those while all was down are none", got)
		}
		if got, want := states.text(), "open; probing; open; open; probing; open; probing; closed"; got != want {
			t.Errorf("the hook was told %q, want %q", got, want)
		}
	})
}

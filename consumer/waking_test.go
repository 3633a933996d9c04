package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// sleeper is a handler that wants to be woken, and notes what it is called for.
type sleeper struct {
	at     func(shard string) (time.Time, bool)
	handle func(ctx context.Context, b *batching.Batch) error
	wake   func(ctx context.Context, w *batching.Wake) error

	mu    sync.Mutex
	now   int // calls that run
	calls []string
}

func (s *sleeper) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, what)
}

func (s *sleeper) count(by int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += by
	return s.now
}

func (s *sleeper) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

func (s *sleeper) Handle(ctx context.Context, b *batching.Batch) error {
	s.count(1)
	defer s.count(-1)
	s.note(string(b.First().Data))
	if s.handle != nil {
		return s.handle(ctx, b)
	}
	return nil
}

func (s *sleeper) WakeAt(shard string) (time.Time, bool) {
	if s.at == nil {
		return time.Time{}, false
	}
	return s.at(shard)
}

func (s *sleeper) Wake(ctx context.Context, w *batching.Wake) error {
	if n := s.count(1); n != 1 {
		s.note(fmt.Sprintf("with %d others!", n-1))
	}
	defer s.count(-1)
	s.note(w.Why.String())
	if s.wake != nil {
		return s.wake(ctx, w)
	}
	return nil
}

// A handler is woken at the time that it named, also in a shard where nothing
// happens, and never while another call for the shard runs.
func TestWakeComesInTimeAndAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		began := time.Now()
		next := began.Add(90 * time.Second)
		var woken []time.Duration
		h := &sleeper{handle: busy}
		h.at = func(string) (time.Time, bool) { h.mu.Lock(); defer h.mu.Unlock(); return next, len(woken) < 3 }
		h.wake = func(_ context.Context, w *batching.Wake) error {
			if w.Why == batching.WakeLeaving {
				return nil
			}
			if w.Now.Before(next) || w.Why != batching.WakeDue || w.Shard == "" || w.Token.Counter == 0 {
				t.Errorf("woken with %+v before %v", w, next)
			}
			time.Sleep(time.Second)
			h.mu.Lock()
			defer h.mu.Unlock()
			woken = append(woken, time.Since(began)-time.Second)
			next = next.Add(10 * time.Minute)
			return nil
		}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.ParallelizationFactor, cfg.BatchSize, cfg.DrainTimeout = h, 8, 1, time.Second
		start(t, cfg)
		time.Sleep(time.Hour / 2)
		for i := range 200 {
			stream.Put(fmt.Sprint(i), []byte("r"))
			if i == 100 {
				h.mu.Lock()
				woken, next = woken[:2], time.Now()
				h.mu.Unlock()
			}
		}
		time.Sleep(time.Minute)
		h.mu.Lock()
		first := slices.Clone(woken)
		h.mu.Unlock()
		for i, want := range []time.Duration{90 * time.Second, 690 * time.Second} {
			if got := first[i]; got < want || got > want+time.Second {
				t.Errorf("woken after %v, want %v", got, want)
			}
		}
		if text := h.text(); strings.Contains(text, "!") || strings.Count(text, "r") != 200 || strings.Count(text, "due") != 4 {
			t.Errorf("calls: %s", text)
		}
	})
}

// A wake that fails is made again, after a wait and without the records' having
// to do with it.
func TestFailedWakeIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		h := &sleeper{}
		began, tries := time.Now(), 0
		h.at = func(string) (time.Time, bool) { h.mu.Lock(); defer h.mu.Unlock(); return began, tries < 5 }
		h.wake = func(context.Context, *batching.Wake) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			switch tries++; tries {
			case 1:
				panic("at night")
			case 2:
				return batching.RetryAfter(time.Hour, errClosed)
			case 3, 4:
				return errClosed
			}
			return nil
		}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler = h
		var failed []error
		cfg.Hooks.Woken = func(e consumer.WakeEvent) { failed = append(failed, e.Err) }
		start(t, cfg)
		time.Sleep(30 * time.Minute)
		stream.Put("key", []byte("r"))
		time.Sleep(50 * time.Minute)
		if got := h.text(); got != "due due r due due due" {
			t.Errorf("calls: %s", got)
		}
		var panicked *batching.PanicError
		if len(failed) != 5 || !errors.As(failed[0], &panicked) || failed[4] != nil {
			t.Errorf("told of %v", failed)
		}
	})
}

// Before a shard is let go its handler is told, and what it emits then is
// accepted; and before a shard's end is written, too.
func TestHandlerIsWokenBeforeItsShardIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, out := shardtest.NewStream(1), checkpointtest.NewTable(), &outbox{}
		stream.Put("key", []byte("a"))
		h := &sleeper{}
		fails := 2
		h.wake = func(_ context.Context, w *batching.Wake) error {
			if fails--; fails >= 0 {
				return errClosed
			}
			w.Batch().Emit(batching.Emitted{ID: "last words", Data: []byte(w.Why.String())})
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.EmitTo = h, out
		r := start(t, cfg)
		await(t, "the record", func() bool { return h.text() == "a" })
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
		if got := h.text(); got != "a leaving leaving leaving" {
			t.Errorf("calls: %s", got)
		}
		if _, _, err := stream.Split(onlyRow(t, table).Shard); err != nil {
			t.Fatal(err)
		}
		fails = 1
		out.refuse(true)
		r = start(t, cfg)
		time.Sleep(5 * time.Minute)
		rows, err := table.List(t.Context())
		if err != nil || rows[0].Checkpoint.IsEnd() || r.holds() != 1 {
			t.Errorf("the end is written while what was emitted is refused: %v, %v", rows, err)
		}
		out.refuse(false)
		await(t, "the children", func() bool { return r.holds() == 2 })
		if got := out.text(); got != "leaving ended" {
			t.Errorf("accepted %s", got)
		}
	})
}

// A record that a call without records emits needs an id.
func TestWakeThatEmitsWithoutAnIDFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, h := &outbox{}, &sleeper{}
		h.at = func(string) (time.Time, bool) { return time.Now(), out.text() == "" }
		tries := 0
		h.wake = func(_ context.Context, w *batching.Wake) error {
			e := batching.Emitted{Data: []byte("x")}
			if tries++; tries > 1 {
				e.ID = "x"
			}
			w.Batch().Emit(e)
			return nil
		}
		cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
		cfg.Handler, cfg.EmitTo = h, out
		var said error
		cfg.Hooks.Woken = func(e consumer.WakeEvent) {
			if said == nil {
				said = e.Err
			}
		}
		start(t, cfg)
		await(t, "the second try", func() bool { return out.text() == "x" })
		if said == nil || !strings.Contains(said.Error(), "without ID") {
			t.Errorf("the first try failed with %v", said)
		}
	})
}

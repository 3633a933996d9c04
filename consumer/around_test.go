package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

type aroundKey struct{}

// through is a call that does nothing of its own.
func through(ctx context.Context, b *batching.Batch, next consumer.Handler) error {
	return next.Handle(ctx, b)
}

// lived is a handler that notes what it is told.
type lived struct {
	consumer.HandlerFunc
	told []string
}

func (l *lived) ShardStarted(context.Context, consumer.ShardStart) error {
	l.told = append(l.told, "started")
	return nil
}
func (l *lived) ShardLost(string, error) { l.told = append(l.told, "lost") }
func (l *lived) ShardEnded(string)       { l.told = append(l.told, "ended") }

type waking struct{ *lived }

func (w waking) WakeAt(string) (time.Time, bool) { return time.Time{}, false }
func (w waking) Wake(context.Context, *batching.Wake) error {
	w.told = append(w.told, "woken")
	return nil
}

type stateful struct{ *lived }

func (s stateful) Restore(context.Context, batching.Restored) error { return nil }
func (s stateful) State(string) ([]byte, error)                     { return nil, nil }

func with(cfg consumer.Config, h consumer.Handler) consumer.Config {
	cfg.Handler = h
	return cfg
}

// A handler with something around it is all that it is without, and nothing more:
// whether it keeps a state or is woken has consequences by itself.
func TestAroundHidesNoInterface(t *testing.T) {
	l := &lived{HandlerFunc: func(context.Context, *batching.Batch) error { return nil }}
	for name, h := range map[string]consumer.Handler{
		"plain": l.HandlerFunc, "told": l, "woken": waking{l}, "stateful": stateful{l}, "both": struct {
			*lived
			consumer.Waker
			consumer.Stateful
		}{l, waking{l}, stateful{l}},
	} {
		for depth, w := range []consumer.Handler{consumer.Around(h, through), consumer.Around(consumer.Around(h, through), through)} {
			_, wakes := h.(consumer.Waker)
			_, keeps := h.(consumer.Stateful)
			_, stillWakes := w.(consumer.Waker)
			_, stillKeeps := w.(consumer.Stateful)
			if wakes != stillWakes || keeps != stillKeeps {
				t.Errorf("%s at depth %d: woken %v, want %v; keeps a state %v, want %v", name, depth, stillWakes, wakes, stillKeeps, keeps)
			}
		}
	}
	if consumer.Around(nil, through) != nil {
		t.Error("around nothing is something")
	}
	for what, h := range map[string]consumer.Handler{
		"a nil pointer": consumer.Around((*lived)(nil), through), "what cannot work": consumer.Around(consumer.Each[int](nil), through),
	} {
		_, err := consumer.New(with(config(shardtest.NewStream(1), checkpointtest.NewTable()), h))
		if err == nil || !strings.Contains(err.Error(), "nil") {
			t.Errorf("around %s: %v", what, err)
		}
	}
}

// Calls go through what is around the handler, with their contexts, errors and
// attempts; the shard's life goes by it.
func TestAroundSeesEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		var seen []string
		l := &lived{HandlerFunc: func(ctx context.Context, b *batching.Batch) error {
			if ctx.Value(aroundKey{}) != "here" {
				t.Error("the context is not the one that was given on")
			}
			if b.Attempt == 1 {
				return errors.New("no")
			}
			return nil
		}}
		h := consumer.Around(waking{l}, func(ctx context.Context, b *batching.Batch, next consumer.Handler) error {
			err := next.Handle(context.WithValue(ctx, aroundKey{}, "here"), b)
			seen = append(seen, fmt.Sprint(b.Attempt, " ", err))
			return err
		})
		runToTip(t, with(config(stream, checkpointtest.NewTable()), h))
		if want := []string{"1 no", "2 <nil>"}; !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		if want := []string{"started", "woken", "lost"}; !slices.Equal(l.told, want) {
			t.Errorf("told %q, want %q", l.told, want)
		}
	})
}

// Something around a handler that is made for all records alike.
func ExampleAround() {
	handle := consumer.Each(func(ctx context.Context, n int) error {
		fmt.Println("handle", n)
		return nil
	})
	timed := consumer.Around(handle, func(ctx context.Context, b *batching.Batch, next consumer.Handler) error {
		fmt.Println("before", len(b.Records))
		err := next.Handle(ctx, b)
		fmt.Println("after", err)
		return err
	})
	run(consumer.Config{Source: clicks("1", "2"), Handler: timed})
	// Output:
	// before 2
	// handle 1
	// handle 2
	// after <nil>
}

package consumer_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// closers is a stream whose readers have to be closed.
type closers struct {
	*shardtest.Stream

	mu                  sync.Mutex
	opened, open, wrong int // wrong is how often one was closed twice, or read behind that
}

func (s *closers) Open(start shard.Start) shard.Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	s.open++
	return &closer{Reader: s.Stream.Open(start), of: s}
}

func (s *closers) counts() (opened, open, wrong int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.open, s.wrong
}

type closer struct {
	shard.Reader
	of     *closers
	closed bool
}

func (r *closer) Next(ctx context.Context) (shard.Chunk, error) {
	r.of.mu.Lock()
	if r.closed {
		r.of.wrong++
	}
	r.of.mu.Unlock()
	return r.Reader.Next(ctx)
}

func (r *closer) Close() error {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.closed {
		r.of.wrong++
	}
	r.closed = true
	r.of.open--
	return nil
}

// A reader that keeps a connection is closed when its shard has ended, when the
// shard is handed over, and at the stop: once, and never while it is read.
func TestReadersAreClosedWhenTheyAreNotUsedAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, table := &closers{Stream: shardtest.NewStream(4)}, checkpointtest.NewTable()
		reading := func(r *running) func() bool {
			return func() bool {
				_, open, _ := source.counts()
				return open == 4 && (r == nil || r.holds() == 2)
			}
		}
		first := config(source.Stream, table)
		first.Source, first.Handler = source, &tally{}
		a := start(t, first)
		await(t, "four readers", reading(nil))
		b := start(t, first)
		await(t, "each worker reads two shards", reading(b))
		_, _, _ = source.Split("shardId-000000000000")
		await(t, "the children are read instead of their parent", func() bool {
			_, open, _ := source.counts()
			return open == 5 && a.holds()+b.holds() == 5
		})
		for _, r := range []*running{a, b} {
			if _, err := r.end(); err != nil {
				t.Error(err)
			}
		}
		if opened, open, wrong := source.counts(); open != 0 || wrong != 0 || opened < 8 {
			t.Errorf("of %d readers %d are open at the end, and %d were used behind their end", opened, open, wrong)
		}
	})
}

// A handler that lags behind the others reads by itself for a while: that reader
// is closed when it has caught up, or with the rest.
func TestReadersOfHandlersThatLagAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &closers{Stream: shardtest.NewStream(1)}
		quick, slow := &tally{}, &tally{}
		var mu sync.Mutex
		wait := 20 * time.Second
		slow.do = func(ctx context.Context, _ *batching.Batch) error {
			mu.Lock()
			d := wait
			mu.Unlock()
			select {
			case <-time.After(d):
			case <-ctx.Done():
			}
			return nil
		}
		cfg := config(source.Stream, checkpointtest.NewTable())
		cfg.Source = source
		cfg.Handlers, cfg.BatchSize, cfg.MaximumInFlight = named(quick, slow), 10, 50
		r := start(t, cfg)
		for i := range 60 {
			number(source.Stream, 10*i, 10)
			time.Sleep(time.Second)
		}
		// It may have come up to the others by now, with one large read, and joined.
		await(t, "the slow one has read by itself", func() bool {
			opened, _, _ := source.counts()
			return opened >= 3
		})
		mu.Lock()
		wait = 0
		mu.Unlock()
		await(t, "all is handled, and one reader reads", func() bool {
			_, open, _ := source.counts()
			return open == 1 && slow.finished() == 600
		})
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
		if opened, open, wrong := source.counts(); open != 0 || wrong != 0 || opened < 3 {
			t.Errorf("of %d readers %d are open at the end, and %d were used behind their end", opened, open, wrong)
		}
	})
}

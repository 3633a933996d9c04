package consumer_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// silentOnce is a source whose first reader never answers, as over a connection
// that went dead without a word.
type silentOnce struct {
	*shardtest.Stream
	opened atomic.Int64
}

func (s *silentOnce) Open(start shard.Start) shard.Reader {
	r := s.Stream.Open(start)
	if start.Shard != "" && s.opened.Add(1) == 1 {
		return silentReader{r}
	}
	return r
}

type silentReader struct{ shard.Reader }

func (silentReader) Next(ctx context.Context) (shard.Chunk, error) {
	<-ctx.Done()
	return shard.Chunk{}, ctx.Err()
}

// stalls keeps what the hooks say.
type stalls struct {
	mu    sync.Mutex
	told  []consumer.ShardStalledEvent
	risks []consumer.RetentionRiskEvent
	left  []consumer.ShardLeftEvent
}

func (s *stalls) hooks() consumer.Hooks {
	return consumer.Hooks{
		ShardStalled:  func(e consumer.ShardStalledEvent) { s.mu.Lock(); defer s.mu.Unlock(); s.told = append(s.told, e) },
		RetentionRisk: func(e consumer.RetentionRiskEvent) { s.mu.Lock(); defer s.mu.Unlock(); s.risks = append(s.risks, e) },
		ShardLeft:     func(e consumer.ShardLeftEvent) { s.mu.Lock(); defer s.mu.Unlock(); s.left = append(s.left, e) },
	}
}

// A shard that is leased and not worked, because reading it hangs, is let go and
// begun anew: the sign of life of its worker says nothing about it.
func TestShardThatGetsNowhereIsBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &silentOnce{Stream: shardtest.NewStream(1)}
		source.Put("key", []byte("a"))
		cfg := config(source.Stream, checkpointtest.NewTable())
		seen, handled := &stalls{}, &tally{}
		cfg.Source, cfg.Handler, cfg.Hooks, cfg.StallTimeout = source, handled, seen.hooks(), 30*time.Second
		start(t, cfg)
		began := time.Now()
		await(t, "the record", func() bool { return handled.finished() == 1 })
		if took := time.Since(began); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("the shard was begun anew after %v, want 30 s and some", took)
		}
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.told) != 1 || !seen.told[0].BegunAnew || len(seen.left) != 1 || !errors.Is(seen.left[0].Cause, consumer.ErrStalled) {
			t.Errorf("told %+v, left %+v", seen.told, seen.left)
		}
	})
}

// A handler that takes long is told of once and keeps its shard.
func TestShardWhoseHandlerTakesLongIsToldOfAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		cfg := config(stream, checkpointtest.NewTable())
		seen := &stalls{}
		cfg.Hooks, cfg.StallTimeout = seen.hooks(), 10*time.Second
		var calls atomic.Int64
		cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			calls.Add(1)
			time.Sleep(2 * time.Minute)
			return nil
		})
		start(t, cfg)
		time.Sleep(3 * time.Minute)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.told) != 1 || seen.told[0].Busy != 1 || seen.told[0].BegunAnew || len(seen.left) != 0 || calls.Load() != 1 {
			t.Errorf("told %+v, left %+v, %d calls", seen.told, seen.left, calls.Load())
		}
	})
}

// What has nothing to do, and what somebody holds back, is not stalled.
func TestIdleAndPausedShardsAreNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		cfg := config(stream, checkpointtest.NewTable())
		seen := &stalls{}
		cfg.Handler, cfg.Hooks, cfg.StallTimeout = &tally{}, seen.hooks(), 10*time.Second
		r := start(t, cfg)
		await(t, "the shards", func() bool { return r.holds() == 2 })
		time.Sleep(10 * time.Minute)
		if err := r.Steering().SetFleetConcurrency(t.Context(), batching.AtMost(0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		stream.Put("key", []byte("a"))
		time.Sleep(10 * time.Minute)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.told)+len(seen.left) != 0 {
			t.Errorf("told %+v, left %+v", seen.told, seen.left)
		}
	})
}

// Records that have waited for four fifths of the retention are told of, once;
// and an old mark behind which a young record waits is no risk.
func TestRetentionRiskIsToldOfOldRecordsOnly(t *testing.T) {
	for _, c := range []struct {
		name string
		age  time.Duration
		want int
	}{
		{"old", 20 * time.Hour, 1},
		{"young", 10 * time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				table := checkpointtest.NewTable()
				stream.Put("key", []byte("first"))
				cfg := config(stream, table)
				cfg.Handler = &tally{}
				runToTip(t, cfg)
				time.Sleep(12 * time.Hour) // the mark is old when the next comes
				stream.Put("key", []byte("a"))
				time.Sleep(c.age)
				seen := &stalls{}
				cfg.Hooks = seen.hooks()
				cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return errors.New("bad") })
				start(t, cfg)
				time.Sleep(time.Minute)
				seen.mu.Lock()
				defer seen.mu.Unlock()
				if len(seen.risks) != c.want {
					t.Errorf("told %+v, want %d", seen.risks, c.want)
				}
			})
		})
	}
}

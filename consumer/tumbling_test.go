package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

// finals is a handler that counts records in its window's state, and notes what
// the last calls for windows get.
type finals struct {
	mu    sync.Mutex
	began time.Time
	lines []string
}

func (f *finals) Handle(_ context.Context, b *batching.Batch) error {
	n, _ := strconv.Atoi(string(b.Window.State))
	b.Window.State = strconv.AppendInt(nil, int64(n+len(b.Records)), 10)
	if b.Window.Final {
		f.mu.Lock()
		defer f.mu.Unlock()
		line := fmt.Sprintf("%v: %d", b.Window.Start.Sub(f.began), n)
		if b.Window.Early {
			line += " early"
		}
		f.lines = append(f.lines, line)
	}
	return nil
}

func (f *finals) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

// A window goes on from call to call and from worker to worker; it ends when a
// later one begins, when its time is over, and with its shard.
func TestTumblingWindowCarriesStateFromWorkerToWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		f := &finals{began: time.Now()} // a whole minute, in a bubble
		cfg := config(stream, table)
		cfg.Handler, cfg.TumblingWindow, cfg.BatchSize = f, time.Minute, 4
		put := func(n int) {
			for i := range n {
				stream.Put("k", fmt.Append(nil, i))
			}
		}
		put(7)
		r := start(t, cfg)
		time.Sleep(20 * time.Second)
		put(5)
		time.Sleep(time.Second)
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		put(3)
		time.Sleep(45 * time.Second) // the next minute has begun
		put(2)
		r = start(t, cfg)
		await(t, "the first window", func() bool { return len(f.all()) == 1 })
		await(t, "the second window, by the time", func() bool { return len(f.all()) == 2 })
		if now := time.Since(f.began); now > 2*time.Minute+5*time.Second {
			t.Errorf("the second window ended at %v, want soon after two minutes", now)
		}
		put(1)
		time.Sleep(2 * time.Second)
		stream.Split(zeroShard)
		await(t, "the end of the shard", func() bool { return len(f.all()) == 3 })
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		if got, want := f.all(), []string{"0s: 15", "1m0s: 2", "2m0s: 1 early"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestTumblingStateEndsAWindowEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		for i := range 25 {
			stream.Put("k", fmt.Append(nil, i))
		}
		f := &finals{began: time.Now()}
		cfg := config(stream, table)
		cfg.Handler, cfg.TumblingWindow, cfg.BatchSize = f, time.Minute, 5
		cfg.TumblingState = batching.AtMost(1) // one digit
		runToTip(t, cfg)
		if got, want := f.all(), []string{"0s: 10 early", "0s: 10 early"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestTumblingWindowNeedsWhatItNeeds(t *testing.T) {
	cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
	cfg.Leases, cfg.Handler = stateless{cfg.Leases}, newCounts()
	cfg.TumblingWindow, cfg.TumblingState = time.Hour, batching.AtMost(-1)
	cfg.ParallelizationFactor, cfg.Unordered = 2, true
	_, err := consumer.New(cfg)
	if err == nil {
		t.Fatal("the config was accepted")
	}
	for _, says := range []string{"TumblingWindow is 1h", "1s to 15m", "TumblingState is -1", "Leases keeps no states", "ParallelizationFactor is 2, and TumblingWindow is set", "Unordered is set", "Stateful"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("error %q does not say %q", err, says)
		}
	}
	cfg = config(shardtest.NewStream(1), checkpointtest.NewTable())
	cfg.TumblingState = batching.AtMost(7)
	if _, err := consumer.New(cfg); err == nil || !strings.Contains(err.Error(), "TumblingWindow is 0") {
		t.Errorf("error %v, want that there are no windows", err)
	}
}

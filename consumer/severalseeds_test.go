package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// witnessed is what one handler of a fleet has finished, over all its workers.
type witnessed struct {
	mu      sync.Mutex
	highest map[string]int // by key: the highest number that was finished
	done    map[string]bool
	gaps    []string
}

// see notes a record that is finished: of each key, none may come for the first
// time before the one before it.
func (w *witnessed) see(data string) {
	key, number, _ := strings.Cut(data, "/")
	n, _ := strconv.Atoi(number)
	w.mu.Lock()
	defer w.mu.Unlock()
	if next := w.highest[key] + 1; n > next {
		w.gaps = append(w.gaps, fmt.Sprintf("%s behind %d", data, next-1))
	}
	w.highest[key] = max(w.highest[key], n)
	w.done[data] = true
}

func (w *witnessed) finished() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.done)
}

// Three handlers of different speeds, at different places, lose nothing and keep
// the order of each key while shards split and merge and workers die, stop and
// hand over.
func TestSeveralHandlersLoseNothingThroughCrashesAndReshards(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { severalSeed(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func severalSeed(t *testing.T, rng *rand.Rand) {
	stream := shardtest.NewStream(2, func(o *shardtest.Options) { o.Limit = 5 + rng.IntN(40) })
	table := newMortal()
	seen := make([]*witnessed, 3)
	for i := range seen {
		seen[i] = &witnessed{highest: map[string]int{}, done: map[string]bool{}}
	}
	var slow sync.Map // handlers that are stuck at present
	process := func(name string) *running {
		cfg := config(stream, nil)
		cfg.Leases, cfg.WorkerPrefix = table.As(name), name
		cfg.BatchSize, cfg.MaximumInFlight, cfg.CheckpointInterval = 1+rng.IntN(10), 20+rng.IntN(50), time.Second
		cfg.DrainTimeout, cfg.LeaseDuration = 2*time.Second, 3*time.Second
		cfg.ParallelizationFactor = 1 + rng.IntN(2)
		var handlers []consumer.Handler
		for i := range seen {
			handlers = append(handlers, consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				if table.isDead(name) {
					<-ctx.Done()
					return context.Cause(ctx)
				}
				if _, stuck := slow.Load(i); stuck {
					return errors.New("stuck")
				}
				time.Sleep(time.Duration(i*i*10) * time.Millisecond)
				if ctx.Err() != nil || table.isDead(name) {
					return errors.New("too late")
				}
				for _, r := range b.Records {
					seen[i].see(string(r.Data))
				}
				return nil
			}))
		}
		cfg.Handlers = named(handlers...)
		return start(t, cfg)
	}
	alive := []string{"p0", "p1"}
	all := map[string]*running{"p0": process("p0"), "p1": process("p1")}
	numbers, total := map[string]int{}, 0
	for step := range 12 {
		for range 10 + rng.IntN(60) {
			key := fmt.Sprint("k", rng.IntN(9))
			numbers[key]++
			total++
			stream.Put(key, fmt.Appendf(nil, "%s/%d", key, numbers[key]))
		}
		if i := rng.IntN(3); rng.IntN(3) == 0 {
			slow.Store(i, true)
		} else {
			slow.Delete(i)
		}
		listed, err := stream.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var open []string
		for _, s := range listed {
			if s.Open() {
				open = append(open, s.ID)
			}
		}
		switch rng.IntN(6) {
		case 0:
			if _, _, err := stream.Split(open[rng.IntN(len(open))]); err != nil {
				t.Fatal(err)
			}
		case 1:
			if len(open) > 1 {
				i := rng.IntN(len(open))
				_, _ = stream.Merge(open[i], open[(i+1)%len(open)])
			}
		case 2, 3:
			name := alive[rng.IntN(len(alive))]
			if rng.IntN(2) == 0 {
				table.kill(name)
				defer func() { _, _ = all[name].end() }()
			} else if _, err := all[name].end(); err != nil {
				t.Fatal(err)
			}
			next := fmt.Sprint("p", step+2)
			for i := range alive {
				if alive[i] == name {
					alive[i] = next
				}
			}
			all[next] = process(next)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
	}
	slow.Clear()
	for i, w := range seen {
		await(t, fmt.Sprintf("handler %d has %d of %d", i, w.finished(), total), func() bool { return w.finished() == total })
		if len(w.gaps) > 0 {
			t.Errorf("handler %d finished %v", i, w.gaps)
		}
	}
	for _, name := range alive {
		if _, err := all[name].end(); err != nil {
			t.Fatal(err)
		}
	}
}

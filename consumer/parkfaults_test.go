package consumer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

var (
	firstKeySeed = flag.Uint64("keyseed", 1, "the first seed of the random keys that wait")
	keySeeds     = flag.Int("keyseeds", 200, "how many seeds of the random keys that wait")
)

// Keys fail, flood, wait, are parked, paused and released at random, while
// workers die, stop and lose answers and the stream is split and merged: every
// record is handled or given up, each key in its order, and no checkpoint passes
// a record that is neither that nor parked. A failing seed is tried again with
// -run TestKeysThatWaitUnderRandomFaults -keyseed N -keyseeds 1.
func TestKeysThatWaitUnderRandomFaults(t *testing.T) {
	if raceEnabled {
		*keySeeds = min(*keySeeds, 20)
	}
	// In seed 1226 records that were with the handler when their key was parked
	// join it, and are read again by the next owner; in 2041 there is no room for the
	// last of them.
	tried := []uint64{1226, 2041}
	for i := range *keySeeds {
		tried = append(tried, *firstKeySeed+uint64(i))
	}
	for _, seed := range tried {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newYard(t, seed).run() })
		})
	}
}

// yard is a stream with workers that come and go, and a ledger of what became of
// each record.
type yard struct {
	t      *testing.T
	r      *rand.Rand
	stream *shardtest.Stream
	table  *checkpointtest.Table
	change func(*consumer.Config)
	well   func(data string) bool // whether a record that is poison is so no more
	takes  time.Duration

	mu       sync.Mutex
	keys     []string
	put      map[string]int // records put, by key
	open     []shard.Record // put, and perhaps not finished
	finished map[string]bool
	dead     map[string]bool // workers whose deeds have no effect
	lost     int             // answers in a thousand
	dice     *rand.Rand
	calm     bool
	parkings int
	broken   []string

	workers []*yardWorker
	names   int
}

type yardWorker struct {
	*running
	name string
}

func newYard(t *testing.T, seed uint64) *yard {
	r := rand.New(rand.NewPCG(seed, 7))
	y := &yard{
		t: t, r: r, table: checkpointtest.NewTable(),
		stream: shardtest.NewStream(1+r.IntN(3), func(o *shardtest.Options) { o.Limit = 20 + r.IntN(200) }),
		put:    map[string]int{}, finished: map[string]bool{}, dead: map[string]bool{}, dice: rand.New(rand.NewPCG(seed, 8)),
		takes: time.Duration(r.IntN(20)) * time.Millisecond,
	}
	for i := range 3 + r.IntN(8) {
		y.keys = append(y.keys, fmt.Sprint("k", i))
	}
	after, delays := 1+r.IntN(3), 1+r.IntN(3)
	var setAside batching.SetAside
	if r.IntN(5) > 0 {
		setAside.After = after
		for range delays {
			setAside.Delays = append(setAside.Delays, time.Duration(1+r.IntN(5000))*time.Millisecond)
		}
	}
	var limit batching.KeyLimit
	if !setAside.On() || r.IntN(3) == 0 {
		limit = batching.KeyLimit{RecordsPerSecond: 2 + 50*r.Float64(), Burst: r.IntN(10)}
	}
	park := consumer.Park{Keys: 1 + r.IntN(8), Records: 20 + r.IntN(500), Backlog: 1 + r.IntN(40), RetryEvery: time.Duration(1+r.IntN(20_000)) * time.Millisecond}
	factor, size, attempts := 1+r.IntN(4), 1+r.IntN(30), r.IntN(3)*4
	ownKeys, bisect := r.IntN(8) == 0, r.IntN(4) > 0
	y.change = func(c *consumer.Config) {
		c.LeaseDuration, c.CheckpointInterval, c.DrainTimeout = 3*time.Second, time.Second, 2*time.Second
		c.SetAside, c.KeyLimit, c.Park = setAside, limit, park
		c.ParallelizationFactor, c.BatchSize, c.BisectBatchOnError = factor, size, bisect
		c.MaximumInFlight = 300
		c.OnFailure = destination.Discard
		if attempts > 0 {
			c.MaximumRetryAttempts = batching.AtMost(attempts)
		}
		if ownKeys {
			c.Key = func(r *shard.Record) string { return r.PartitionKey }
		}
	}
	healAt := time.Now().Add(time.Duration(5+r.IntN(20)) * time.Second)
	y.well = func(data string) bool { return !strings.HasPrefix(data, "poison") || time.Now().After(healAt) }
	y.table.Interfere(y.before, y.after)
	return y
}

// before and after cut off dead workers and lose answers.
func (y *yard) before(_, caller string) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case y.dead[caller]:
		return errors.New("cut off")
	case caller != looker && !y.calm && y.dice.IntN(1000) < y.lost:
		return errors.New("not sent")
	}
	return nil
}

func (y *yard) after(op, caller string) error {
	switch op {
	case "save", "finish", "release", "end":
		y.check()
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.dead[caller] || caller != looker && !y.calm && y.dice.IntN(1000) < y.lost {
		return errors.New("answer lost")
	}
	return nil
}

// looker is who looks at the table without faults.
const looker = "looker"

// start starts a worker.
func (y *yard) start() {
	y.names++
	worker := fmt.Sprint("w", y.names)
	cfg := config(y.stream, y.table)
	cfg.Leases, cfg.WorkerPrefix = y.table.As(worker), worker
	y.change(&cfg)
	cfg.Hooks.GaveUp = func(e consumer.GaveUpEvent) { y.finish(worker, e.Failure.Records) }
	cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
		y.begun(worker, b.Records)
		time.Sleep(y.takes)
		for i := range b.Records {
			if !y.well(string(b.Records[i].Data)) {
				if y.takes%2 == 0 { // some name the record, some do not
					y.finish(worker, b.Records[:i])
					return batching.FailFrom(&b.Records[i], errPoison)
				}
				return errPoison
			}
		}
		if b.Valid() {
			y.finish(worker, b.Records)
		}
		return nil
	})
	y.workers = append(y.workers, &yardWorker{running: start(y.t, cfg), name: worker})
}

func (y *yard) remove() *yardWorker {
	i := y.r.IntN(len(y.workers))
	w := y.workers[i]
	y.workers = append(y.workers[:i], y.workers[i+1:]...)
	return w
}

func (y *yard) putSome() {
	n := y.r.IntN(12)
	if y.r.IntN(6) == 0 {
		n = 60 // a flood
	}
	key := y.keys[y.r.IntN(len(y.keys))]
	for range n {
		if n < 60 {
			key = y.keys[y.r.IntN(len(y.keys))]
		}
		what := "fine"
		if y.r.IntN(40) == 0 {
			what = "poison"
		}
		y.mu.Lock()
		number := y.put[key]
		y.put[key]++
		y.open = append(y.open, y.stream.Put(key, fmt.Appendf(nil, "%s/%d", what, number)))
		y.mu.Unlock()
	}
}

func (y *yard) reshard() {
	all, err := y.stream.List(context.Background())
	if err != nil {
		return
	}
	var open []string
	for _, s := range all {
		if s.Open() {
			open = append(open, s.ID)
		}
	}
	one := open[y.r.IntN(len(open))]
	if y.r.IntN(2) == 0 && len(open) < 5 {
		_, _, _ = y.stream.Split(one)
		return
	}
	for _, other := range open {
		if _, err := y.stream.Merge(one, other); err == nil {
			return
		}
	}
}

func (y *yard) pause(pauses ...shard.Pause) {
	for {
		seen, err := y.table.As(looker).Control(context.Background())
		if err != nil {
			return
		}
		next := seen
		next.Pauses = pauses
		var conflict *checkpoint.Conflict
		if _, err := y.table.As(looker).SetControl(context.Background(), seen, next); !errors.As(err, &conflict) {
			return
		}
	}
}

func (y *yard) run() {
	y.start()
	y.start()
	for began := time.Now(); time.Since(began) < 15*time.Second; time.Sleep(time.Duration(y.r.IntN(600)) * time.Millisecond) {
		y.putSome()
		switch y.r.IntN(16) {
		case 0, 1:
			if w := y.remove(); true {
				y.mu.Lock()
				y.dead[w.name] = true
				y.mu.Unlock()
				w.cancel()
			}
			y.start()
		case 2:
			w := y.remove()
			w.cancel()
			y.start()
		case 3:
			y.mu.Lock()
			y.lost = y.r.IntN(80)
			y.mu.Unlock()
		case 4:
			y.mu.Lock()
			y.lost = 0
			y.mu.Unlock()
		case 5:
			y.reshard()
		case 6:
			y.pause(shard.Pause{KeyHash: batching.HashKey(y.keys[y.r.IntN(len(y.keys))])})
		case 7:
			y.pause()
		case 8, 9, 10:
			for _, w := range y.workers {
				for _, s := range w.Status().Shards {
					for _, k := range s.Parked.Shown {
						ctx, cancel := context.WithTimeout(context.Background(), time.Second)
						_ = w.Unpark(ctx, s.Shard, k.Key)
						cancel()
					}
				}
			}
		}
	}
	y.pause()
	y.mu.Lock()
	y.lost, y.calm = 0, true
	y.mu.Unlock()
	began := time.Now()
	for !y.complete() && time.Since(began) < 10*time.Minute {
		time.Sleep(100 * time.Millisecond)
	}
	if !y.complete() {
		y.t.Errorf("after ten minutes of calm not all is finished: %s", y.state())
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, b := range y.broken {
		y.t.Error(b)
	}
	y.t.Logf("%d records, up to %d of them parked at once", len(y.finished), y.parkings)
}

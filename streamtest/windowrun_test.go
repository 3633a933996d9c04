package streamtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// windowKind is which windows a run has.
type windowKind int

// windowRun is one run.
type windowRun struct {
	t    *testing.T
	r    *rand.Rand
	rig  *streamtest.Rig
	sink *sink
	kind windowKind

	fails atomic.Int64 // callbacks, in a thousand
	put   []putRecord
	ends  map[*streamtest.Worker]*end
}

type putRecord struct {
	key     string
	at      time.Time // of the event
	arrived time.Time
	n       int
}

func (w *windowRun) flaky(dice *rand.Rand, mu *sync.Mutex) error {
	mu.Lock()
	defer mu.Unlock()
	if dice.Int64N(1000) < w.fails.Load() {
		return errTransient
	}
	return nil
}

// aggregate is the handler of one worker.
func (w *windowRun) aggregate() consumer.Handler {
	dice, mu := rand.New(rand.NewPCG(w.r.Uint64(), 1)), new(sync.Mutex)
	if w.kind == lambda {
		return consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			return w.lambda(b, func() error { return w.flaky(dice, mu) })
		})
	}
	spec := window.Spec[count, tally]{
		EventTime:      func(_ *shard.Record, c count) time.Time { return time.UnixMilli(c.At) },
		OutOfOrderness: 2 * time.Second, Idle: time.Second, Lateness: time.Second,
		Add: func(_ context.Context, s *tally, _ *shard.Record, c count) error {
			*s = s.plus(c.N)
			return w.flaky(dice, mu)
		},
		Merge: func(into *tally, from tally) error {
			into.N, into.Records = into.N+from.N, into.Records+from.Records
			return nil
		},
		Close: func(_ context.Context, c *window.Closed[tally]) error {
			if err := w.flaky(dice, mu); err != nil {
				return err
			}
			r := result{Key: c.Key, Start: c.Start.UnixMilli(), End: c.End.UnixMilli(), Version: c.Version, Tally: c.State}
			for _, b := range c.Replaces {
				if b.Start != c.Start {
					r.Replaces = append(r.Replaces, b.Start.UnixMilli())
				}
			}
			data, err := json.Marshal(r)
			c.Emit(batching.Emitted{Data: data})
			return err
		},
	}
	if spec.Size = windowSize; w.kind == sessions {
		spec.Size, spec.Gap = 0, sessionGap
	}
	a, err := window.New(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// lambda is a handler as Lambda's: it sums in its state, and sends on what the
// last call for a window gets.
func (w *windowRun) lambda(b *batching.Batch, flaky func() error) error {
	var sum tally
	if b.Window.State != nil {
		if err := json.Unmarshal(b.Window.State, &sum); err != nil {
			return err
		}
	}
	save := func() { b.Window.State, _ = json.Marshal(sum) }
	for i := range b.Records {
		var c count
		if err := json.Unmarshal(b.Records[i].Data, &c); err != nil {
			return err
		}
		if err := flaky(); err != nil {
			save()
			return batching.FailFrom(&b.Records[i], err)
		}
		sum = sum.plus(c.N)
	}
	save()
	if err := flaky(); err != nil || !b.Window.Final {
		return err
	}
	data, err := json.Marshal(result{Key: b.Shard, Start: b.Window.Start.UnixMilli(), Version: window.Version{Token: b.Fence()}, Tally: sum})
	b.Emit(batching.Emitted{Data: data})
	return err
}

func (w *windowRun) start(name string) *streamtest.Worker {
	e := &end{sink: w.sink}
	worker := w.rig.Start(name, func(c *consumer.Config) {
		c.LeaseDuration, c.CheckpointInterval, c.DrainTimeout = 3*time.Second, time.Second, 3*time.Second
		c.MinimumBackoff, c.MaximumBackoff = 10*time.Millisecond, time.Second
		c.BatchSize, c.BisectBatchOnError = 1+w.r.IntN(40), w.r.IntN(2) == 0
		c.Handler, c.EmitTo = w.aggregate(), e
		if w.kind == lambda {
			c.TumblingWindow = windowSize
		}
	})
	w.ends[worker] = e
	return worker
}

func (w *windowRun) run() {
	r := w.r
	w.ends = map[*streamtest.Worker]*end{}
	w.rig = streamtest.New(w.t, 2)
	rig := w.rig
	defer rig.Close()
	var workers []*streamtest.Worker
	names := 0
	start := func() {
		names++
		workers = append(workers, w.start(fmt.Sprint("w", names)))
	}
	remove := func() *streamtest.Worker {
		i := r.IntN(len(workers))
		one := workers[i]
		workers = append(workers[:i], workers[i+1:]...)
		return one
	}
	for range 2 {
		start()
	}
	sky := newWeather(rig, r.Uint64())
	var heals []func()
	stops := new(sync.WaitGroup)
	for began := time.Now(); time.Since(began) < 15*time.Second; time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond) {
		for range r.IntN(8) {
			w.putOne()
		}
		switch r.IntN(20) {
		case 0, 1:
			if len(workers) > 1 {
				one := remove()
				w.ends[one].dead.Store(true)
				one.Kill()
				start()
			}
		case 2, 3:
			if len(workers) > 1 {
				one := remove()
				stops.Go(func() { one.Stop() })
				start()
			}
		case 4:
			heals = append(heals, workers[r.IntN(len(workers))].Pause())
		case 5:
			heals = append(heals, workers[r.IntN(len(workers))].Cut([]string{"dynamodb", "kinesis", ""}[r.IntN(3)]))
		case 6, 7, 8:
			for _, heal := range heals {
				heal()
			}
			heals = nil
		case 9:
			sky.lostAnswers.Store(r.Int64N(60))
			sky.throttled.Store(r.Int64N(200))
		case 10:
			w.sink.refuses.Store(r.Int64N(700))
			w.sink.loses.Store(r.Int64N(300))
		case 11:
			w.fails.Store(r.Int64N(60))
		case 12, 13:
			sky.clear()
			w.sink.refuses.Store(0)
			w.sink.loses.Store(0)
			w.fails.Store(0)
		case 14, 15:
			reshard(rig, r)
		}
	}
	for _, heal := range heals {
		heal()
	}
	for _, v := range []*atomic.Int64{&sky.lostAnswers, &sky.throttled, &w.sink.refuses, &w.sink.loses, &w.fails} {
		v.Store(0)
	}
	stops.Wait()
	rig.Await("everything finished", rig.AllDone)
	want := w.reference()
	for began := time.Now(); len(differences(w.compared(), want)) > 0 && time.Since(began) < 3*time.Minute; {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(8 * time.Second) // nothing more comes
	if lines := differences(w.compared(), want); len(lines) > 0 {
		w.t.Errorf("%d of %d windows are not what was put:\n  %s", len(lines), len(want), strings.Join(lines[:min(len(lines), 8)], "\n  "))
	}
	if n := len(rig.Failed.Accepted()); n > 0 {
		f := w.rig.Failed.Accepted()[0]
		w.t.Errorf("%d records were given up, want none, the first at %v by %s: %v", n, f.At, f.Worker, f.Err)
	}
}

// putOne puts a record that is up to a second and a half late.
func (w *windowRun) putOne() {
	now := time.Now()
	p := putRecord{key: fmt.Sprint("key-", w.r.IntN(9)), at: now.Add(-time.Duration(w.r.IntN(1500)) * time.Millisecond), arrived: now, n: 1 + w.r.IntN(9)}
	data, err := json.Marshal(count{p.at.UnixMilli(), p.n})
	if err != nil {
		w.t.Fatal(err)
	}
	w.rig.Put(p.key, string(data))
	w.put = append(w.put, p)
}

// reference is what the windows add up to, by another way.
func (w *windowRun) reference() map[string]tally {
	want := map[string]tally{}
	switch w.kind {
	case lambda: // by arrival, over all shards
		for _, p := range w.put {
			at := fmt.Sprint("@", p.arrived.Truncate(windowSize).UnixMilli())
			want[at] = want[at].plus(p.n)
		}
	case fixed:
		for _, p := range w.put {
			at := fmt.Sprint(p.key, "@", p.at.Truncate(windowSize).UnixMilli())
			want[at] = want[at].plus(p.n)
		}
	case sessions:
		byKey := map[string][]putRecord{}
		for _, p := range w.put {
			byKey[p.key] = append(byKey[p.key], p)
		}
		for key, all := range byKey {
			slices.SortFunc(all, func(a, b putRecord) int { return a.at.Compare(b.at) })
			var start, last int64
			for _, p := range all {
				ms := p.at.UnixMilli()
				if start == 0 || ms-last >= sessionGap.Milliseconds() {
					start = ms
				}
				last = ms
				at := fmt.Sprint(key, "@", start)
				want[at] = want[at].plus(p.n)
			}
		}
	}
	return want
}

// compared is what the sink holds, in the reference's terms: Lambda's windows
// are one for each shard, and added up here.
func (w *windowRun) compared() map[string]tally {
	got := w.sink.whole()
	if w.kind != lambda {
		return got
	}
	sums := map[string]tally{}
	for at, v := range got {
		at = at[strings.Index(at, "@"):]
		sums[at] = tally{sums[at].N + v.N, sums[at].Records + v.Records}
	}
	return sums
}

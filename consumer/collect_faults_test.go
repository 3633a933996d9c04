package consumer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

var (
	collectSeed  = flag.Uint64("collectseed", 1, "the first seed of the faults of a Collect")
	collectSeeds = flag.Int("collectseeds", 200, "how many seeds of them")
)

// A fleet collects through kills, gentle stops, hand-overs, lost sessions,
// resharding, and a bucket that is slow, fails and loses its answers. Whenever a
// checkpoint is written, every record that it passes lies in a written object;
// an object keeps its bounds; and while the bucket works, and no shard's records
// are handled alone in the process, no record waits longer than MaxAge and one
// flush. A failing seed is tried again with
// -run TestCollectUnderFaults -collectseed N -collectseeds 1.
func TestCollectUnderFaults(t *testing.T) {
	n := *collectSeeds
	if raceEnabled {
		n = min(n, 10)
	}
	for i := range n {
		seed := *collectSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { collectFaults(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

// collectWorld is a stream, a table some of whose workers die, and a bucket.
type collectWorld struct {
	t      *testing.T
	stream *shardtest.Stream
	table  *mortal
	sound  bool // the bucket never fails
	slow   time.Duration

	mu      sync.Mutex // guards what is below
	dice    *rand.Rand
	failing bool
	objects map[string]int  // how many records an object has, by name
	written map[string]bool // records in objects, by their ids
	put     map[string][]shard.Record
	passed  map[string]int // how many records of each shard a checkpoint has passed
	told    int            // violations
}

// violates notes a broken promise, the first ones of a run.
func (w *collectWorld) violates(format string, args ...any) {
	if w.told++; w.told <= 3 {
		w.t.Errorf(format, args...)
	}
}

// flush is the bucket of one process's Collect.
func (w *collectWorld) flush(process string, c *collectSettings) func(context.Context, *consumer.Collected) error {
	return func(ctx context.Context, got *consumer.Collected) error {
		w.mu.Lock()
		for i := range got.Records {
			id := got.Records[i].ID()
			if since, ok := c.since[id]; ok && w.sound && !c.isolates && !w.table.isDead(process) && time.Since(since) > c.age+w.slow {
				w.violates("a record of %s was collected for %v, want at most %v and a flush of %v", process, time.Since(since), c.age, w.slow)
			}
		}
		if got.Bytes > c.bytes && len(got.Records) > c.batch || len(got.Records) > max(c.records, c.batch) {
			w.violates("%s flushes %d records of %d bytes, the bounds are %d and %d", process, len(got.Records), got.Bytes, c.records, c.bytes)
		}
		took := time.Duration(w.dice.Int64N(int64(w.slow) + 1))
		refused := w.failing && w.dice.IntN(2) == 0
		lost := w.failing && w.dice.IntN(4) == 0
		w.mu.Unlock()
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if refused || w.table.isDead(process) {
			return errClosed
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if had, ok := w.objects[got.Name()]; ok && had != len(got.Records) {
			w.violates("the object %s had %d records and is overwritten with %d", got.Name(), had, len(got.Records))
		}
		w.objects[got.Name()] = len(got.Records)
		for i := range got.Records {
			w.written[got.Records[i].ID()] = true
		}
		if lost {
			return errors.New("the answer was lost")
		}
		return nil
	}
}

// collectSettings are those of one process, with the time at which each record
// was last collected.
type collectSettings struct {
	bytes          int64
	records, batch int
	age            time.Duration
	since          map[string]time.Time
	isolates       bool // a shard has its records handled alone in the process, and all others wait
}

// timed is a Collect that notes when it has taken a record.
type timed struct {
	*consumer.Collect
	world *collectWorld
	set   *collectSettings
}

func (h *timed) Handle(ctx context.Context, b *batching.Batch) error {
	// Another lane may flush a record before this one has noted its time: what an
	// earlier tenure noted must not count then.
	h.world.mu.Lock()
	for i := range b.Records {
		delete(h.set.since, b.Records[i].ID())
	}
	h.world.mu.Unlock()
	err := h.Collect.Handle(ctx, b)
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	for i := range b.Records {
		if id := b.Records[i].ID(); err == nil {
			h.set.since[id] = time.Now()
		}
	}
	return err
}

// check looks at every row: what lies before its checkpoint has to be written.
func (w *collectWorld) check() {
	rows, err := w.table.Table.List(context.Background())
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		records := w.put[row.Shard]
		for n := w.passed[row.Shard]; n < len(records); n++ {
			r := &records[n]
			if !row.Checkpoint.IsEnd() && r.Position().Compare(row.Checkpoint) > 0 {
				break
			}
			if !w.written[r.ID()] {
				w.violates("the checkpoint of %s is %s, and %s is in no object", row.Shard, row.Checkpoint, r.ID())
			}
			w.passed[row.Shard] = n + 1
		}
	}
}

func collectFaults(t *testing.T, r *rand.Rand) {
	w := &collectWorld{
		t: t, stream: shardtest.NewStream(2, func(o *shardtest.Options) { o.Limit = 1 + r.IntN(60) }), table: newMortal(),
		sound: r.IntN(2) == 0, slow: time.Duration(r.Int64N(int64(time.Second))),
		dice: rand.New(rand.NewPCG(r.Uint64(), 8)), objects: map[string]int{}, written: map[string]bool{}, passed: map[string]int{}, put: map[string][]shard.Record{},
	}
	w.table.Interfere(func(_, caller string) error {
		if w.table.isDead(caller) {
			return errClosed
		}
		return nil
	}, func(op, _ string) error {
		switch op {
		case "save", "finish", "release", "end":
			w.check()
		}
		return nil
	})
	names := 0
	begin := func() (string, *running) {
		names++
		name := fmt.Sprint("p", names)
		set := &collectSettings{
			bytes: 2000 + r.Int64N(8000), records: 20 + r.IntN(100), batch: 1 + r.IntN(20),
			age: time.Second + time.Duration(r.Int64N(int64(20*time.Second))), since: map[string]time.Time{},
		}
		cfg := config(w.stream, nil)
		cfg.Leases, cfg.WorkerPrefix = w.table.As(name), name
		cfg.LeaseDuration, cfg.CheckpointInterval, cfg.DrainTimeout = 5*time.Second, time.Second, 5*time.Second
		cfg.BatchSize, cfg.ParallelizationFactor = set.batch, 1+r.IntN(4)
		cfg.MaximumInFlight = cfg.BatchSize * cfg.ParallelizationFactor * (1 + r.IntN(20))
		cfg.OnFailure = failing{w}
		cfg.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
			w.mu.Lock()
			set.isolates = set.isolates || e.Isolated
			w.mu.Unlock()
		}
		cfg.Handler = &timed{world: w, set: set, Collect: &consumer.Collect{
			MaxBytes: set.bytes, MaxRecords: set.records, MaxAge: set.age, Flush: w.flush(name, set),
		}}
		return name, start(t, cfg)
	}
	fleet := map[string]*running{}
	for range 2 {
		name, worker := begin()
		fleet[name] = worker
	}
	one := func() string {
		names := make([]string, 0, len(fleet))
		for name := range fleet {
			names = append(names, name)
		}
		// A map has no order, and a seed has to mean the same each time.
		least := names[0]
		for _, name := range names {
			if name < least {
				least = name
			}
		}
		return least
	}
	put, splits := 0, 0
	for began := time.Now(); time.Since(began) < 45*time.Second; time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond) {
		for range r.IntN(40) {
			w.mu.Lock()
			one := w.stream.Put(fmt.Sprint("key-", r.IntN(17)), fmt.Appendf(nil, "%0*d", 1+r.IntN(60), put))
			w.put[one.Shard] = append(w.put[one.Shard], one)
			w.mu.Unlock()
			put++
		}
		switch r.IntN(14) {
		case 0, 1:
			name := one()
			w.table.kill(name)
			fleet[name].cancel() // it ends without effect
			delete(fleet, name)
			next, worker := begin()
			fleet[next] = worker
		case 2, 3:
			name := one()
			fleet[name].cancel()
			delete(fleet, name)
			next, worker := begin()
			fleet[next] = worker
		case 4:
			if len(fleet) < 4 {
				next, worker := begin()
				fleet[next] = worker // shards are handed over to it
			}
		case 5:
			if s, err := w.table.Session(context.Background(), fleet[one()].Status().Worker); err == nil {
				_ = w.table.Table.Revoke(context.Background(), s, "somebody")
			}
		case 6:
			if rows, err := w.table.Table.List(context.Background()); err == nil && splits < 3 && len(rows) > 0 {
				if _, _, err := w.stream.Split(rows[r.IntN(len(rows))].Shard); err == nil {
					splits++
				}
			}
		case 7, 8, 9:
			w.mu.Lock()
			w.failing = !w.sound && !w.failing
			w.mu.Unlock()
		}
		w.check()
	}
	w.mu.Lock()
	w.failing = false
	w.mu.Unlock()
	left := func() (text string) {
		w.check()
		w.mu.Lock()
		defer w.mu.Unlock()
		for id, records := range w.put {
			if n := len(records) - w.passed[id]; n > 0 {
				text += fmt.Sprintf("%d records of %s from %s on; ", n, id, records[w.passed[id]].Sequence)
			}
		}
		return text
	}
	for calm := time.Now(); left() != ""; time.Sleep(time.Second) {
		if time.Since(calm) > 5*time.Minute {
			rows, _ := w.table.Table.List(context.Background())
			for _, row := range rows {
				t.Log(row)
			}
			for name, worker := range fleet {
				t.Logf("%s: %+v", name, worker.Status())
			}
			t.Fatalf("five minutes after the last fault, not passed by a checkpoint: %s", left())
		}
	}
}

// failing is an on-failure destination that nothing may reach.
type failing struct{ world *collectWorld }

func (f failing) Send(_ context.Context, got destination.Failure) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if got.Condition != destination.ProcessCrashed {
		f.world.violates("records went to OnFailure: %s", got.Condition)
	}
	// Three deaths hit a record while it was handled alone: chance can do that.
	for i := range got.Records {
		f.world.written[got.Records[i].ID()] = true
	}
	return nil
}

func (failing) String() string { return "failing" }

package reposition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// bench is a stream and a table with whoever works them.
type bench struct {
	*testing.T
	stream *shardtest.Stream
	table  *checkpointtest.Table
	log    *order
}

func newBench(t *testing.T, shards int) *bench {
	return &bench{T: t, stream: shardtest.NewStream(shards), table: checkpointtest.NewTable(), log: &order{}}
}

// order notes which records were handled, in order.
type order struct {
	mu  sync.Mutex
	got []string
}

func (o *order) Handle(_ context.Context, b *batching.Batch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range b.Records {
		o.got = append(o.got, string(r.Data))
	}
	return nil
}

// take is what was handled since it was last asked for.
func (o *order) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	got := o.got
	o.got = nil
	return got
}

func (o *order) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.got)
}

func (b *bench) put(key string, from, n int) {
	for i := range n {
		b.stream.Put(key, fmt.Append(nil, key, from+i))
		time.Sleep(time.Second)
	}
}

// work starts a worker over a table, until stop is called.
func (b *bench) work(table checkpoint.Leases, h consumer.Handler) (stop func()) {
	b.Helper()
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: b.stream, Leases: table, Handler: h, Logger: slog.New(slog.DiscardHandler), CheckpointInterval: time.Second,
	})
	b.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }() // awaited by stop
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(stop)
	return stop
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("got error %v, want %v", err, want)
	}
}

func (b *bench) await(what string, cond func() bool) {
	b.Helper()
	for began := time.Now(); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Minute {
			b.Fatalf("after ten minutes of virtual time, still not: %s", what)
		}
	}
}

func (b *bench) mover(change ...func(*Config)) *Mover {
	b.Helper()
	cfg := Config{Leases: b.table, Source: b.stream, By: "test"}
	for _, f := range change {
		f(&cfg)
	}
	m, err := Open(cfg)
	b.must(err)
	return m
}

func (b *bench) row(id string) shard.Lease {
	b.Helper()
	row, err := b.table.Get(b.Context(), id)
	b.must(err)
	return row
}

const zero, one, two = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"

// plan wants a plan without its error.
func plan(b *bench) func(*Plan, error) *Plan {
	return func(p *Plan, err error) *Plan {
		b.Helper()
		b.must(err)
		return p
	}
}

// A configuration names everything that is wrong with it.
func TestConfigNamesEveryProblem(t *testing.T) {
	_, err := Open(Config{Leases: struct{ checkpoint.Leases }{}, Silence: -1, Patience: -1})
	for _, want := range []string{"no checkpoint.Moves", "Source is missing", "Silence is -1ns", "Patience is -1ns"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want it to say %q", err, want)
		}
	}
	if _, err := Open(Config{}); err == nil || !strings.Contains(err.Error(), "Leases is missing") {
		t.Errorf("got error %v of nothing", err)
	}
}

// A plan says for each shard what it repeats and skips, and writes nothing.
func TestPlanSaysWhatIsRepeatedAndSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		began := time.Now()
		b.put("a", 0, 20)
		stop := b.work(b.table, b.log)
		b.await("half", func() bool { return b.log.len() == 20 })
		stop()
		b.put("b", 0, 5)
		before := b.row(zero)
		m := b.mover()
		for _, test := range []struct {
			to             shard.Position
			repeats, skips string
		}{
			{shard.TrimHorizon(), "20", "-"},
			{shard.Latest(), "-", "5"},
			{shard.AtTime(began.Add(10 * time.Second)), "10", "-"},
			{shard.AtTime(time.Now().Add(-2 * time.Second)), "-", "3"},
			{shard.AtTime(time.Now()), "-", "5"},
		} {
			p, err := m.Seek(t.Context(), Target{To: test.to})
			b.must(err)
			if s := p.Steps[0]; s.Repeats.String() != test.repeats || s.Skips.String() != test.skips {
				t.Errorf("to %s: repeats %s and skips %s, want %s and %s", test.to, s.Repeats, s.Skips, test.repeats, test.skips)
			}
		}
		all := b.stream.Records()
		p, err := m.Seek(t.Context(), Target{Shard: zero, To: all[22].Position()})
		b.must(err)
		want := "seek " + zero + " to " + all[22].Sequence + ", planned " + time.Now().UTC().Format(time.RFC3339) + ": 1 rows are written\n"
		if text := p.String(); !strings.HasPrefix(text, want) || !strings.Contains(text, "warning: 1 shards skip forward") {
			t.Errorf("the plan reads\n%s\nwant it to begin with\n%s", text, want)
		}
		if now := b.row(zero); now.Counter != before.Counter || now.Checkpoint != before.Checkpoint {
			t.Errorf("a plan changed the row from %v to %v", before, now)
		}
	})
}

// What cannot be done is an error of the plan, and says why.
func TestPlanRefusesWhatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		m := b.mover()
		refused := func(to Target, says string) {
			t.Helper()
			if _, err := m.Seek(t.Context(), to); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("to %+v: got error %v, want it to say %q", to, err, says)
			}
		}
		refused(Target{To: shard.TrimHorizon()}, "has not been started yet")
		b.put("a", 0, 3)
		stop := b.work(b.table, b.log)
		b.await("all", func() bool { return b.log.len() == 3 })
		refused(Target{To: shard.After("7", 0)}, "name it")
		refused(Target{To: shard.End()}, "not sought")
		refused(Target{To: shard.AtTime(time.Now().Add(time.Hour))}, "in the future")
		refused(Target{Shard: zero, To: shard.Position{Sequence: "east"}}, "neither a decimal")
		refused(Target{Shard: zero, To: shard.After("7", 0)}, "before the first")
		refused(Target{Shard: "shardId-7", To: shard.TrimHorizon()}, "there is no shard")
		_, _, err := b.stream.Split(zero)
		b.must(err)
		b.await("the end", func() bool { return b.row(zero).Finished() })
		_, err = m.Seek(t.Context(), Target{Shard: zero, To: shard.TrimHorizon()})
		b.is(err, ErrFinished)
		stop()
	})
}

// One shard is moved while its fleet runs; the others go on, and the plan is
// refused once somebody else has moved it.
func TestSeekOfOneShardIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.put("a", 0, 10)
		b.put("b", 0, 10)
		stop := b.work(b.table, b.log)
		b.await("all", func() bool { return b.log.len() == 20 })
		time.Sleep(5 * time.Second)
		b.log.take()
		m := b.mover()
		moved := b.stream.Records()[0].Shard
		p := plan(b)(m.Seek(t.Context(), Target{Shard: moved, To: shard.TrimHorizon()}))
		again := plan(b)(m.Seek(t.Context(), Target{Shard: moved, To: shard.TrimHorizon()}))
		b.must(m.Apply(t.Context(), p))
		began := time.Now()
		repeated := p.Steps[0].Repeats.Records
		b.await("it comes again", func() bool { return b.log.len() == repeated })
		if took := time.Since(began); took > time.Second {
			t.Errorf("it came again after %v, want a second at most", took)
		}
		b.is(m.Apply(t.Context(), again), ErrChanged)
		time.Sleep(5 * time.Second)
		if n := b.log.len(); n != repeated {
			t.Errorf("%d records came again, want %d", n, repeated)
		}
		stop()
	})
}

// A hand-over that is asked for, and answers that are lost, hold a seek up and do
// not make it twice.
func TestSeekIsMadeOnceWhateverIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		b.put("a", 0, 5)
		stop := b.work(b.table, b.log)
		b.await("all", func() bool { return b.log.len() == 5 })
		stop()
		m := b.mover()
		for _, lost := range []string{"before", "after"} {
			row := b.row(zero)
			p := plan(b)(m.Seek(t.Context(), Target{To: shard.TrimHorizon(), Shard: zero}))
			n := 0
			fail := func(op, _ string) error {
				if op != "seek" {
					return nil
				}
				if n++; n > 2 {
					return nil
				}
				return errors.New("timeout")
			}
			if lost == "before" {
				b.table.Interfere(fail, nil)
			} else {
				b.table.Interfere(nil, fail)
			}
			b.must(m.Apply(t.Context(), p))
			b.table.Interfere(nil, nil)
			if now := b.row(zero); now.SeekGen != row.SeekGen+1 || now.Counter != row.Counter+1 {
				t.Errorf("with %s lost the row went from %d/%d to %d/%d, want one seek", lost, row.Counter, row.SeekGen, now.Counter, now.SeekGen)
			}
		}
		taken, err := b.table.Take(t.Context(), b.row(zero), "anna/1", "")
		b.must(err)
		_, err = b.table.Ask(t.Context(), taken, "bert/1")
		b.must(err)
		p := plan(b)(m.Seek(t.Context(), Target{To: shard.Latest(), Shard: zero}))
		time.AfterFunc(5*time.Second, func() { b.table.Refuse(context.Background(), b.row(zero), "anna/1") })
		b.must(m.Apply(t.Context(), p))
		if now := b.row(zero); now.Owner != "anna/1" || !now.Checkpoint.IsLatest() {
			t.Errorf("the row is %v", now)
		}
	})
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// named are handlers a, b, c, ...
func named(handlers ...consumer.Handler) (all []consumer.NamedHandler) {
	for i, h := range handlers {
		all = append(all, consumer.NamedHandler{Name: string(rune('a' + i)), Handler: h})
	}
	return all
}

// number puts records from first on, with their numbers as payloads.
func number(stream *shardtest.Stream, first, n int) {
	for i := range n {
		stream.Put(fmt.Sprint("key", i%7), fmt.Appendf(nil, "%06d", first+i))
	}
}

// got is what a tally has finished, in order.
func got(h *tally) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.order)
}

// Three handlers that keep up cost the reads of one, and each gets every record
// once and in order.
func TestHandlersShareOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := map[int]int64{}
		for _, handlers := range []int{1, 3} {
			stream := shardtest.NewStream(1)
			var n atomic.Int64
			stream.Fault(func(c shardtest.Call) error {
				if c.Op == shardtest.Next {
					n.Add(1)
				}
				return nil
			})
			tallies := make([]*tally, handlers)
			var all []consumer.Handler
			for i := range tallies {
				tallies[i] = &tally{}
				if i == 1 {
					tallies[i].do = busy
				}
				all = append(all, tallies[i])
			}
			cfg := config(stream, checkpointtest.NewTable())
			cfg.Handlers = named(all...)
			r := start(t, cfg)
			for i := range 100 {
				number(stream, 10*i, 10)
				time.Sleep(300 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			for i, h := range tallies {
				order := got(h)
				if len(order) != 1000 || !slices.IsSorted(order) || h.repeats() != 0 {
					t.Errorf("handler %d of %d got %d records, %d twice, in order: %v", i, handlers, len(order), h.repeats(), slices.IsSorted(order))
				}
			}
			if _, err := r.end(); err != nil {
				t.Fatal(err)
			}
			reads[handlers] = n.Load()
		}
		if d := reads[3] - reads[1]; d < -2 || d > 2 {
			t.Errorf("three handlers made %d reads, one %d", reads[3], reads[1])
		}
	})
}

// A handler that fails for ever stays where it is, and nobody else does. The row
// has the position of each and its own is that of the slowest. Behind a restart
// each goes on from its own: the fast repeat nothing, the slow loses nothing, and
// when it has come up with the others, it reads with them again.
func TestStuckHandlerPinsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit, o.Poll = 100, 500*time.Millisecond })
		table := checkpointtest.NewTable()
		var reads atomic.Int64
		stream.Fault(func(c shardtest.Call) error {
			if c.Op == shardtest.Next {
				reads.Add(1)
			}
			return nil
		})
		number(stream, 0, 250)
		first, last := &tally{}, &tally{}
		healed := false
		stuck := &tally{do: func(_ context.Context, b *batching.Batch) error {
			if r := find(b, "000120"); r != nil && !healed {
				return batching.FailFrom(r, errors.New("not today"))
			}
			return nil
		}}
		cfg := config(stream, table)
		cfg.Handlers = named(first, stuck, last)
		cfg.BatchSize, cfg.MaximumInFlight, cfg.CheckpointInterval = 10, 100, time.Second
		r := start(t, cfg)
		for i := range 40 {
			number(stream, 250+100*i, 100)
			time.Sleep(200 * time.Millisecond)
		}
		await(t, "the tip", func() bool { return first.finished() == 4250 && last.finished() == 4250 })
		time.Sleep(2 * time.Second)
		row := onlyRow(t, table)
		all := stream.Records()
		if at := row.Marks["b"]; at != all[119].Position() || row.Checkpoint != at {
			t.Errorf("the stuck handler stands at %s and the row at %s, want %s", at, row.Checkpoint, all[119].Position())
		}
		if a, c := row.Marks["a"], row.Marks["c"]; a != all[4249].Position() || c != a {
			t.Errorf("the others stand at %s and %s, want the tip", a, c)
		}
		for _, s := range r.Status().Shards {
			if s.Handler == "b" && s.Pending == 0 || s.Handler != "b" && s.Pending != 0 {
				t.Errorf("handler %s has %d pending", s.Handler, s.Pending)
			}
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		healed = true
		r = start(t, cfg)
		number(stream, 4250, 50)
		await(t, "all of it", func() bool { return stuck.finished() == 4300 && first.finished() == 4300 })
		if n := first.repeats() + last.repeats(); n > 0 {
			t.Errorf("%d records were repeated for handlers that had finished them", n)
		}
		if order := got(stuck); !slices.IsSorted(slices.Compact(order)) {
			t.Error("the stuck handler got records out of order")
		}
		time.Sleep(3 * time.Second)
		before := reads.Load()
		time.Sleep(20 * time.Second)
		if n := reads.Load() - before; n > 41 {
			t.Errorf("%d reads in 20 s with a poll each 500 ms: they do not read together again", n)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		if row := onlyRow(t, table); row.Checkpoint != stream.Records()[4299].Position() {
			t.Errorf("the row stands at %s in the end", row.Checkpoint)
		}
	})
}

// What a stuck handler holds is bounded by MaximumInFlight and a few reads, also
// while a hundred times as much goes through the others.
func TestStuckHandlerHoldsBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, read, inFlight = 10_000, 50, 200
		stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = read })
		fast := &tally{}
		block := make(chan struct{})
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handlers = named(fast, &tally{do: func(ctx context.Context, _ *batching.Batch) error {
			select {
			case <-block:
			case <-ctx.Done():
			}
			return ctx.Err()
		}})
		cfg.MaximumInFlight, cfg.MemoryBudget, cfg.DrainTimeout = inFlight, 32<<20, time.Second
		r := start(t, cfg)
		var most int64
		for i := range 200 {
			for j := range 100 {
				stream.Put("key", fmt.Appendf(make([]byte, 0, size), "%0*d", size, 100*i+j))
			}
			for range 10 {
				time.Sleep(50 * time.Millisecond)
				most = max(most, r.Status().MemoryHeld)
			}
		}
		await(t, "the fast handler", func() bool { return fast.finished() == 20_000 })
		held := r.Status().MemoryHeld
		close(block)
		// Beside what the loop and its feed hold, a read under way reserves as
		// much as it may bring.
		if limit := int64((inFlight + 4*read) * (size + 100)); held > limit+12<<20 {
			t.Errorf("%d bytes are held, want at most %d", held, limit)
		}
		t.Logf("held %d, most %d", held, most)
		await(t, "the other", func() bool { return r.Status().Shards[1].Pending == 0 && r.Status().Shards[1].Handled == 20_000 })
		time.Sleep(time.Second)
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
}

// A destination that refuses holds up the handler whose it is, and no other; what
// it accepts in the end names the handler.
func TestRefusingDestinationHoldsUpItsHandlerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = 100 })
		refusing := &destinationtest.Recorder{}
		var open atomic.Bool
		refusing.Behave(func(_ context.Context, _ destination.Failure, accept func()) error {
			if !open.Load() {
				return errors.New("closed")
			}
			accept()
			return nil
		})
		reject := func(_ context.Context, b *batching.Batch) error { return batching.Reject(b.First(), errors.New("no")) }
		other := &destinationtest.Recorder{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handlers = named(consumer.HandlerFunc(reject), consumer.HandlerFunc(reject), &tally{})
		cfg.Handlers[0].OnFailure, cfg.OnFailure = refusing, other
		cfg.Handlers[1].BatchSize = 1
		r := start(t, cfg)
		number(stream, 0, 1000)
		await(t, "the others", func() bool {
			s := r.Status().Shards
			return len(s) == 3 && len(other.Accepted()) == 1000 && s[2].Handled == 1000
		})
		if n := len(refusing.Accepted()); n > 0 || r.Status().Shards[0].Error == "" || r.Status().Shards[2].Error != "" {
			t.Errorf("it accepted %d, errors %q and %q", n, r.Status().Shards[0].Error, r.Status().Shards[2].Error)
		}
		open.Store(true)
		await(t, "the held up", func() bool { return r.Status().Shards[0].Handled == 1000 })
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		for _, f := range refusing.Accepted() {
			if f.Handler != "a" || !strings.HasSuffix(f.ID(), "@a") {
				t.Fatalf("a failure of %q has the id %s", f.Handler, f.ID())
			}
		}
	})
}

// A handler under a new name begins where the slowest of the others is, and the
// position of one that is gone is dropped. Who goes from one Handler to several
// goes on from its position.
func TestNewHandlerBeginsWhereTheSlowestIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		number(stream, 0, 10)
		only := &tally{}
		cfg := config(stream, table)
		cfg.Handler = only
		runToTip(t, cfg)
		number(stream, 10, 10)
		a, b := &tally{}, &tally{}
		cfg.Handler, cfg.Handlers = nil, named(a, b)
		runToTip(t, cfg)
		if a.finished() != 10 || b.finished() != 10 {
			t.Errorf("behind the only handler they got %d and %d records, want 10 each", a.finished(), b.finished())
		}
		all := stream.Records()
		table.Edit(onlyRow(t, table).Key, func(l *shard.Lease) {
			l.Marks = map[string]shard.Position{"a": all[19].Position(), "b": all[14].Position(), "z": all[12].Position()}
			l.Checkpoint = all[12].Position()
		})
		a, b, c := &tally{}, &tally{}, &tally{}
		cfg.Handlers = named(a, b, c)
		runToTip(t, cfg)
		if a.finished() != 0 || b.finished() != 5 || c.finished() != 7 {
			t.Errorf("they got %d, %d and %d records, want 0, 5 and 7", a.finished(), b.finished(), c.finished())
		}
		if row := onlyRow(t, table); len(row.Marks) != 3 || row.Checkpoint != all[19].Position() {
			t.Errorf("the row stands at %s with %v", row.Checkpoint, row.Marks)
		}
		// Who moves the row by hand moves them all.
		table.Edit(onlyRow(t, table).Key, func(l *shard.Lease) { l.Checkpoint = all[9].Position() })
		a, b, c = &tally{}, &tally{}, &tally{}
		cfg.Handlers = named(a, b, c)
		runToTip(t, cfg)
		if a.finished() != 10 || b.finished() != 10 || c.finished() != 10 {
			t.Errorf("behind a seek they got %d, %d and %d records, want 10 each", a.finished(), b.finished(), c.finished())
		}
	})
}

// Each handler that wants to know of a shard's life is told, also if another is
// told nothing or refuses to start; the shard ends when all have handled it.
func TestEveryHandlerIsToldOfAShardsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("x"))
		var tries atomic.Int64
		late := &diary{starting: func(s consumer.ShardStart) error {
			if s.Shard == "shardId-000000000000" && tries.Add(1) <= 5 {
				return errors.New("not yet")
			}
			return nil
		}}
		prompt := &diary{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handlers = named(prompt, &tally{}, late)
		r := start(t, cfg)
		await(t, "the record", func() bool { return strings.Contains(prompt.text(), "s handles 1") })
		if strings.Contains(late.text(), "handles") {
			t.Error("a handler got records before it had started")
		}
		if _, _, err := stream.Split("shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		await(t, "the end", func() bool { return strings.Contains(late.text(), "s1 starts") })
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		for _, d := range []*diary{prompt, late} {
			for _, want := range []string{"s starts", "s handles 1; s ended", "s1 lost: " + consumer.ErrStopping.Error(), "s2 lost"} {
				if !strings.Contains(d.text(), want) {
					t.Errorf("%q is missing in %s", want, d.text())
				}
			}
		}
	})
}

// Every problem of every handler is reported at once, with its name and field.
func TestHandlersAreValidatedAtOnce(t *testing.T) {
	cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
	h := &tally{}
	cfg.Handler = h
	cfg.Handlers = []consumer.NamedHandler{
		{Name: "mail", Handler: h, BatchSize: 20_000},
		{Name: "mail", HandlerTimeout: -1, Handler: h},
		{Handler: h},
		{Name: "a b", Handler: h, MaximumRetryAttempts: batching.AtMost(3)},
		{Name: strings.Repeat("x", 65)},
	}
	_, err := consumer.New(cfg)
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{
		"Handler and Handlers are both set", `Handlers[0] "mail": BatchSize is 20000`, `Handlers[1] "mail": Name is that of another`,
		`Handlers[1] "mail": HandlerTimeout is -1ns`, "Handlers[2].Name is empty", `Handlers[3] "a b": Name holds something else`,
		`Handlers[3] "a b": MaximumRetryAttempts is 3 but OnFailure is nil`, "Name has 65 characters", `xxx": Handler is missing`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

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

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/shard/streams"
)

// Many streams are read at once by several workers that share them all. One that
// is named while they run is begun, one that is not named any more is let go with
// its rows, and goes on where it stood when it is named again.
func TestStreamsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders", "views"), checkpointtest.NewTable()
		for _, name := range w.named {
			w.write(name, 20)
		}
		a, b := start(t, w.config(table)), start(t, w.config(table))
		await(t, "all of three streams", func() bool { return w.count("clicks")+w.count("orders")+w.count("views") == 60 })
		await(t, "both workers have three shards", func() bool { return a.holds() == 3 && b.holds() == 3 })

		w.name("clicks", "orders", "views", "bills")
		w.write("bills", 5)
		began := time.Now()
		await(t, "the new stream", func() bool { return w.count("bills") == 5 })
		if took := time.Since(began); took > 75*time.Second {
			t.Errorf("a new stream was begun after %v", took)
		}
		if !w.told("bills", consumer.StreamRead) {
			t.Error("nobody was told of the new stream")
		}

		w.name("clicks", "views", "bills")
		await(t, "orders are let go", func() bool { return a.holds()+b.holds() == 6 })
		time.Sleep(3 * time.Minute)
		w.write("orders", 7)
		time.Sleep(3 * time.Minute)
		if n := w.count("orders"); n != 20 {
			t.Errorf("%d orders are handled, though they are not named", n)
		}
		rows, _ := table.List(t.Context())
		for _, row := range rows {
			if strings.Contains(row.Key, ":orders:") && (row.Owner != "" || !row.Checkpoint.IsRecord()) {
				t.Errorf("after its stream was let go a row is %s", row)
			}
		}
		if !w.told("orders", consumer.StreamLeft) {
			t.Error("nobody was told that a stream was left")
		}
		w.name("clicks", "orders", "views", "bills")
		await(t, "the orders of meanwhile", func() bool { return w.count("orders") == 27 })
		w.done(t)
		for key, all := range w.handled {
			if len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
				t.Errorf("%s was handled twice: %v", key, all)
			}
		}
	})
}

// A stream that is created again under its name is not read: its positions mean
// nothing any more. The others go on, and a restart does not forget it.
func TestStreamCreatedAgainIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders"), checkpointtest.NewTable()
		w.write("clicks", 10)
		w.write("orders", 10)
		r := start(t, w.config(table))
		await(t, "all of two streams", func() bool { return w.count("clicks")+w.count("orders") == 20 })
		time.Sleep(5 * time.Second)
		w.places["orders"].again(2)
		w.write("orders", 10)
		w.write("clicks", 10)
		await(t, "somebody says so", func() bool { return w.told("orders", consumer.StreamRecreated) })
		await(t, "clicks go on", func() bool { return w.count("clicks") == 20 })
		time.Sleep(5 * time.Minute)
		if got := state(r, "orders"); got != consumer.StreamRecreated || r.holds() != 1 {
			t.Errorf("the stream is %s, and %d shards are held, want recreated and 1", got, r.holds())
		}
		r.end()
		w.events = nil
		r = start(t, w.config(table))
		await(t, "the next one says so", func() bool { return w.told("orders", consumer.StreamRecreated) })
		time.Sleep(5 * time.Minute)
		if n := w.count("orders"); n != 10 {
			t.Errorf("%d orders are handled, want those of the first stream", n)
		}
		for _, s := range r.Status().Streams {
			if s.State == consumer.StreamRecreated && !strings.Contains(s.Error, "000000000000:orders:") {
				t.Errorf("the status says %q", s.Error)
			}
		}
		r.end()

		// Whoever says so begins it anew.
		r = start(t, w.config(table, func(o *streams.Options) { o.OnRecreated = streams.StartAnew }))
		await(t, "the second stream", func() bool { return w.count("orders") == 20 })
		if got := state(r, "orders"); got != consumer.StreamRead {
			t.Errorf("the stream is %s", got)
		}
		r.end()

		// From then on it is the one that was read.
		w.write("orders", 3)
		r = start(t, w.config(table))
		await(t, "what comes later", func() bool { return w.count("orders") == 23 })
		r.end()
		w.done(t)
	})
}

// A stream that cannot be described or listed is told of and tried again; the
// others do not wait for it. Nobody takes a shard for gone by a listing that
// failed.
func TestOneStreamsTroubleIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders", "views"), checkpointtest.NewTable()
		denied := errors.New("denied")
		w.places["orders"].stream().Fault(func(c shardtest.Call) error {
			if c.Op == shardtest.Describe {
				return denied
			}
			return nil
		})
		w.places["gone"] = newPlace("gone", 1)
		w.places["gone"].stream().Delete()
		w.name("clicks", "orders", "views", "gone")
		for _, name := range []string{"clicks", "orders", "views"} {
			w.write(name, 10)
		}
		r := start(t, w.config(table))
		began := time.Now()
		await(t, "the other streams", func() bool { return w.count("clicks")+w.count("views") == 20 })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the others were begun after %v", took)
		}
		await(t, "somebody says so", func() bool {
			return w.told("orders", consumer.StreamTroubled) && w.told("gone", consumer.StreamMissing)
		})
		w.places["orders"].stream().Fault(nil)
		await(t, "the stream is read when it can be", func() bool { return w.count("orders") == 10 })

		// Now listing fails, and the stream is resharded meanwhile.
		orders := w.places["orders"].stream()
		orders.Fault(func(c shardtest.Call) error {
			if c.Op == shardtest.List {
				return fmt.Errorf("rate exceeded: %w", shard.ErrThrottled)
			}
			return nil
		})
		if _, _, err := orders.Split("shardId-000000000001"); err != nil {
			t.Fatal(err)
		}
		views := w.places["views"].stream()
		if _, _, err := views.Split("shardId-000000000002"); err != nil {
			t.Fatal(err)
		}
		w.write("orders", 10)
		w.write("views", 10)
		await(t, "the children of the others", func() bool { return w.count("views") == 20 })
		await(t, "somebody says so", func() bool { return state(r, "orders") == consumer.StreamTroubled })
		time.Sleep(5 * time.Minute)
		orders.Fault(nil)
		await(t, "all orders", func() bool { return w.count("orders") == 20 })
		rows, _ := table.List(t.Context())
		for _, row := range rows {
			if row.Lost {
				t.Errorf("the row %s says that records were lost", row)
			}
		}
		r.end()
		w.done(t)
	})
}

// While the list cannot be had, the streams that are known are read on.
func TestStreamsAreReadOnWithoutTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders"), checkpointtest.NewTable()
		r := start(t, w.config(table))
		await(t, "the shards", func() bool { return r.holds() == 3 })
		w.mu.Lock()
		w.refuse = errors.New("the registry is down")
		w.mu.Unlock()
		time.Sleep(5 * time.Minute)
		w.write("clicks", 10)
		await(t, "what comes meanwhile", func() bool { return w.count("clicks") == 10 })
		if got := r.Status().StreamsError; !strings.Contains(got, "the registry is down") {
			t.Errorf("the status says %q", got)
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		await(t, "the list is back", func() bool { return r.Status().StreamsError == "" })
	})
}

// Each stream of a fixed list has to be there at the start, and the error names
// all that are not.
func TestFixedStreamsMustBeThereAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, one, two := newPlace("here", 1), newPlace("one", 1), newPlace("two", 1)
		one.stream().Delete()
		two.stream().Delete()
		cfg := config(nil, nil)
		cfg.Source, cfg.Leases, cfg.Handler = streams.Of([]shard.Source{here, one, two}), checkpointtest.NewTable(), &tally{}
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Run(t.Context())
		if !errors.Is(err, shard.ErrNoStream) || !strings.Contains(err.Error(), "stream one") || !strings.Contains(err.Error(), "stream two") {
			t.Errorf("got %v, want both missing streams named", err)
		}
	})
}

// A start at the tip is pinned for each stream to when it was first seen: what
// comes between that and its first read is delivered. A stream may have a start of
// its own.
func TestStreamsStartAtTheirOwnPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders"), checkpointtest.NewTable()
		w.write("clicks", 5)
		w.write("orders", 5)
		time.Sleep(time.Second)
		cfg := w.config(table)
		cfg.StartingPosition = shard.Latest()
		cfg.Source = streams.Ask(func(ctx context.Context) ([]shard.Source, error) {
			all, err := w.ask(ctx)
			for i, one := range all {
				if one == w.places["orders"] {
					all[i] = streams.StartAt(one, shard.TrimHorizon())
				}
			}
			return all, err
		})
		r := start(t, cfg)
		await(t, "all orders, and the shards", func() bool { return w.count("orders") == 5 && r.holds() == 3 })
		if n := w.count("clicks"); n != 0 {
			t.Errorf("%d clicks from before the start were handled", n)
		}
		w.mu.Lock()
		w.places["bills"] = newPlace("bills", 2)
		w.mu.Unlock()
		w.write("bills", 4) // from before it is seen
		time.Sleep(time.Second)
		w.name("clicks", "orders", "bills")
		await(t, "the new stream is seen", func() bool { return w.told("bills", consumer.StreamRead) })
		w.write("bills", 6)
		await(t, "what came since", func() bool { return w.count("bills") == 6 })
		r.end()
		w.done(t)
	})
}

// The rows of a stream that is not named for ForgetAfter are deleted; until then
// and without it they stay. Named again after that, it begins anew.
func TestRowsOfLeftStreamsAreForgottenAfterAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders"), checkpointtest.NewTable()
		w.write("orders", 5)
		r := start(t, w.config(table, func(o *streams.Options) { o.ForgetAfter = time.Hour }))
		await(t, "all orders", func() bool { return w.count("orders") == 5 })
		rows := func(name string) (n int) {
			all, _ := table.List(t.Context())
			for _, row := range all {
				if strings.Contains(row.Key, ":"+name+":") {
					n++
				}
			}
			return n
		}
		w.name("clicks")
		time.Sleep(50 * time.Minute)
		if n := rows("orders"); n != 2 {
			t.Errorf("%d rows are left after 50 minutes, want 2", n)
		}
		time.Sleep(15 * time.Minute)
		if n := rows("orders"); n != 0 {
			t.Errorf("%d rows are left after 65 minutes, want none", n)
		}
		if n := rows("clicks"); n != 1 {
			t.Errorf("%d rows of the other stream are left", n)
		}
		w.handled = map[string][]string{}
		w.name("clicks", "orders")
		await(t, "all orders again", func() bool { return w.count("orders") == 5 })
		r.end()
	})
}

// What a job of many streams ends with is all of them: one that cannot be read
// holds it up.
func TestCaughtUpWaitsForEveryStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks", "orders"), checkpointtest.NewTable()
		w.write("clicks", 5)
		w.write("orders", 5)
		w.places["orders"].stream().Fault(func(c shardtest.Call) error {
			if c.Op == shardtest.Describe {
				return errors.New("denied")
			}
			return nil
		})
		cfg := w.config(table)
		cfg.Until = consumer.CaughtUp()
		r := start(t, cfg)
		await(t, "all clicks", func() bool { return w.count("clicks") == 5 })
		time.Sleep(2 * time.Minute)
		select {
		case err := <-r.done:
			t.Fatalf("the job has ended with %v and without the orders", err)
		default:
		}
		w.places["orders"].stream().Fault(nil)
		if err := <-r.done; err != nil || w.count("orders") != 5 {
			t.Errorf("the job ended with %v and %d orders", err, w.count("orders"))
		}
		r.done = nil
	})
}

// A table is of one stream or of many, and says so.
func TestTableOfOneStreamIsNotTakenForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newTown("clicks"), checkpointtest.NewTable()
		w.write("clicks", 1)
		one := config(w.places["clicks"].stream(), table)
		one.Handler = &tally{}
		runToTip(t, one)
		c, err := consumer.New(w.config(table))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); !errors.Is(err, checkpoint.ErrOtherStream) || !strings.Contains(err.Error(), "many streams") {
			t.Errorf("got %v", err)
		}
	})
}

// What is wrong with the list is told at once, with the field.
func TestStreamsAreValidated(t *testing.T) {
	stream := newPlace("clicks", 1)
	cfg := config(nil, checkpointtest.NewTable())
	cfg.Handler = &tally{}
	cfg.Source = streams.Of([]shard.Source{stream, nil, stream, streams.StartAt(newPlace("x", 1), shard.After("1", 0))},
		func(o *streams.Options) { o.Every, o.ForgetAfter, o.OnRecreated = time.Millisecond, time.Second, 7 })
	_, err := consumer.New(cfg)
	for _, want := range []string{"Source: stream 1 is nil", "stream 2, stream clicks, is named twice", "stream 3, stream x: StartAt", "Every", "ForgetAfter", "OnRecreated"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

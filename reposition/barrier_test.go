package reposition

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// keys of a load, which lie all over the range of hashes.
var keys = []string{"ada.", "bob.", "cyd.", "dan.", "eve.", "fay.", "gus.", "hal."}

// load puts records of every key, numbered, until stop is called.
type load struct {
	b       *bench
	mu      sync.Mutex
	put     int
	arrived map[string]time.Time
}

func newLoad(b *bench) *load { return &load{b: b, arrived: map[string]time.Time{}} }

// round puts one record of each key.
func (l *load) round() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		r := l.b.stream.Put(key, fmt.Append(nil, key, l.put))
		l.arrived[string(r.Data)] = r.ArrivedAt
	}
	l.put++
}

func (l *load) rounds(n int) {
	for range n {
		l.round()
		time.Sleep(time.Second)
	}
}

// total is how many records were put.
func (l *load) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.put * len(keys)
}

// runs are the numbers of a key's records as they were handled, cut where they
// go back.
func runs(t *testing.T, got []string, key string) [][]int {
	t.Helper()
	var all [][]int
	for _, data := range got {
		number, ok := strings.CutPrefix(data, key)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 || n <= all[len(all)-1][len(all[len(all)-1])-1] {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], n)
	}
	return all
}

// cameAgain wants each key to have been handled in order up to the move, and from
// the first record at a time on again, without a gap, to the last.
func (l *load) cameAgain(t *testing.T, got []string, since time.Time) {
	t.Helper()
	for _, key := range keys {
		all := runs(t, got, key)
		if len(all) != 2 {
			t.Errorf("key %s was handled in %d runs, want one before the move and one behind it: %v", key, len(all), all)
			continue
		}
		first := 0
		for l.arrived[key+strconv.Itoa(first)].Before(since.Truncate(time.Millisecond)) {
			first++
		}
		for i, n := range all[1] {
			if n != first+i {
				t.Errorf("key %s: behind the move %d came in the place of %d", key, n, first+i)
				break
			}
		}
		if last := all[1][len(all[1])-1]; last != l.put-1 {
			t.Errorf("key %s: the last that was handled is %d of %d", key, last, l.put)
		}
	}
}

// reshaped is a bench whose stream was split and merged under a load of which all
// is handled, with the time at which half of it had been put, and workers at it.
func reshaped(t *testing.T) (b *bench, l *load, half time.Time) {
	b = newBench(t, 2)
	l = newLoad(b)
	for range 2 {
		b.work(b.table, b.log)
	}
	l.rounds(3)
	lower, upper, err := b.stream.Split(zero)
	b.must(err)
	l.rounds(3)
	half = time.Now()
	l.rounds(3)
	_, err = b.stream.Merge(upper, one)
	b.must(err)
	l.rounds(2)
	_, _, err = b.stream.Split(lower)
	b.must(err)
	l.rounds(2)
	b.await("everything once", func() bool { return b.log.len() == l.total() })
	time.Sleep(5 * time.Second)
	return b, l, half
}

// All shards are moved to a time under load: finished ones come to life again,
// children wait for their parents, and every record from that time on is handled
// again, in order for each key.
func TestRewindHandlesEverythingSinceAgainInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, half := reshaped(t)
		m := b.mover(func(c *Config) { c.atOnce = 2 })
		p := plan(b)(m.Seek(t.Context(), Target{To: shard.AtTime(half)}))
		loading := make(chan struct{})
		go func() { l.rounds(10); close(loading) }() // ends by itself; awaited below
		began := time.Now()
		b.must(m.Apply(t.Context(), p))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the fleet stood still for %v", took)
		}
		<-loading
		want := 0
		for _, at := range l.arrived {
			if !at.Before(half) {
				want++
			}
		}
		b.await("the last of it", func() bool {
			return b.log.len() >= want+l.total()-10*len(keys)-want/2 && quiet(b)
		})
		l.cameAgain(t, b.log.take(), half)
		if move, err := m.Underway(t.Context()); err != nil || move.Active() {
			t.Errorf("afterwards there is %v (%v)", move, err)
		}
	})
}

// Rows of finished shards that were deleted while the shards are still listed, as
// KCL does, are made again, above every counter and seek generation before.
func TestRewindMakesRowsThatAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, half := reshaped(t)
		before := b.row(zero)
		if !before.Finished() {
			t.Fatalf("%v is not finished", before)
		}
		b.table.Remove(zero)
		b.table.Remove(one)
		m := b.mover()
		if _, err := m.Seek(t.Context(), Target{Shard: zero, To: shard.TrimHorizon()}); !errors.Is(err, ErrFinished) {
			t.Errorf("a shard without a row is moved alone: %v", err)
		}
		p := plan(b)(m.Seek(t.Context(), Target{To: shard.AtTime(half)}))
		if !strings.Contains(p.String(), "(no row)") {
			t.Errorf("the plan says nothing of the rows that are missing:\n%s", p)
		}
		b.must(m.Apply(t.Context(), p))
		b.await("everything", func() bool { return quiet(b) })
		l.cameAgain(t, b.log.take(), half)
		if row := b.row(zero); row.Counter <= before.Counter || row.SeekGen <= before.SeekGen || !row.Finished() {
			t.Errorf("the row was %+v and is %+v", before, row)
		}
	})
}

// quiet waits until nothing has been handled for ten seconds.
func quiet(b *bench) bool {
	n := b.log.len()
	time.Sleep(10 * time.Second)
	return n == b.log.len()
}

// To the horizon everything comes again, and to the tip nothing does.
func TestRewindToTheHorizonAndBackToTheTip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, _ := reshaped(t)
		m := b.mover()
		b.must(m.Apply(t.Context(), plan(b)(m.Seek(t.Context(), Target{To: shard.TrimHorizon()}))))
		b.await("everything again", func() bool { return b.log.len() == 2*l.total() && quiet(b) })
		l.cameAgain(t, b.log.take(), time.Time{})
		must := b.must
		must(m.Apply(t.Context(), plan(b)(m.Reset(t.Context(), shard.TrimHorizon()))))
		// Before the fleet has begun again, or hardly: the rest is skipped.
		time.Sleep(100 * time.Millisecond)
		must(m.Apply(t.Context(), plan(b)(m.Seek(t.Context(), Target{To: shard.Latest()}))))
		quiet(b)
		b.log.take()
		l.rounds(3)
		b.await("what came behind the tip", func() bool { return quiet(b) })
		if got := b.log.take(); len(got) != 3*len(keys) {
			t.Errorf("behind the tip %d records were handled, want %d", len(got), 3*len(keys))
		}
	})
}

var errKilled = errors.New("killed")

// Of two movers one goes on, and the other can write nothing more.
func TestOnlyOneGoAtAMoveCanWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, half := reshaped(t)
		hold := make(chan struct{})
		var once sync.Once
		b.table.Interfere(func(op, caller string) error {
			if caller == "tool" && op == "rewrite" {
				once.Do(func() { <-hold })
			}
			return nil
		}, nil)
		tool := b.mover(func(c *Config) { c.Leases, c.Unread = b.table.As("tool"), true })
		p := plan(b)(tool.Seek(t.Context(), Target{To: shard.AtTime(half)}))
		answer := make(chan error, 1)
		go func() { answer <- tool.Apply(context.Background(), p) }() // awaited below
		other := b.mover()
		b.await("it writes", func() bool { m, _ := other.Underway(t.Context()); return m.Writing })
		b.must(other.Resume(t.Context()))
		close(hold)
		b.is(<-answer, checkpoint.ErrMoveOver)
		b.await("everything", func() bool { return quiet(b) })
		l.cameAgain(t, b.log.take(), half)
	})
}

// A worker that does not answer is waited for, and declared dead after Silence;
// one that beats and does not stand still ends the move, and nothing has changed.
func TestMoveWaitsForWhoeverMayWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, half := reshaped(t)
		b.must(b.table.Register(t.Context(), shard.Session{ID: "dead/1", Version: 2}))
		m := b.mover()
		p := plan(b)(m.Seek(t.Context(), Target{To: shard.AtTime(half)}))
		began := time.Now()
		b.must(m.Apply(t.Context(), p))
		if took := time.Since(began); took < 8*time.Second || took > 2*time.Minute {
			t.Errorf("a worker without a sign of life was waited for for %v", took)
		}
		b.await("everything", func() bool { return quiet(b) })
		l.cameAgain(t, b.log.take(), half)

		old := shard.Session{ID: "old/1", Version: 1}
		b.must(b.table.Register(t.Context(), old))
		silence, silent := make(chan struct{}), make(chan struct{})
		go func() { // ends with silence; awaited below
			defer close(silent)
			for {
				select {
				case <-silence:
					return
				case <-time.After(time.Second):
					b.table.Heartbeat(context.Background(), old)
				}
			}
		}()
		p = plan(b)(m.Seek(t.Context(), Target{To: shard.TrimHorizon()}))
		err := m.Apply(t.Context(), p)
		b.is(err, ErrNotStill)
		if !strings.Contains(err.Error(), "old/1") {
			t.Errorf("the error does not name the worker: %v", err)
		}
		if move, err := m.Underway(t.Context()); err != nil || move.Active() {
			t.Errorf("the move was not given up: %v, %v", move, err)
		}
		close(silence)
		<-silent
		b.must(b.table.Leave(t.Context(), old.ID))
		l.round()
		b.await("it goes on", func() bool { return quiet(b) })
		if n := b.log.len(); n != len(keys) {
			t.Errorf("%d records were handled after the move was given up, want %d", n, len(keys))
		}
	})
}

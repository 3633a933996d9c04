package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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

// mortal is a table some of whose workers have died: nothing they still ask for
// is applied.
type mortal struct {
	*checkpointtest.Table
	mu   sync.Mutex
	dead map[string]bool
}

func newMortal() *mortal {
	m := &mortal{Table: checkpointtest.NewTable(), dead: map[string]bool{}}
	m.Interfere(func(_, caller string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.dead[caller] {
			return errors.New("the process is dead")
		}
		return nil
	}, nil)
	return m
}

func (m *mortal) kill(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead[name] = true
}

func (m *mortal) isDead(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead[name]
}

// process runs one process that dies in the handler call that has the given
// record, until it has died, or everything is done. The caller names it in the
// table by its prefix and random part, so that it is aimed at by name.
func (m *mortal) process(t *testing.T, name string, cfg consumer.Config, poison string, given func(b *batching.Batch)) (died bool) {
	t.Helper()
	over := make(chan struct{})
	var once sync.Once
	cfg.Leases, cfg.WorkerPrefix, cfg.Until = m.As(name), name, consumer.CaughtUp()
	cfg.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
		if m.isDead(name) {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		given(b)
		if find(b, poison) != nil {
			m.kill(name)
			once.Do(func() { close(over) })
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	})
	r := start(t, cfg)
	select {
	case <-over:
		_, _ = r.end()
		return true
	case err := <-r.done:
		r.done = nil
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
}

// A record on which the process dies is found: the third owner in a row handles
// records one by one, each marked in the row before, and after three crashes on
// the marked record it goes to the destination, and everything else is handled.
func TestRecordThatKillsTheProcessIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		for i := range 20 {
			stream.Put("key", fmt.Appendf(nil, "r%02d", i))
		}
		table := newMortal()
		failed := &destinationtest.Recorder{}
		cfg := config(stream, nil)
		cfg.OnFailure, cfg.DrainTimeout = failed, time.Second
		handled := map[string]bool{}
		var sizes [][]int // how many records each call had, by process
		for n := 1; ; n++ {
			if n > 10 {
				t.Fatal("ten processes have died, want six to be enough")
			}
			var mine []int
			died := table.process(t, fmt.Sprint("p", n), cfg, "r07", func(b *batching.Batch) {
				mine = append(mine, len(b.Records))
				row := onlyRow(t, table.Table)
				if len(b.Records) > 1 {
					if row.Suspect.IsRecord() {
						t.Errorf("p%d: a batch of %d is given while %s is marked", n, len(b.Records), row.Suspect)
					}
				} else if row.Suspect.Compare(b.First().Position()) != 0 {
					t.Errorf("p%d: %s is handled alone while the row marks %s", n, b.First().Data, row.Suspect)
				}
				if find(b, "r07") == nil {
					for _, r := range b.Records {
						handled[string(r.Data)] = true
					}
				}
			})
			sizes = append(sizes, mine)
			if !died {
				break
			}
		}
		if len(sizes) != 6 {
			t.Errorf("%d processes were needed, want 6: two before it is suspected, three on the marked record, and one that gives it up", len(sizes))
		}
		// The first two die on the whole batch. The third handles seven alone,
		// and the checkpoint keeps them.
		want := [][]int{{20}, {20}, {1, 1, 1, 1, 1, 1, 1, 1}, {1}, {1}, slices.Repeat([]int{1}, 12)}
		if fmt.Sprint(sizes) != fmt.Sprint(want) {
			t.Errorf("calls had\n     %v records, want\n     %v", sizes, want)
		}
		accepted := failed.Accepted()
		if len(accepted) != 1 || len(accepted[0].Records) != 1 || string(accepted[0].Records[0].Data) != "r07" ||
			accepted[0].Condition != destination.ProcessCrashed || accepted[0].Attempts != 3 {
			t.Errorf("the destination accepted %v, want r07 as %s after 3", accepted, destination.ProcessCrashed)
		}
		if len(handled) != 19 {
			t.Errorf("%d other records were handled, want 19", len(handled))
		}
		if row := onlyRow(t, table.Table); row.Suspect.IsRecord() || row.OwnerSwitches != 0 {
			t.Errorf("the row is left as %s, suspect %s, want no mark", row, row.Suspect)
		}
	})
}

// makeRows runs a consumer that handles nothing, so that the table has its rows;
// a test then leaves them as crashes do.
func makeRows(t *testing.T, cfg consumer.Config) {
	t.Helper()
	cfg.Handler, cfg.Until = &tally{}, consumer.Arrival(time.Unix(1, 0))
	r := start(t, cfg)
	err := <-r.done
	if r.done = nil; err != nil {
		t.Fatal(err)
	}
}

// Success clears the mark: a record that was unlucky three times, whose fourth
// attempt succeeds, counts no crashes any more.
func TestSuccessClearsTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		first := stream.Put("key", []byte("a"))
		stream.Put("key", []byte("b"))
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		makeRows(t, cfg)
		table.Edit("shardId-000000000000", func(l *shard.Lease) { l.Suspect, l.SuspectCrashes = first.Position(), 2 })
		var marks []string
		failed := &destinationtest.Recorder{}
		cfg.OnFailure = failed
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			row := onlyRow(t, table)
			marks = append(marks, fmt.Sprintf("%s alone %v, crash %d", b.First().Data, len(b.Records) == 1, row.SuspectCrashes))
			return nil
		})
		runToTip(t, cfg)
		if got, want := fmt.Sprint(marks), "[a alone true, crash 3 b alone true, crash 1]"; got != want {
			t.Errorf("calls %s, want %s", got, want)
		}
		if row := onlyRow(t, table); row.Suspect.IsRecord() || row.SuspectCrashes != 0 || len(failed.Accepted()) != 0 {
			t.Errorf("the row marks %s with %d crashes, and %d were given up, want none", row.Suspect, row.SuspectCrashes, len(failed.Accepted()))
		}
	})
}

// An error is no crash: a marked record that fails and is tried again within one
// process is counted once.
func TestRetriesOfAMarkedRecordAreOneCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		makeRows(t, cfg)
		table.Edit("shardId-000000000000", func(l *shard.Lease) { l.OwnerSwitches = 5 })
		var counts []int
		cfg.OnFailure = &destinationtest.Recorder{}
		cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			counts = append(counts, onlyRow(t, table).SuspectCrashes)
			if len(counts) < 8 {
				return errors.New("not yet")
			}
			return nil
		})
		runToTip(t, cfg)
		if got, want := fmt.Sprint(counts), "[1 1 1 1 1 1 1 1]"; got != want {
			t.Errorf("the row counted %s, want %s", got, want)
		}
	})
}

// While a suspect record is handled nothing else runs in the process, so that a
// crash is its own; and other shards go on behind it.
func TestSuspectRecordIsAloneInTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(4)
		for i := range 400 {
			stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
		}
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		makeRows(t, cfg)
		const suspect = "shardId-000000000002"
		table.Edit(suspect, func(l *shard.Lease) { l.OwnerSwitches = 2 })
		isolated := map[string]bool{}
		var mu sync.Mutex
		working, alone := 0, 0
		h := &tally{do: func(ctx context.Context, b *batching.Batch) error {
			mu.Lock()
			working++
			if b.Shard == suspect {
				alone++
				if len(b.Records) != 1 || working != 1 {
					t.Errorf("%d suspect records are handled in %d calls at once, want 1 alone", len(b.Records), working)
				}
			}
			mu.Unlock()
			busy(ctx, b)
			mu.Lock()
			defer mu.Unlock()
			if b.Shard == suspect && working != 1 {
				t.Errorf("%d calls ran beside a suspect record", working-1)
			}
			working--
			return nil
		}}
		cfg.Handler, cfg.BatchSize = h, 5
		cfg.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
			mu.Lock()
			defer mu.Unlock()
			isolated[e.Shard] = e.Isolated
		}
		runToTip(t, cfg)
		if h.finished() != 400 || h.most() < 2 || alone == 0 {
			t.Errorf("%d records were handled, at most %d calls at once, %d alone; want 400, several, some", h.finished(), h.most(), alone)
		}
		for id, was := range isolated {
			if was != (id == suspect) {
				t.Errorf("%s was told as isolated: %v", id, was)
			}
		}
	})
}

// Two workers that died are no more than bad luck: their shard is not isolated.
func TestTwoOwnersThatDiedAreNotSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		stream.Put("key", []byte("b"))
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		makeRows(t, cfg)
		table.Edit("shardId-000000000000", func(l *shard.Lease) { l.OwnerSwitches = 1 })
		s := &sizes{}
		cfg.Handler = s
		runToTip(t, cfg)
		if got, _ := s.calls(); fmt.Sprint(got) != "[2]" {
			t.Errorf("calls had %v records, want [2]", got)
		}
	})
}

// Isolation ends behind what the owners that died can have had in flight: a long
// backlog is not handled one by one to its end.
func TestIsolationEndsBehindWhatWasInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const records, inFlight = 13_000, 100
		stream := wide(1)
		for i := range records {
			stream.Put("key", fmt.Append(nil, i))
		}
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.MaximumInFlight = inFlight
		makeRows(t, cfg)
		table.Edit("shardId-000000000000", func(l *shard.Lease) { l.OwnerSwitches = 2 })
		s := &sizes{}
		cfg.Handler = s
		runToTip(t, cfg)
		got, _ := s.calls()
		alone := slices.IndexFunc(got, func(n int) bool { return n > 1 })
		if want := inFlight + 10_000; alone < want || alone > want+100 {
			t.Errorf("%d records were handled alone, want %d and the rest of that batch", alone, want)
		}
	})
}

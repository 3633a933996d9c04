package streamtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// everyHolder reports whether each unfinished shard is held by one of the
// workers, none is on its way, and no worker has two more than another.
func everyHolder(rig *streamtest.Rig, shards int, workers ...string) func() bool {
	return func() bool {
		held, n := map[string]int{}, 0
		for _, row := range rig.Rows() {
			if row.Finished() {
				continue
			}
			if row.CheckpointOwner != "" || !slices.Contains(workers, nameOf(row.Owner)) {
				return false
			}
			held[nameOf(row.Owner)]++
			n++
		}
		least, most := 1<<30, 0
		for _, w := range workers {
			least, most = min(least, held[w]), max(most, held[w])
		}
		return n == shards && most-least <= 1
	}
}

// moves counts the tenures that begin anywhere, as a change of a config.
type moves struct {
	mu     sync.Mutex
	starts []string // "worker shard"
}

func (m *moves) watch(c *consumer.Config) {
	c.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.starts = append(m.starts, nameOf(e.Worker)+" "+e.Shard)
	}
}

func (m *moves) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.starts)
}

// silent fails the test if a shard changes hands within d.
func (m *moves) silent(t *testing.T, d time.Duration) {
	t.Helper()
	before := len(m.seen())
	time.Sleep(d)
	if after := m.seen(); len(after) > before {
		t.Errorf("in a settled fleet shards moved: %s", strings.Join(after[before:], ", "))
	}
}

// A second worker joins while records keep coming. It gets its share without a
// record handled twice, and then nothing moves any more.
func TestScenarioJoinIsQuietAndEven(t *testing.T) {
	for shards, lanes := range map[int]int{1: 1, 2: 1, 7: 8} {
		t.Run(fmt.Sprintf("shards=%d lanes=%d", shards, lanes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, shards)
				defer rig.Close()
				var m moves
				set := func(c *consumer.Config) {
					c.ParallelizationFactor, c.Handler = lanes, slow(100*time.Millisecond)
					m.watch(c)
				}
				rig.Start("a", set)
				rig.Await("a works", holds(rig, "a", shards))
				stop := flow(t, rig, 50*time.Millisecond)
				time.Sleep(7 * time.Second)
				rig.Start("b", set)
				joined := time.Now()
				if shards > 1 {
					rig.Await("it is even", everyHolder(rig, shards, "a", "b"))
				}
				if took := time.Since(joined); took > 20*time.Second {
					t.Errorf("it took %v until the shares were even", took)
				}
				time.Sleep(5 * time.Second)
				stop()
				rig.Await("all done", rig.AllDone)
				if n := rig.Ledger.Repeated(); n != 0 {
					t.Errorf("%d records were handled twice", n)
				}
				if got, want := len(m.seen()), shards+shards/2; got != want {
					t.Errorf("%d tenures began, want %d: %s", got, want, strings.Join(m.seen(), ", "))
				}
				m.silent(t, 5*time.Minute)
			})
		})
	}
}

// A shard has no records for an hour (a quarter of one under the race detector,
// which is still longer than any period of the protocol), while three more workers
// come. It stays with its owner, whose session beats on, and its row is not written
// but for the note that all has been read.
func TestScenario11IdleShardStaysWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		var m moves
		rig.Start("a", m.watch)
		rig.Await("a works", holds(rig, "a", 1))
		counter := rowOf(rig, shardName(0)).Counter
		for _, name := range []string{"b", "c", "d"} {
			time.Sleep(time.Minute)
			rig.Start(name, m.watch)
		}
		idle := 57 * time.Minute
		if raceEnabled {
			idle = 12 * time.Minute
		}
		time.Sleep(idle)
		row := rowOf(rig, shardName(0))
		if nameOf(row.Owner) != "a" || len(m.seen()) != 1 {
			t.Errorf("the row is %s after %s", row, strings.Join(m.seen(), ", "))
		}
		if row.Counter > counter+1 {
			t.Errorf("the idle row was written %d times", row.Counter-counter)
		}
		rig.Put("at last", "")
		rig.Await("it is handled", rig.AllDone)
		if c := rig.Ledger.Calls(); c[0].Worker != "a" {
			t.Errorf("it was handled by %s", c[0].Worker)
		}
	})
}

// A hundred shards: one worker starts cold, nine more join at once, five die at
// once. Each time all shards are shared evenly, quickly, and with no more moves
// than that needs.
func TestScenario14HundredShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 100
		rig := streamtest.New(t, shards)
		defer rig.Close()
		var m moves
		rig.PutN(300, 300)
		names := []string{"w0"}
		fleet := []*streamtest.Worker{rig.Start("w0", m.watch)}
		began := time.Now()
		rig.Await("one has all", everyHolder(rig, shards, names...))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a cold start took %v", took)
		}
		rig.Await("all done", rig.AllDone)
		time.Sleep(15 * time.Second)
		for i := 1; i < 10; i++ {
			names = append(names, fmt.Sprintf("w%d", i))
			fleet = append(fleet, rig.Start(names[i], m.watch))
		}
		began, moved := time.Now(), len(m.seen())
		rig.Await("ten have ten each", everyHolder(rig, shards, names...))
		if took := time.Since(began); took > 45*time.Second {
			t.Errorf("it took %v until nine had joined", took)
		}
		time.Sleep(5 * time.Second)
		if n := len(m.seen()) - moved; n != 90 {
			t.Errorf("%d shards moved, want 90", n)
		}
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice though nobody died", n)
		}
		rig.PutN(300, 300)
		rig.Await("all done", rig.AllDone)

		for _, w := range fleet[5:] {
			w.Kill()
		}
		began, moved = time.Now(), len(m.seen())
		rig.Await("five have twenty each", everyHolder(rig, shards, names[:5]...))
		if took := time.Since(began); took > 13*time.Second {
			t.Errorf("it took %v until five had died", took)
		}
		time.Sleep(3 * time.Second)
		// The survivors do not learn of all five deaths at one instant, so a few
		// shards move a second time.
		if n := len(m.seen()) - moved; n < 50 || n > 60 {
			t.Errorf("%d shards moved, want the 50 of the dead and few besides", n)
		}
		rig.PutN(300, 300)
		rig.Await("all done", rig.AllDone)
		m.silent(t, 40*time.Second)
	})
}

// The owner writes checkpoints twenty times a second, so that a row hardly
// stands still. A worker that joins gets its share none the less.
func TestScenario15BusyRowsAreHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		busy := func(c *consumer.Config) { c.CheckpointInterval = 50 * time.Millisecond }
		rig.Start("a", busy)
		rig.Await("a works", holds(rig, "a", 4))
		stop := flow(t, rig, 10*time.Millisecond)
		time.Sleep(2 * time.Second)
		counter := rowOf(rig, shardName(0)).Counter
		time.Sleep(time.Second)
		if n := rowOf(rig, shardName(0)).Counter - counter; n < 3 {
			t.Fatalf("the row was written only %d times in a second", n)
		}
		rig.Start("b", busy)
		joined := time.Now()
		rig.Await("it is even", everyHolder(rig, 4, "a", "b"))
		if took := time.Since(joined); took > 15*time.Second {
			t.Errorf("it took %v until the shares were even", took)
		}
		stop()
		rig.Await("all done", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice", n)
		}
	})
}

// Two workers start at once where there is no table yet, and DescribeTable is
// throttled for a while. Both run, and share the shards.
func TestScenario16TwoWorkersMakeTheTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		began := time.Now()
		rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Operation == "DescribeTable" && time.Since(began) < 20*time.Second {
				return awsfake.Fail("ThrottlingException", 400)
			}
			return awsfake.Fault{}
		})
		rig.PutN(100, 100)
		a, b := two(rig, 4)
		rig.Await("all done", rig.AllDone)
		if took := time.Since(began); took > 60*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, w := range []*streamtest.Worker{a, b} {
			select {
			case <-w.Done():
				t.Errorf("%s has ended: %v", w.Name, w.Wait())
			default:
			}
		}
	})
}

// Every second write to DynamoDB is throttled for a minute. No lease changes
// hands, records keep flowing, and nothing is handled twice.
func TestScenario07ThrottledTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		var m moves
		quick := func(c *consumer.Config) { c.CheckpointInterval = time.Second; m.watch(c) }
		two(rig, 4, quick)
		time.Sleep(15 * time.Second)
		stop := flow(t, rig, 50*time.Millisecond)
		defer stop()
		time.Sleep(2 * time.Second)
		settled, handledBefore := len(m.seen()), rig.Ledger.Handled()
		var mu sync.Mutex
		writes, throttled := 0, 0
		remove := rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if !isWrite(c) {
				return awsfake.Fault{}
			}
			mu.Lock()
			defer mu.Unlock()
			if writes++; writes%2 == 0 {
				return awsfake.Fault{}
			}
			throttled++
			return awsfake.Fail("ProvisionedThroughputExceededException", 400)
		})
		for range 12 {
			time.Sleep(5 * time.Second)
			now := rig.Ledger.Handled()
			if now-handledBefore < 90 { // of the 100 that were put
				t.Errorf("in five seconds only %d records were handled", now-handledBefore)
			}
			handledBefore = now
		}
		remove()
		mu.Lock() // a call that was intercepted may still be under way
		n := throttled
		mu.Unlock()
		if n < 100 {
			t.Errorf("only %d writes were throttled", n)
		}
		if all := m.seen(); len(all) > settled {
			t.Errorf("shards moved: %s", strings.Join(all[settled:], ", "))
		}
		stop()
		rig.Await("all done", rig.AllDone)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice", n)
		}
		time.Sleep(2 * time.Second)
		for _, row := range rig.Rows() {
			if !row.Checkpoint.IsRecord() {
				t.Errorf("the position was not written: %s", row)
			}
		}
	})
}

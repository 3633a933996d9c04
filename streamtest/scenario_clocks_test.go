package streamtest_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Hosts whose clocks stand hours apart, and go at rates that differ by a fifth,
// share the shards of a stream. Nobody is taken for
// dead, and no shard changes hands.
func TestScenario03ClocksThatDisagreeStealNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 6)
		defer rig.Close()
		var m moves
		clocks := map[string]streamtest.Clock{
			"slow": {Rate: 0.9, Ahead: 300 * time.Hour}, "right": {Ahead: time.Minute}, "fast": {Rate: 1.1},
		}
		for _, name := range []string{"slow", "right", "fast"} {
			rig.StartOn(clocks[name], name, m.watch)
		}
		rig.Await("all work", everyHolder(rig, 6, "slow", "right", "fast"))
		rig.PutN(100, 100)
		rig.Await("all done", rig.AllDone)
		time.Sleep(20 * time.Second)
		m.silent(t, 150*time.Second)
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were handled twice", n)
		}
	})
}

// drift is a partition between two workers whose clocks differ.
type drift struct {
	owner, watcher streamtest.Clock
	answers        time.Duration // how late the answers to the owner's heartbeats are
	phase          time.Duration // when it is cut off, in its heartbeat
}

// run cuts the owner off from the table, for good. No call of the watcher may
// begin before the last of the owner has ended.
func (d drift) run(t *testing.T) {
	rig := streamtest.New(t, 2)
	defer rig.Close()
	set := func(c *consumer.Config) { c.Handler, c.BatchSize = slow(30*time.Millisecond), 1 }
	a := rig.StartOn(d.owner, "a", set)
	rig.StartOn(d.watcher, "b", set)
	rig.Await("both work", everyHolder(rig, 2, "a", "b"))
	if d.answers > 0 {
		rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller == "a" && isWrite(c) && strings.Contains(string(c.Body), "hb + :one") {
				return awsfake.DelayAnswer(d.answers)
			}
			return awsfake.Fault{}
		})
	}
	stop := flow(t, rig, 20*time.Millisecond)
	defer stop()
	time.Sleep(3*time.Second + d.phase)
	var mine string
	for _, row := range rig.Rows() {
		if nameOf(row.Owner) == "a" {
			mine = row.Shard
		}
	}
	cut := time.Now()
	heal := a.Cut("dynamodb")
	rig.Await("b has both", holds(rig, "b", 2))
	time.Sleep(3 * time.Second)
	heal()
	stop()
	var ended time.Time
	for _, c := range rig.Ledger.Calls() {
		if c.Worker == "a" && c.Shard == mine && c.Began.Before(cut.Add(20*time.Second)) && c.Ended.After(ended) {
			ended = c.Ended
		}
	}
	began := firstCall(rig, cut, mine, "a")
	if !began.After(ended) {
		t.Errorf("b began %v after the cut and a ended %v after it", began.Sub(cut), ended.Sub(cut))
	}
	if worked := ended.Sub(cut); worked < 5*time.Second {
		t.Errorf("a gave up after %v, though its lease was good", worked)
	}
	rig.Await("all done", rig.AllDone)
}

// A worker whose clock goes slow is cut off from the table while the one that
// watches it has a fast clock: their rates differ by less than D/(D-M), a
// quarter. The slow one believes in its lease for longer, the fast one doubts it
// sooner, and still no call of the second begins before the last of the first has
// ended. The handlers take their time and heed their contexts.
func TestScenario03NeverTwoOwnersWithinTheDriftBound(t *testing.T) {
	for _, rates := range [][2]float64{{1, 1}, {0.81, 1}, {1, 1.22}, {0.9, 1.1}, {1.2, 1}} {
		t.Run(fmt.Sprintf("rates=%v", rates), func(t *testing.T) {
			d := drift{owner: streamtest.Clock{Rate: rates[0], Ahead: time.Minute}, watcher: streamtest.Clock{Rate: rates[1]}}
			synctest.Test(t, d.run)
		})
	}
}

// The same with answers to the owner's heartbeats that take most of a second: a
// lease runs from when its heartbeat was sent, not from when the answer came.
func TestScenario03LateAnswersProlongNoLease(t *testing.T) {
	for ms := 0; ms < 1000; ms += 250 {
		t.Run(fmt.Sprintf("phase=%dms", ms), func(t *testing.T) {
			d := drift{
				owner: streamtest.Clock{Rate: 0.81}, answers: 950 * time.Millisecond,
				phase: time.Duration(ms) * time.Millisecond,
			}
			synctest.Test(t, d.run)
		})
	}
}

// The service's clock stands a minute off that of the hosts and is stepped by a
// minute, forwards and back, in the middle of leases. It dates records and
// answers, and nothing about leases hangs on it: no shard moves. Nor does it
// matter to where a start at the tip begins: what arrives after it is handled.
func TestScenario03SteppedClocksMoveNothing(t *testing.T) {
	for _, off := range []time.Duration{-time.Minute, time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ahead atomic.Int64
				ahead.Store(int64(off))
				now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				rig := streamtest.New(t, 4, streamtest.WithAWS(awsfake.WithClock(now)))
				defer rig.Close()
				var m moves
				set := func(c *consumer.Config) { c.StartingPosition = shard.Latest(); m.watch(c) }
				rig.Start("a", set)
				rig.Start("b", set)
				time.Sleep(50 * time.Millisecond)
				rig.PutN(100, 100)
				rig.Await("both work", everyHolder(rig, 4, "a", "b"))
				rig.Await("all that came after the start is handled", handled(rig, 100))
				time.Sleep(15 * time.Second)
				settled := len(m.seen())
				// Never back to before the tables were made: then there are none.
				for _, step := range []time.Duration{5, 4, 6, 5} {
					ahead.Store(int64(off + step*time.Minute))
					time.Sleep(12 * time.Second)
				}
				if all := m.seen(); len(all) > settled {
					t.Errorf("shards moved: %v", all[settled:])
				}
				if n := rig.Ledger.Repeated(); n != 0 {
					t.Errorf("%d records were handled twice", n)
				}
			})
		})
	}
}

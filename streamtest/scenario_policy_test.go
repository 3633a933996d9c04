package streamtest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

const sessionTable = streamtest.Application + "-sessions"

// A policy changes, and the whole fleet is denied the lease table for a minute.
// Nobody works once the lease it has is over, nobody's run ends, and when the
// permission is back the shards are worked again without a restart.
func TestScenarioTableIsDeniedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		two(rig, 4)
		stop := flow(t, rig, 20*time.Millisecond)
		allow := rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Service == "dynamodb" {
				return awsfake.Fail("AccessDeniedException", 400)
			}
			return awsfake.Fault{}
		})
		time.Sleep(10 * time.Second)
		calls := len(rig.Ledger.Calls())
		time.Sleep(50 * time.Second)
		if n := len(rig.Ledger.Calls()); n != calls {
			t.Errorf("%d calls were made by workers without a lease that they may believe in", n-calls)
		}
		allow()
		rig.Await("both work again", everyHolder(rig, 4, "a", "b"))
		stop()
		rig.Await("all done", rig.AllDone)
	})
}

// Somebody deletes the row of a session by hand. Its worker begins another in
// the same process, and nothing is lost.
func TestScenarioSessionDeletedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		two(rig, 4)
		stop := flow(t, rig, 20*time.Millisecond)
		deleted := 0
		for _, row := range rig.AWS.DynamoDB().Items(sessionTable) {
			if id := row["id"].Text(); strings.HasPrefix(id, "a/") {
				if err := rig.AWS.DynamoDB().Delete(sessionTable, dynamofake.Item{"id": dynamofake.S(id)}); err != nil {
					t.Fatal(err)
				}
				deleted++
			}
		}
		if deleted != 1 {
			t.Fatalf("%d sessions of a, want 1", deleted)
		}
		time.Sleep(2 * time.Second)
		rig.Await("both work again", everyHolder(rig, 4, "a", "b"))
		stop()
		rig.Await("all done", rig.AllDone)
	})
}

// A worker of a later version of the library, of whose session and lease rows
// this one knows only a part, is a peer like any other: it is left what it holds,
// it is given its share, and what this version does not know stays in its row.
func TestScenarioWorkerOfALaterVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		rig.Start("a", func(c *consumer.Config) { c.DrainTimeout = time.Second })
		rig.Await("a has all", holds(rig, "a", 4))
		// The later version's sign of life, and what it does with what it is given.
		beat := func(n int64) dynamofake.Item {
			row := dynamofake.Item{
				"id": dynamofake.S("later/1"), "hb": dynamofake.N(n), "ver": dynamofake.N(99), "plans": dynamofake.N(n),
				"load": dynamofake.N(0), "leaving": dynamofake.Bool(false), "maxLeases": dynamofake.N(0),
				"whatIsNotKnownHere": dynamofake.S("x"),
			}
			if err := rig.AWS.DynamoDB().Put(sessionTable, row); err != nil {
				t.Fatal(err)
			}
			return row
		}
		given := map[string]bool{}
		for n := range int64(60) {
			beat(n + 1)
			time.Sleep(time.Second)
			for _, row := range rig.Rows() {
				if row.Owner == "later/1" && row.CheckpointOwner == "" {
					given[row.Shard] = true
				}
			}
		}
		if len(given) != 2 {
			t.Errorf("the later version was given %d of 4 shards, want 2", len(given))
		}
		kept := 0
		for _, row := range rig.AWS.DynamoDB().Items(sessionTable) {
			if row["id"].Text() == "later/1" && row["whatIsNotKnownHere"].Text() == "x" && row["revokedBy"].Text() == "" {
				kept++
			}
		}
		if kept != 1 {
			t.Error("its session was revoked, or lost what is not known here")
		}
		rig.PutN(40, 20)
		rig.Await("a handles what is its own", func() bool {
			for _, row := range rig.Rows() {
				if !given[row.Shard] && row.Checkpoint.Compare(shard.TrimHorizon()) <= 0 {
					return false
				}
			}
			return true
		})
		// Then it dies, and a has all again.
		rig.Await("a has all again", holds(rig, "a", 4))
		rig.Await("all done", rig.AllDone)
	})
}

package streamtest_test

import (
	"bytes"
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// giveToGhost writes an owner without a session into the row of a shard, and
// returns who it was before.
func giveToGhost(rig *streamtest.Rig, shardID string) (was string) {
	row := maps.Clone(leaseItem(rig, shardID))
	was = row["leaseOwner"].Text()
	row["leaseOwner"], row["leaseCounter"] = dynamofake.S("ghost/1"), dynamofake.N(row["leaseCounter"].Int()+1)
	rig.PutRow(row)
	return was
}

// A lease names an owner without a session. A worker watches it for the lease
// duration and takes it then, also if it looks at the table for another reason
// just before that time, and the look takes until just after it.
func TestScenarioOwnerWithoutASessionIsWatchedToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lease = 5 * time.Second
		rig := streamtest.New(t, 2)
		defer rig.Close()
		w := rig.Start("w", func(c *consumer.Config) { c.LeaseDuration = lease })
		rig.Await("w works both", func() bool { return works(w, 2) })
		rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Operation == "GetItem" && bytes.Contains(c.Body, []byte("ghost")) {
				return awsfake.Delay(2 * time.Second)
			}
			return awsfake.Fault{}
		})
		id := giveToGhost(rig, firstShard)
		rig.PutN(20, 20)
		rig.Await("w finds out that it has lost it", func() bool { return works(w, 1) })
		began := time.Now()
		time.Sleep(2*time.Second + lease - time.Second)
		table := dynamocheckpoint.Open(dynamodb.NewFromConfig(rig.AWS.Config("hand")), streamtest.Application)
		if err := table.Tell(t.Context(), id, shard.Hint{Kind: shard.HintFree, Key: firstShard}); err != nil {
			t.Fatal(err)
		}
		rig.Await("w works both again", func() bool { return works(w, 2) })
		if took := time.Since(began); took > lease+7*time.Second {
			t.Errorf("the shard was worked again after %v, want %v at most", took, lease+7*time.Second)
		}
	})
}

// The planner finds that a lease has an owner without a session, and the lease
// falls to the other worker, which would look at the table only a minute later. It
// is told, and watches that owner from then on.
func TestScenarioOwnerWithoutASessionIsToldOf(t *testing.T) {
	const lease = 5 * time.Second
	for i := range 8 { // to whom it falls is a matter of their ids
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 3)
			defer rig.Close()
			set := func(c *consumer.Config) { c.LeaseDuration = lease }
			v := rig.Start("v", set)
			rig.Await("v works all", func() bool { return works(v, 3) })
			w := rig.Start("w", set)
			rig.Await("both work", func() bool { return works(v, 2) && works(w, 1) })
			time.Sleep(31 * time.Second) // the next look for no reason is far
			lost := v.Consumer.Status().Shards[i%2].Shard
			giveToGhost(rig, lost)
			rig.PutN(20, 20) // so that it is noticed
			began := time.Now()
			rig.Await("the shard is worked again", func() bool { return leaseHolder(rig, lost) != "ghost/1" })
			if took := time.Since(began); took > 2*lease+5*time.Second {
				t.Errorf("the shard was worked again, by %s, after %v, want %v at most", leaseHolder(rig, lost), took, 2*lease+5*time.Second)
			}
		})
	}
}

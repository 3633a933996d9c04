package streamtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/streamtest"
)

// A fleet lives through a join, a split, a gentle stop and a kill, and the
// checker sees no promise broken.
func TestFleetLivesThroughJoinSplitStopAndKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		rig.PutN(1000, 50)
		w1 := rig.Start("w1")
		time.Sleep(2 * time.Second)
		w2 := rig.Start("w2")
		rig.Await("the first thousand", rig.AllDone)
		time.Sleep(20 * time.Second) // w2 is given its share
		if _, _, err := rig.AWS.Kinesis().Split(streamtest.Stream, "shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		rig.PutN(1000, 50)
		began := time.Now()
		rig.Await("the children's records", rig.AllDone)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the children of a split were worked after %v, want at most 2s", took)
		}
		if _, err := w1.Stop(); err != nil {
			t.Error(err)
		}
		if n := rig.Ledger.Repeated(); n != 0 {
			t.Errorf("%d records were repeated without a crash, want none", n)
		}
		rig.PutN(100, 50)
		rig.Await("the records after the stop", rig.AllDone)
		w2.Kill()
		rig.PutN(100, 50)
		rig.Start("w3")
		began = time.Now()
		rig.Await("the records after the kill", rig.AllDone)
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("the shards of a killed worker were worked after %v, want at most 12s", took)
		}
	})
}

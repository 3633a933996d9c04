package streamtest_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The last page of a closed shard has records and no next iterator. They are
// delivered and finished before the shard's end is written, which takes until
// the handler is done.
func TestScenario24LastPageHasRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(50, 10)
		splitShard(t, rig, firstShard)
		var last atomic.Bool
		defer rig.AWS.Trace(func(e awsfake.Exchange) {
			answer := string(e.Answer)
			if e.Operation == "GetRecords" && strings.Contains(answer, `"SequenceNumber"`) && !strings.Contains(answer, `"NextShardIterator":"`) {
				last.Store(true)
			}
		})()
		w1 := rig.Start("w1", handling(lingering(30*time.Second)))
		rig.Await("the handler is called", func() bool { return len(rig.Ledger.Calls()) == 1 })
		if !last.Load() {
			t.Errorf("no page had records and no next iterator, the scenario shows nothing")
		}
		time.Sleep(20 * time.Second)
		if at := leaseAt(rig, firstShard); at != "TRIM_HORIZON" {
			t.Errorf("the row is at %s while the only batch is being handled", at)
		}
		rig.Await("the end of the shard", func() bool { return leaseAt(rig, firstShard) == "SHARD_END" })
		exactly(t, rig, 50)
		rig.Await("both children are worked", func() bool { return len(w1.Consumer.Status().Shards) == 2 })
	})
}

// A shard is closed while the batching window holds its tail, and the worker
// dies: once before it has seen the end, once with the tail in the handler.
// Another worker gets the tail again, and only then the children start.
func TestScenario25CrashWithTheTailInTheWindow(t *testing.T) {
	for _, seen := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1)
			defer rig.Close()
			window := func(c *consumer.Config) { c.BatchSize, c.MaximumBatchingWindow = 1000, 5*time.Minute }
			w1 := rig.Start("w1", window, handling(lingering(time.Hour)))
			rig.PutN(30, 10)
			rig.Await("the tail is gathered", func() bool {
				s := w1.Consumer.Status().Shards
				return len(s) == 1 && s[0].Pending == 30
			})
			if n := len(rig.Ledger.Calls()); n != 0 {
				t.Errorf("%d calls before the window is over, want none", n)
			}
			splitShard(t, rig, firstShard)
			rig.PutN(20, 10)
			if seen {
				rig.Await("the end flushes the window", func() bool { return len(rig.Ledger.Calls()) == 1 })
			}
			w1.Kill()
			time.Sleep(time.Minute)
			for _, id := range []string{"shardId-000000000001", "shardId-000000000002"} {
				if _, _, n := shardSpan(rig, id); n > 0 {
					t.Errorf("%s was started while the tail of its parent was not finished", id)
				}
			}
			rig.Start("w2", handling(lingering(5*time.Second)))
			rig.Await("everything handled", rig.AllDone)
			parentsFirst(t, rig)
			exactly(t, rig, 50)
		})
	}
}

// A worker reads a shard to its end and writes that it ended, but the write is
// held up in the network until another worker has the shard. It is refused, the
// position is the other worker's, and no children appear before that one's end.
func TestScenario26EndOfAZombieIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(30, 10)
		_, upper := splitShard(t, rig, firstShard)

		var mu sync.Mutex
		var held *awsfake.Call
		remove := rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller != "w1" || c.Operation != "TransactWriteItems" || !strings.Contains(string(c.Body), "SHARD_END") {
				return awsfake.Fault{}
			}
			mu.Lock()
			held = &c
			mu.Unlock()
			return awsfake.Lose()
		})
		defer remove()
		w1 := rig.Start("w1")
		rig.Await("w1 has tried to end the shard", func() bool { mu.Lock(); defer mu.Unlock(); return held != nil })
		w1.Kill()
		w2 := rig.Start("w2", handling(lingering(20*time.Second)))
		rig.Await("w2 works the shard", func() bool {
			s := w2.Consumer.Status().Shards
			return len(s) == 1 && s[0].Busy == 1
		})
		remove()
		mu.Lock()
		late := *held
		mu.Unlock()
		if status := sendAgain(t, rig, late); status != http.StatusBadRequest {
			t.Errorf("the late end was answered with status %d, want a refusal", status)
		}
		if at := leaseAt(rig, firstShard); at != "TRIM_HORIZON" {
			t.Errorf("the row is at %s after the late end, want it where w2 has it", at)
		}
		if at := leaseAt(rig, upper); at != "" && at != "TRIM_HORIZON" {
			t.Errorf("the child's row is at %q after the late end", at)
		}
		if began, _, n := shardSpan(rig, upper); n > 0 {
			t.Errorf("the child began at %v", began)
		}
		rig.PutN(10, 10)
		rig.Await("everything handled", rig.AllDone)
		parentsFirst(t, rig)
	})
}

// sendAgain sends a call that was made before once more, as a network does that
// had held it up, and returns the status of the answer.
func sendAgain(t *testing.T, rig *streamtest.Rig, c awsfake.Call) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Service+".invalid/", strings.NewReader(string(c.Body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=late/20000101/us-east-1/"+c.Service+"/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+c.Operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	answer, err := rig.AWS.HTTPClient().Do(r)
	if err != nil {
		t.Fatalf("send %s again: %v", c.Operation, err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// A child whose parent is gone from the listing, without a row, starts at once.
// A child whose parent is listed and merely has no row waits: the row is made,
// the parent is read to its end, and then the child starts.
func TestScenario27ParentExpiredOrWithoutARow(t *testing.T) {
	t.Run("expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1)
			defer rig.Close()
			splitShard(t, rig, firstShard)
			time.Sleep(25 * time.Hour) // retention is 24
			rig.PutN(20, 10)
			rig.Start("w1")
			rig.Await("everything handled", rig.AllDone)
			exactly(t, rig, 20)
			if at := leaseAt(rig, firstShard); at != "" {
				t.Errorf("the shard that is gone has a row at %s", at)
			}
		})
	})
	t.Run("without a row", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1)
			defer rig.Close()
			rig.PutN(20, 10)
			splitShard(t, rig, firstShard)
			rig.PutN(20, 10)
			w1 := rig.Start("w1", handling(lingering(time.Hour)))
			rig.Await("the rows are made and the parent is at work", func() bool { return len(rig.Ledger.Calls()) == 1 })
			w1.Kill()
			deleteLease(t, rig, firstShard)
			rig.Start("w2", handling(lingering(5*time.Second)))
			rig.Await("everything handled", rig.AllDone)
			parentsFirst(t, rig)
			exactly(t, rig, 40)
			if from := leaseItem(rig, firstShard)["createdFrom"].Text(); from != "repair" {
				t.Errorf("the parent's row was created from %q, want repair", from)
			}
		})
	})
}

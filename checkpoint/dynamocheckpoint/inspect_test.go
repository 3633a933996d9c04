package dynamocheckpoint

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// Whatever this library writes into a lease row is known to those who look at
// tables.
func TestEveryAttributeHasAWriter(t *testing.T) {
	whole := rowOf(shard.Lease{
		Key: "1234:clicks:1:shardId-0", Owner: "a", CheckpointOwner: "b", Counter: 1, Checkpoint: shard.AtTime(time.Unix(1, 0)),
		Marks: map[string]shard.Position{"x": shard.TrimHorizon()}, Load: 1, Parents: []string{"p"}, Children: []string{"c"},
		Hashes: shard.HashRange{Start: "0", End: "1"}, SeekGen: 1, StreamCreated: time.Unix(1, 0), LastArrival: time.Unix(1, 0),
		ReadUpTo: time.Unix(1, 0), CreatedFrom: "initial", Lost: true, Suspect: shard.After("1", 0), SuspectCrashes: 1, SuspectHandler: "h",
	})
	for name := range whole {
		if WriterOf(name) == "" {
			t.Errorf("attribute %s has no writer", name)
		}
	}
	word := regexp.MustCompile(`[a-z][a-zA-Z]+ =`)
	for _, w := range []write{take, renew, save, release, end, ask, withdraw, finish} {
		for _, found := range word.FindAllString(w.set, -1) {
			if name := strings.TrimSuffix(found, " ="); WriterOf(name) == "" {
				t.Errorf("write %s sets %s, which has no writer", w.name, name)
			}
		}
		for name := range strings.SplitSeq(w.remove, ",") {
			if name = strings.TrimSpace(name); name != "" && WriterOf(name) == "" {
				t.Errorf("write %s removes %s, which has no writer", w.name, name)
			}
		}
	}
	if WriterOf("myOwn") != "" {
		t.Error("an attribute of somebody else has a writer")
	}
}

func TestRowsOfOtherKindsAreNoLeases(t *testing.T) {
	if _, ok := LeaseOf(item{"leaseKey": text("Leader"), "entityType": text("LEADER")}); ok {
		t.Error("the lock of a leader is taken for a lease")
	}
	if l, ok := LeaseOf(item{"leaseKey": text("shardId-0")}); !ok || l.Fault == nil {
		t.Errorf("a row without a position: %v, %v", l, ok)
	}
}

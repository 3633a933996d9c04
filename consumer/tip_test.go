package consumer

import (
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// A run that ends when it has caught up looks at any moment, also at the one
// between the reading of the last records and their being given to a lane.
func TestTipIsNotReachedByReadingAlone(t *testing.T) {
	s := newShardStatus(branch{}, shard.Lease{Shard: "s"}, "")
	s.publish(shard.TrimHorizon(), time.Time{}, 0, 0, 0)
	s.read(true, 4)
	if s.atTip() {
		t.Error("the tip counts as reached with four records that nobody has handled")
	}
	s.publish(shard.After("4", 0), time.Time{}, 0, 0, 0)
	if !s.atTip() {
		t.Error("the tip is not reached although everything is finished")
	}
}

package dynamoshards

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// lost decides whether records behind the cursor were trimmed unread, when the
// service has said that it cannot be read from any more. now is the service's
// time.
//
// The position being gone is no loss if everything had been delivered up to a
// time that is still within the retention: what came after that time is there.
// It is one nevertheless if the record at the position should still be there
// itself, because then something other than its age took it.
func (c cursor) lost(now time.Time) bool {
	if !c.last.IsRecord() {
		return false
	}
	horizon := now.Add(-Retention)
	if c.caughtUp.Before(horizon) {
		return true
	}
	return c.arrived.After(horizon.Add(Retention / 10)) // times are approximate
}

// loss is the window behind the cursor. Where it ends is not known yet.
func (c cursor) loss(shardID string) *shard.Loss {
	return &shard.Loss{Shard: shardID, After: c.last, Until: shard.End(), LastArrival: c.arrived}
}

// told is the loss as it is told with the first records behind it, or nil while
// there are none and the shard goes on.
func told(l *shard.Loss, records []shard.Record, ended bool) *shard.Loss {
	if l == nil || len(records) == 0 && !ended {
		return nil
	}
	out := *l
	if len(records) > 0 {
		out.Until, out.FirstArrival = records[0].Position(), records[0].ArrivedAt
	}
	return &out
}

package kinesisshards

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// lost decides whether records behind the cursor were trimmed unread, when it is
// known that the record at the cursor cannot be read any more. now is the
// service's time and retention the shortest one that was in force.
//
// The record at the cursor being gone is no loss if everything had been
// delivered at a time that is still within the retention: what came after that
// time is there. It is one nevertheless if that record itself should still be
// there, because then something other than its age took it.
func (c cursor) lost(now time.Time, retention time.Duration) bool {
	horizon := now.Add(-retention)
	if c.caughtUp.IsZero() || c.caughtUp.Before(horizon) {
		return true
	}
	return !c.arrived.IsZero() && c.arrived.After(horizon.Add(slack(retention)))
}

// atRisk decides whether the trim horizon may have passed the cursor, or is
// about to, so that it has to be verified before the next read. A reader that
// was away for long needs no rule of its own: its iterator is too old to be used.
func (c cursor) atRisk(now time.Time, retention time.Duration) bool {
	known := later(c.caughtUp, c.arrived)
	return c.last.IsRecord() && retention > 0 && !known.IsZero() && now.Sub(known) > retention-slack(retention)
}

// slack is how close to the trim horizon is close: a tenth of the retention.
// Arrival times are approximate, and reading takes its time.
func slack(retention time.Duration) time.Duration { return retention / 10 }

// loss is the window behind the cursor. until is the first record after it, or
// the end.
func (c cursor) loss(shardID string, until shard.Position, arrived time.Time) *shard.Loss {
	return &shard.Loss{Shard: shardID, After: c.last, Until: until, LastArrival: c.arrived, FirstArrival: arrived}
}

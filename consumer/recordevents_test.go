package consumer

import (
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// A record of which the service does not say when it came has no age: it is not as
// old as the calendar.
func TestAgeOfARecordWithoutATimeIsNone(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	e := &BatchEvent{}
	e.aged(&batching.Batch{Now: now, Records: []shard.Record{{}, {ArrivedAt: now.Add(-time.Minute)}}})
	if e.Oldest != 0 || e.Newest != time.Minute {
		t.Errorf("the first record is %s old and the last %s, want 0s and 1m0s", e.Oldest, e.Newest)
	}
	e.aged(&batching.Batch{Now: now, Records: []shard.Record{{ArrivedAt: now.Add(time.Second)}}})
	if e.Oldest != 0 || e.Newest != 0 {
		t.Errorf("a record of a clock that is ahead is %s and %s old, want 0s", e.Oldest, e.Newest)
	}
}

package dashboard

import (
	"time"

	"github.com/towpath/towpath/consumer"
)

// unread is after how long without a read nobody can say any more that nothing
// has come: an idle shard is read every few seconds.
const unread = 15 * time.Second

// lagOf is how far behind one handler of a shard is, in milliseconds, and whether
// it is at most so much; -1 before the first read. What a read said grows old
// where no other follows: while what is in hand fills the memory, while the shard
// is paused, and while reads fail.
func lagOf(now time.Time, s consumer.ShardStatus) (lag int64, atMost bool) {
	if s.ReadAt.IsZero() {
		return -1, false
	}
	idle := now.Sub(s.ReadAt)
	switch {
	case idle > unread:
		return (s.Behind + idle).Milliseconds(), s.Pending == 0
	case s.Pending > 0 && idle > time.Second:
		return (s.Behind + idle).Milliseconds(), false
	}
	return s.Behind.Milliseconds(), false
}

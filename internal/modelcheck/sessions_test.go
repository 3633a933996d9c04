package modelcheck

import (
	"context"
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// No order of events, and no clock within its bounds, gives a lease to two.
func TestSessionsHold(t *testing.T) {
	holds(t, "clocks as far apart as is allowed", Sessions{Slow: 4, Fast: 5, Lease: 20, Beats: 3, Counter: 3}.Model)
	holds(t, "a lease that is given away", Sessions{Slow: 4, Fast: 5, Lease: 10, Beats: 1, Releases: 1, Counter: 2}.Model)
}

// A rule that is wrong is found.
func TestSessionsFind(t *testing.T) {
	for name, c := range map[string]struct {
		sessions Sessions
		rules    SessionRules
	}{
		"validity from the answer": {Sessions{Beats: 2}, SessionRules{
			Answered: func(t checkpoint.Trust, term checkpoint.Term, _, now time.Duration) checkpoint.Trust {
				return t.Answered(term, now)
			},
		}},
		"no margin": {Sessions{Beats: 2}, SessionRules{
			Answered: func(t checkpoint.Trust, term checkpoint.Term, sentAt, _ time.Duration) checkpoint.Trust {
				return t.Answered(checkpoint.Term{Lease: term.Lease}, sentAt)
			},
		}},
		"revocation of whatever beat": {Sessions{Beats: 2}, SessionRules{
			Revoke: func(t *checkpointtest.Table, seen shard.Session, by string) error {
				seen, _ = t.Session(context.Background(), seen.ID)
				return t.Revoke(context.Background(), seen, by)
			},
		}},
		"a sighting counts from the question": {Sessions{Beats: 2}, SessionRules{
			See: func(s checkpoint.Sighting, row shard.Session, asked, _ time.Duration) checkpoint.Sighting {
				return s.See(row, asked)
			},
		}},
		"a beat that is seen is no sign of life": {Sessions{Beats: 2}, SessionRules{
			See: func(s checkpoint.Sighting, row shard.Session, _, now time.Duration) checkpoint.Sighting {
				since := s.Seen
				s = s.See(row, now)
				s.Seen = since
				return s
			},
		}},
		"clocks further apart than is allowed": {Sessions{Beats: 2, Slow: 3, Fast: 5}, SessionRules{}},
		"a release that is late": {Sessions{Beats: 2, Releases: 1}, SessionRules{
			Unsettled: func(bool) bool { return false },
		}},
	} {
		c.sessions.Lease, c.sessions.Counter, c.sessions.Rules = 20, 3, c.rules
		if c.sessions.Slow == 0 {
			c.sessions.Slow, c.sessions.Fast = 4, 5
		}
		finds(t, name, c.sessions.Model)
	}
}

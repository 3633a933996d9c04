package checkpoint

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// Term is how long a worker and those that watch it wait for a sign of life. All
// times are durations on the clock of whoever measures: no clock of one host is
// compared with that of another.
type Term struct {
	// Lease is for how long nothing has to be seen of a worker before it is taken
	// for dead.
	Lease time.Duration
	// Margin is how much earlier the worker itself stops. It is what two clocks may
	// drift apart: their rates may differ by Lease : (Lease − Margin).
	Margin time.Duration
}

// TermOf is the term of a lease duration. Its margin is a fifth of that, as it was
// model-checked: clocks may differ by a quarter.
func TermOf(lease time.Duration) Term { return Term{Lease: lease, Margin: lease / 5} }

// Until is how long a sign of life is good for that was sent at sentAt and
// answered. It counts from the sending: counting from the answer is the mistake
// that lets two workers own a shard, as the answer may have been under way for
// long.
func (t Term) Until(sentAt time.Duration) time.Duration { return sentAt + t.Lease - t.Margin }

// Trust is what a worker believes of its own session: whether it may act on its
// leases.
type Trust struct {
	// Until is when it stops, unless a heartbeat is answered before.
	Until time.Duration
	// Lapsed is set once somebody has found it run out, and given up what he was
	// doing.
	Lapsed bool
}

// Valid reports whether the worker may act at now. A trust that has lapsed stays
// so, also if an answer that was under way prolongs it a moment later.
func (t Trust) Valid(now time.Duration) bool { return !t.Lapsed && now < t.Until }

// Looked is the trust when somebody has looked at it at now.
func (t Trust) Looked(now time.Duration) Trust {
	t.Lapsed = !t.Valid(now)
	return t
}

// Answered is the trust when a heartbeat has been answered that was sent at
// sentAt. Answers may come in any order.
func (t Trust) Answered(term Term, sentAt time.Duration) Trust {
	t.Until = max(t.Until, term.Until(sentAt))
	return t
}

// Sighting is what a worker knows of another's session, and since when.
type Sighting struct {
	// Row is the session as it was last seen.
	Row shard.Session
	// Seen is when the answer arrived that first showed its beat, PlansSeen
	// likewise for its plan counter, and First when the session was first seen. The
	// arrival counts, not the question: what is read may have been written in
	// between.
	Seen, PlansSeen, First time.Duration
}

// Sight is the first sighting of a session, in an answer that arrived at now.
func Sight(row shard.Session, now time.Duration) Sighting {
	return Sighting{Row: row, Seen: now, PlansSeen: now, First: now}
}

// See is the sighting when another answer has arrived at now. It may be stale: a
// beat of a live session that is lower than one seen before proves nothing.
func (s Sighting) See(row shard.Session, now time.Duration) Sighting {
	if row.Beat < s.Row.Beat && row.Alive() {
		return s
	}
	if row.Beat > s.Row.Beat {
		s.Seen = now
	}
	if row.Plans != s.Row.Plans {
		s.PlansSeen = now
	}
	s.Row = row
	return s
}

// SilentAt is when a session is to be revoked if no beat is seen before.
func (s Sighting) SilentAt(term Term) time.Duration { return s.Seen + term.Lease }

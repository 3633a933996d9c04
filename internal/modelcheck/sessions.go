package modelcheck

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// Sessions is two workers with a clock each and one lease. A has a session that it
// keeps alive, and may give the lease away; B watches it, revokes it and takes the
// lease. B's own session never ends, which leaves it entitled the longest.
//
// Invariant: Inv-5, at any moment at most one of them is entitled, which is to
// hold the lease and to believe in its own session.
type Sessions struct {
	// Slow and Fast are how many units the clocks of the two workers go on in one
	// tick of real time. Both orders are looked at.
	Slow, Fast uint8
	// Lease is the lease duration in units. It is a multiple of 5.
	Lease uint8
	// Beats is how many heartbeats a worker sends at most, up to 7.
	Beats uint8
	// Releases is how often a worker gives the lease away.
	Releases uint8
	// Counter is the counter behind which nothing more is asked of the row.
	Counter uint8
	// Rules are what is looked at; those of the library where they are not set.
	Rules SessionRules
}

// SessionRules are the decisions under which Sessions runs.
type SessionRules struct {
	// Answered is a worker's trust after a heartbeat that was sent at sentAt and
	// answered at now.
	Answered func(t checkpoint.Trust, term checkpoint.Term, sentAt, now time.Duration) checkpoint.Trust
	// Valid reports whether the worker may act.
	Valid func(t checkpoint.Trust, now time.Duration) bool
	// See is what a worker makes of a reading of another's session, that was asked
	// for at asked and arrived at now.
	See func(s checkpoint.Sighting, row shard.Session, asked, now time.Duration) checkpoint.Sighting
	// Revoke revokes a session.
	Revoke func(t *checkpointtest.Table, seen shard.Session, by string) error
	// Unsettled tells whether a lease is written to before it is worked again if a
	// write that gives it away may still be under way.
	Unsettled func(gaveAway bool) bool
}

func (r SessionRules) withDefaults() SessionRules {
	if r.Answered == nil {
		r.Answered = func(t checkpoint.Trust, term checkpoint.Term, sentAt, _ time.Duration) checkpoint.Trust {
			return t.Answered(term, sentAt)
		}
	}
	if r.Valid == nil {
		r.Valid = checkpoint.Trust.Valid
	}
	if r.See == nil {
		r.See = func(s checkpoint.Sighting, row shard.Session, _, now time.Duration) checkpoint.Sighting {
			return s.See(row, now)
		}
	}
	if r.Revoke == nil {
		r.Revoke = func(t *checkpointtest.Table, seen shard.Session, by string) error {
			return t.Revoke(context.Background(), seen, by)
		}
	}
	if r.Unsettled == nil {
		r.Unsettled = func(gaveAway bool) bool { return gaveAway }
	}
	return r
}

// beatRow is a session's row in few bytes.
type beatRow struct {
	beat    uint8
	revoked bool
}

// host is what one worker knows and does. All ages are on its own clock, and no
// greater than the lease duration: what is older is as old as that.
type host struct {
	rate uint8
	// left is how long it believes in its session yet.
	left   uint8
	lapsed bool
	over   bool // its session was revoked, and it knows
	// The heartbeat under way.
	beating answerState
	beatAge uint8 // since it was sent
	// What it knows of the other's session, and since when it has.
	known    beatRow
	knownAge uint8
	// The reading under way, and what it will show.
	reading answerState
	readAge uint8
	read    beatRow
	// The revocation under way, on this beat.
	revoking bool
	revokes  uint8
	// The lease: whether it is worked, by which counter, and what is asked of it.
	phase    phase
	counter  uint8
	state    answerState
	asked    request
	answer   leaseRow
	gaveAway bool // a write that gives the lease away was left without an answer
}

// SessionState is a state of Sessions.
type SessionState struct {
	hosts    [2]host
	sessions [2]beatRow
	beats    [2]uint8 // heartbeats that nobody waits for, and may be applied
	row      leaseRow
	orphan   request
	releases uint8
}

// SessionModel looks at Sessions.
type SessionModel struct {
	Sessions
	term    checkpoint.Term
	revoked *memo[revocation, bool]
	rows    *LeaseModel
}

type revocation struct {
	row  beatRow
	seen uint8
}

// Model is a new Model of it.
func (n Sessions) Model() Model[SessionState] {
	n.Rules = n.Rules.withDefaults()
	rows := Leases{Workers: 2, Records: 1, Counter: n.Counter}.Model().(*LeaseModel)
	return &SessionModel{
		Sessions: n, term: checkpoint.TermOf(time.Duration(n.Lease)), rows: rows, revoked: newMemo[revocation, bool](8),
	}
}

// Starts implements Model: A has the lease, both have just registered, and either
// clock is the slow one.
func (m *SessionModel) Starts() []SessionState {
	var s SessionState
	for i := range s.hosts {
		s.hosts[i] = host{rate: m.Slow, left: m.Lease - m.Lease/5}
	}
	s.row = leaseRow{owner: 1, counter: 1}
	s.hosts[0].phase, s.hosts[0].counter = running, 1
	other := s
	s.hosts[1].rate, other.hosts[0].rate = m.Fast, m.Fast
	if s == other {
		return []SessionState{s}
	}
	return []SessionState{s, other}
}

// What may happen in Sessions.
const (
	timePasses    uint8 = iota // one tick of real time
	beatSend                   // a worker sends a heartbeat
	beatApply                  // which is applied
	beatLearn                  // and answered
	beatLose                   // or is not, and with A it may still be applied
	beatOrphan                 // a heartbeat that nobody waits for is applied
	readSend                   // it reads the other's session
	readApply                  // as it stands now
	readLearn                  // and has the answer
	revokeSend                 // it revokes the other
	revokeApply                // which is applied
	revokeLose                 // or not
	holdTake                   // it asks for the lease of a dead worker, or a free one
	holdRecognise              // it finds that the row names it
	holdRelease                // it lets the lease go, to whoever takes it
	holdApply                  // what it asked of the row is applied
	holdLearn                  // and it learns what came of that
	holdLose                   // or not, and with A it may still be applied
	holdOrphan                 // a request that nobody waits for is applied
	holdNotice                 // it looks at its clock, and drops what has run out
)

// own is where a worker's clock stands when it is asked: all ages count from here.
const own = 1000 * time.Second

func (m *SessionModel) trust(h *host) checkpoint.Trust {
	return checkpoint.Trust{Until: own + time.Duration(h.left), Lapsed: h.lapsed}
}

func (m *SessionModel) valid(h *host) bool { return m.Rules.Valid(m.trust(h), own) }

func (m *SessionModel) sighting(h *host, other int) checkpoint.Sighting {
	return checkpoint.Sighting{Row: m.session(h.known, other), Seen: own - time.Duration(h.knownAge)}
}

func (m *SessionModel) session(r beatRow, i int) shard.Session {
	s := shard.Session{ID: names[i+1], Beat: int64(r.beat)}
	if r.revoked {
		s.RevokedBy = names[2-i]
	}
	return s
}

// Moves implements Model.
func (m *SessionModel) Moves(s *SessionState, into []Move) []Move {
	into = append(into, Move{Kind: timePasses})
	for i := range s.hosts {
		h, who := &s.hosts[i], uint8(i+1)
		move := func(kind uint8) { into = append(into, Move{Kind: kind, Who: who}) }
		if s.beats[i] > 0 {
			move(beatOrphan)
		}
		if h.over {
			continue
		}
		if i == 1 {
			into = m.watching(s, into)
		}
		switch h.beating {
		case none:
			if i == 0 && s.sessions[i].beat+s.beats[i] < m.Beats {
				move(beatSend)
			}
		case sent:
			move(beatApply)
			move(beatLose)
			into = append(into, Move{Kind: beatLose, Who: who, A: 1})
		case answered, seen:
			move(beatLearn)
			move(beatLose)
		}
		into = m.holding(s, i, into)
	}
	if s.orphan.kind != 0 {
		into = append(into, Move{Kind: holdOrphan}, Move{Kind: holdOrphan, A: 1})
	}
	return into
}

// watching are the moves of B that have to do with the session of A.
func (m *SessionModel) watching(s *SessionState, into []Move) []Move {
	h := &s.hosts[1]
	if h.known.revoked {
		return into
	}
	move := func(kind uint8) { into = append(into, Move{Kind: kind, Who: 2}) }
	switch {
	case h.reading == sent:
		move(readApply)
	case h.reading == seen:
		move(readLearn)
	case h.known.beat < m.Beats || h.known != s.sessions[0]:
		move(readSend)
	}
	if h.revoking {
		move(revokeApply)
		move(revokeLose)
	} else if m.sighting(h, 0).SilentAt(m.term) <= own {
		move(revokeSend)
	}
	return into
}

// holding are the moves of a worker that have to do with the lease.
func (m *SessionModel) holding(s *SessionState, i int, into []Move) []Move {
	h, who := &s.hosts[i], uint8(i+1)
	move := func(kind uint8) { into = append(into, Move{Kind: kind, Who: who}) }
	if !h.lapsed && h.left == 0 {
		move(holdNotice)
	}
	switch h.state {
	case sent:
		if s.row.counter < m.Counter || s.row.counter != h.asked.held.counter {
			move(holdApply)
		}
		move(holdLose)
		if i == 0 && s.orphan.kind == 0 {
			into = append(into, Move{Kind: holdLose, Who: who, A: 1})
		}
		return into
	case answered, seen:
		move(holdLearn)
		move(holdLose)
		return into
	}
	switch {
	case i == 0 && h.phase == running && s.releases < m.Releases && m.valid(h):
		move(holdRelease)
	case h.phase == idle && m.valid(h):
		switch to := s.row.mayWrite(); {
		case to == who:
			move(holdRecognise)
		case s.row.counter >= m.Counter:
		case to == 0 || h.known.revoked:
			move(holdTake)
		}
	}
	return into
}

// Show implements Model.
func (m *SessionModel) Show(s *SessionState) string {
	var b strings.Builder
	b.WriteString(showRow(s.row))
	for i := range s.hosts {
		h := &s.hosts[i]
		fmt.Fprintf(&b, " | %s beat %d", names[i+1], s.sessions[i].beat)
		if s.sessions[i].revoked {
			b.WriteString(" revoked")
		}
		fmt.Fprintf(&b, " ×%d left %d", h.rate, h.left)
		if h.lapsed {
			b.WriteString(" lapsed")
		}
		if h.beating != none {
			fmt.Fprintf(&b, " beating %d for %d", h.beating, h.beatAge)
		}
		fmt.Fprintf(&b, " knows %d for %d", h.known.beat, h.knownAge)
		if h.phase == running {
			fmt.Fprintf(&b, ", runs #%d", h.counter)
		}
		if h.state != none {
			fmt.Fprintf(&b, " (%s %d)", requestNames[h.asked.kind], h.state)
		}
	}
	if s.orphan.kind != 0 {
		fmt.Fprintf(&b, " | orphan: %s of %s", requestNames[s.orphan.kind], names[s.orphan.who])
	}
	return b.String()
}

var sessionTold = [...]string{
	"time passes%s", "%s sends a heartbeat", "it is applied: %s", "%s is answered", "no answer for %s", "a late heartbeat of %s is applied",
	"%s reads", "the session as %s reads it", "%s has read", "%s revokes the other", "it is applied: %s", "no answer for %s", "%s takes", "%s finds the row its own",
	"%s releases", "it is applied: %s", "%s learns", "no answer for %s", "an orphan is applied%s", "%s finds its session run out",
}

// Tell implements Model.
func (m *SessionModel) Tell(_ *SessionState, move Move) string {
	return fmt.Sprintf(sessionTold[move.Kind], names[move.Who])
}

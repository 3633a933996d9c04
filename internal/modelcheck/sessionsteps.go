package modelcheck

import (
	"context"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// Step implements Model.
func (m *SessionModel) Step(s *SessionState, move Move) error {
	i := int(move.Who) - 1
	var h *host
	if i >= 0 {
		h = &s.hosts[i]
	}
	switch move.Kind {
	case timePasses:
		m.tick(s)
	case beatSend:
		h.beating, h.beatAge = sent, 0
	case beatApply:
		h.beating = seen
		if !s.sessions[i].revoked {
			s.sessions[i].beat++
			h.beating = answered
		}
	case beatLearn:
		m.beatAnswered(h)
	case beatLose:
		if move.A == 1 {
			s.beats[i]++
		}
		h.beating, h.beatAge = none, 0
	case beatOrphan:
		s.beats[i]--
		if !s.sessions[i].revoked {
			s.sessions[i].beat++
		}
	case readSend:
		h.reading = sent
	case readApply:
		h.reading, h.read = seen, s.sessions[1-i]
	case readLearn:
		now := m.Rules.See(m.sighting(h, 1-i), m.session(h.read, 1-i), own-time.Duration(h.readAge), own)
		h.known = beatRow{beat: uint8(now.Row.Beat), revoked: !now.Row.Alive()}
		h.knownAge = uint8(min(own-now.Seen, time.Duration(m.Lease)))
		h.reading, h.readAge, h.read = none, 0, beatRow{}
	case revokeSend:
		h.revoking, h.revokes = true, h.known.beat
	case revokeApply:
		// The answer is learnt at once: to learn it later is to have sent it later.
		if m.revoke(s.sessions[1-i], h.revokes) {
			s.sessions[1-i].revoked, h.known.revoked = true, true
		}
		h.revoking, h.revokes = false, 0
	case revokeLose:
		h.revoking, h.revokes = false, 0
	default:
		m.hold(s, h, move)
	}
	for i := range s.hosts {
		m.tidy(&s.hosts[i])
	}
	return m.oneEntitled(s)
}

// tick lets one tick of real time pass on every clock.
func (m *SessionModel) tick(s *SessionState) {
	age := func(a *uint8, by uint8) { *a = min(*a+by, m.Lease) }
	for i := range s.hosts {
		h := &s.hosts[i]
		if i == 0 {
			h.left -= min(h.left, h.rate)
		}
		if i == 1 {
			age(&h.knownAge, h.rate)
		}
		if h.beating != none {
			age(&h.beatAge, h.rate)
		}
		if h.reading != none {
			age(&h.readAge, h.rate)
		}
	}
}

// tidy forgets what has no bearing any more.
func (m *SessionModel) tidy(h *host) {
	if h.known.revoked {
		h.knownAge, h.reading, h.readAge, h.read, h.revoking, h.revokes = 0, none, 0, beatRow{}, false, 0
	}
	if h.over {
		*h = host{rate: h.rate, over: true}
	}
}

// beatAnswered is what the heart does with an answer.
func (m *SessionModel) beatAnswered(h *host) {
	if h.beating == seen { // the session is over
		h.over = true
		return
	}
	t := m.Rules.Answered(m.trust(h), m.term, own-time.Duration(h.beatAge), own)
	h.beating, h.beatAge = none, 0
	h.left = uint8(max(0, t.Until-own))
	if t.Lapsed {
		m.drop(h) // it ran out while the answer was under way
	}
	h.lapsed = false
}

// drop has a worker drop its shard, and what it asked for.
func (m *SessionModel) drop(h *host) {
	if h.asked.kind == askRelease {
		h.gaveAway = true
	}
	h.phase, h.counter, h.state, h.asked, h.answer = idle, 0, none, request{}, leaseRow{}
}

func (m *SessionModel) revoke(row beatRow, seen uint8) bool {
	return m.revoked.get(revocation{row, seen}, func(r revocation) bool {
		ctx := context.Background()
		table := checkpointtest.NewTable()
		_ = table.Register(ctx, shard.Session{ID: "B"})
		for range r.row.beat {
			_, _ = table.Heartbeat(ctx, shard.Session{ID: "B"})
		}
		if r.row.revoked {
			_ = table.Revoke(ctx, shard.Session{ID: "B", Beat: int64(r.row.beat)}, "A")
		}
		return m.Rules.Revoke(table, shard.Session{ID: "B", Beat: int64(r.seen)}, "A") == nil
	})
}

// hold makes a move that has to do with the lease.
func (m *SessionModel) hold(s *SessionState, h *host, move Move) {
	send := func(kind uint8) {
		h.state, h.asked = sent, request{kind: kind, who: move.Who, held: s.row}
		if kind != askTake {
			h.asked.held.counter = h.counter
		}
	}
	switch move.Kind {
	case holdTake:
		send(askTake)
	case holdRecognise:
		h.counter = s.row.counter
		if h.gaveAway && m.Rules.Unsettled(true) {
			send(askSave) // so that what is still under way comes too late
			return
		}
		h.phase = running
	case holdRelease:
		s.releases++
		h.phase = giving
		send(askRelease)
	case holdApply:
		h.state = seen
		if m.write(s, h.asked) {
			h.state = answered
		}
		h.answer = s.row
	case holdLearn:
		m.holdLearn(h, move.Who)
	case holdLose:
		if move.A == 1 {
			s.orphan = h.asked
		}
		if h.asked.kind == askRelease {
			h.gaveAway = true
		}
		// What is left of the tenure ends with the session, or finds out by the row:
		// either is to begin anew from it.
		h.phase, h.counter, h.state, h.asked, h.answer = idle, 0, none, request{}, leaseRow{}
	case holdOrphan:
		asked := s.orphan
		s.orphan = request{}
		if move.A == 0 {
			m.write(s, asked)
		}
	case holdNotice:
		h.lapsed = m.trust(h).Looked(own).Lapsed
		if h.lapsed {
			m.drop(h)
		}
	}
}

func (m *SessionModel) write(s *SessionState, r request) bool {
	a := m.rows.writes.get(tableCall{row: s.row, ask: r}, m.rows.ask)
	if a.ok {
		s.row = a.row
	}
	return a.ok
}

// holdLearn takes what a request came to.
func (m *SessionModel) holdLearn(h *host, who uint8) {
	asked, row, ok := h.asked, h.answer, h.state == answered
	h.state, h.asked, h.answer = none, request{}, leaseRow{}
	mine := row.mayWrite() == who
	switch {
	case !mine || asked.kind == askRelease && ok:
		h.phase, h.counter = idle, 0
	case !ok && asked.kind != askTake && checkpoint.Adopt(m.rows.lease(asked.held), m.rows.lease(row), names[who]) == checkpoint.Lost:
		h.phase, h.counter = idle, 0
	default:
		if !m.valid(h) {
			h.phase, h.counter = idle, 0
			return
		}
		h.phase, h.counter, h.gaveAway = running, row.counter, false
	}
}

// oneEntitled is Inv-5.
func (m *SessionModel) oneEntitled(s *SessionState) error {
	if m.entitled(&s.hosts[0]) && m.entitled(&s.hosts[1]) {
		return breach("Inv-5, one entitled: A and B both work the shard")
	}
	return nil
}

func (m *SessionModel) entitled(h *host) bool {
	return h.phase == running && !h.over && m.valid(h)
}

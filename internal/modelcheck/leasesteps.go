package modelcheck

import (
	"fmt"

	"github.com/towpath/towpath/checkpoint"
)

// What may happen in Leases.
const (
	leaseTake      uint8 = iota // a worker asks for the lease
	leaseRecognise              // a worker finds that the row names it, and begins
	leaseHandle                 // its handler gets the next record, and finishes it
	leaseSave                   // it writes how far it is
	leaseLeave                  // it is told to leave the shard
	leaseGive                   // it goes on with giving the lease away, to B
	leaseRefuse                 // it keeps a lease that it was asked for
	leaseLapse                  // it drops everything, and may come back
	leaseLearn                  // its request is answered, or it has read the row
	leaseLook                   // it reads the row, as no answer came

	netApply  // its request is applied
	netDouble // its request is under way twice
	netLose   // its request is lost, or it waits no longer; with A it may still be applied
	netSilent // its answer is lost
	netOrphan // a request that nobody waits for is applied
	netForget // such a request is lost

	handAsk      // somebody asks for a hand-over to B
	handWithdraw // and takes that back
	handSeek     // somebody moves the position to A
	handDelete   // somebody deletes the row
	handCreate   // a maintenance run makes it anew
)

// Starts implements Model: a row that nobody has.
func (m *LeaseModel) Starts() []LeaseState { return []LeaseState{{}} }

// Moves implements Model.
func (m *LeaseModel) Moves(s *LeaseState, into []Move) []Move {
	full := s.row.counter&15 >= m.Counter
	for i := range m.Workers {
		w, who := &s.workers[i], uint8(i+1)
		move := func(kind uint8) { into = append(into, Move{Kind: kind, Who: who}) }
		switch w.state {
		case none:
			switch w.phase {
			case idle:
				if mine := s.row.mayWrite() == who; mine && !s.row.gone {
					move(leaseRecognise)
				} else if !full && !s.row.gone {
					move(leaseTake)
				}
			case running:
				if w.mark != w.held.at && !full {
					move(leaseSave)
				}
				if !full {
					move(leaseLeave)
				}
			case leaving, staying, putting:
				move(leaseGive)
			case giving:
				if w.held.holder == who {
					move(leaseGive)
					move(leaseRefuse)
					break
				}
				for to := range m.Workers + 1 {
					if to != i+1 {
						into = append(into, Move{Kind: leaseGive, Who: who, B: uint8(to)})
					}
				}
			}
		case sent:
			if !m.bound(s, w.asked) {
				move(netApply)
			}
			move(netLose)
			if m.room(s) >= 0 && w.asked.kind != askRead {
				move(netDouble)
				into = append(into, Move{Kind: netLose, Who: who, A: 1})
			}
		case answered, seen:
			move(leaseLearn)
			move(netSilent)
		case unknown:
			move(leaseLook)
		}
		switch w.phase {
		case running:
			if w.mark < m.Records {
				move(leaseHandle)
			}
			move(leaseLapse)
		case leaving, giving, staying, putting:
			move(leaseLapse)
		}
	}
	for i := range s.orphans {
		if s.orphans[i].kind != 0 {
			into = append(into, Move{Kind: netForget, A: uint8(i)})
			if !m.bound(s, s.orphans[i]) {
				into = append(into, Move{Kind: netOrphan, A: uint8(i)})
			}
		}
	}
	return m.byHand(s, into)
}

// byHand are the moves of others.
func (m *LeaseModel) byHand(s *LeaseState, into []Move) []Move {
	if s.row.gone {
		return append(into, Move{Kind: handCreate})
	}
	if m.HandOvers {
		switch {
		case s.row.holder != 0:
			into = append(into, Move{Kind: handWithdraw})
		case s.row.owner != 0:
			for to := range uint8(m.Workers + 1) {
				if to != 0 && to != s.row.owner {
					into = append(into, Move{Kind: handAsk, B: to})
				}
			}
		}
	}
	if s.seeks < m.Seeks && s.row.holder == 0 {
		for at := range m.Records + 1 {
			if at != s.row.at {
				into = append(into, Move{Kind: handSeek, A: at})
			}
		}
	}
	if s.deletes < m.Deletes {
		into = append(into, Move{Kind: handDelete})
	}
	return into
}

// bound reports whether a request would take the counter over its bound.
func (m *LeaseModel) bound(s *LeaseState, r request) bool {
	n := s.row.counter & 15
	return r.kind != askRead && !s.row.gone && (n >= m.Counter && r.held.counter == s.row.counter || n > m.Counter+2)
}

// room is where an orphan can be kept, -1 if nowhere.
func (m *LeaseModel) room(s *LeaseState) int {
	for i := range m.Orphans {
		if s.orphans[i].kind == 0 {
			return i
		}
	}
	return -1
}

// Step implements Model.
func (m *LeaseModel) Step(s *LeaseState, move Move) error {
	var w *leaseWorker
	if move.Who != 0 {
		w = &s.workers[move.Who-1]
	}
	switch move.Kind {
	case leaseTake:
		w.send(request{kind: askTake, who: move.Who, held: s.row})
	case leaseRecognise:
		w.begin(s.row)
	case leaseHandle:
		if err := s.delivered(w); err != nil {
			return err
		}
		w.mark++
		if s.row.gone || s.same(w) {
			s.finished |= 1 << w.mark
		}
		s.ever |= 1 << w.mark
	case leaseSave:
		w.send(request{kind: askSave, who: move.Who, held: w.held, at: w.mark})
	case leaseLeave:
		w.phase = leaving
	case leaseGive:
		m.give(w, move)
	case leaseRefuse:
		w.send(request{kind: askRefuse, who: move.Who, held: w.held})
	case leaseLapse:
		*w = leaseWorker{}
	case leaseLearn:
		m.learn(w, move.Who)
	case leaseLook:
		w.asked = request{kind: w.asked.kind, who: move.Who, held: w.asked.held, at: w.asked.at, to: w.asked.to}
		w.state, w.answer = seen, s.row
	case netApply:
		return m.apply(s, w)
	case netDouble:
		s.orphans[m.room(s)] = w.asked
	case netLose:
		if move.A == 1 {
			s.orphans[m.room(s)] = w.asked
		}
		w.state = unknown
	case netSilent:
		w.state, w.answer = unknown, leaseRow{}
	case netOrphan:
		asked := s.orphans[move.A]
		s.dropOrphan(move.A)
		_, err := m.write(s, asked)
		return err
	case netForget:
		s.dropOrphan(move.A)
	case handAsk, handWithdraw, handSeek, handCreate:
		return m.hand(s, move)
	case handDelete:
		s.deletes++
		s.row = leaseRow{gone: true}
		s.finished = s.ever // what was sought is gone with the row that said so
	}
	s.order()
	return nil
}

func (s *LeaseState) dropOrphan(i uint8) { s.orphans[i] = request{} }

// order keeps orphans in one order, as it means nothing.
func (s *LeaseState) order() {
	a, b := &s.orphans[0], &s.orphans[1]
	if a.kind == 0 && b.kind != 0 || b.kind != 0 && less(*b, *a) {
		*a, *b = *b, *a
	}
}

func less(a, b request) bool {
	key := func(r request) uint64 {
		return uint64(r.kind)<<56 | uint64(r.who)<<48 | uint64(r.held.counter)<<40 | uint64(r.held.owner)<<32 |
			uint64(r.held.holder)<<24 | uint64(r.held.at)<<16 | uint64(r.at)<<8 | uint64(r.to) | uint64(r.held.gen)<<60
	}
	return key(a) < key(b)
}

func (w *leaseWorker) send(r request) { w.state, w.asked, w.answer = sent, r, leaseRow{} }

func (w *leaseWorker) settle() { w.state, w.asked, w.answer = none, request{}, leaseRow{} }

// begin starts a tenure from a row.
func (w *leaseWorker) begin(row leaseRow) {
	*w = leaseWorker{phase: running, held: row, mark: row.at}
}

// same reports whether a tenure is of the row that stands, and of its generation: a
// row that was made anew counts its generations from the beginning.
func (s *LeaseState) same(w *leaseWorker) bool {
	return w.held.gen == s.row.gen && w.held.counter>>4 == s.row.counter>>4
}

// delivered is Inv-6: what lies before a record is finished.
func (s *LeaseState) delivered(w *leaseWorker) error {
	if s.row.gone || !s.same(w) {
		return nil
	}
	for n := uint8(1); n <= w.mark; n++ {
		if n > s.floor && s.finished&(1<<n) == 0 {
			return breach("Inv-6, no jump: record %d is handled and %d never was", w.mark+1, n)
		}
	}
	return nil
}

// give goes on with giving the lease away.
func (m *LeaseModel) give(w *leaseWorker, move Move) {
	r := request{who: move.Who, held: w.held}
	switch {
	case w.phase == leaving:
		r.kind = askRead
	case w.phase == putting:
		r.kind, r.at = askPutBack, w.mark
	case w.phase == staying:
		row, p := m.lease(w.held), checkpoint.Progress{Position: positionAt(w.mark)}
		if m.Rules.Further(row, p) || checkpoint.Stands(row, p) {
			w.begin(w.held)
			return
		}
		r.kind, r.at = askSave, w.mark
	default:
		p := m.Rules.NotBehind(m.lease(w.held), checkpoint.Progress{Position: positionAt(w.mark)})
		r.kind, r.at, r.to = askRelease, recordAt(p.Position), move.B
		if w.held.holder == move.Who {
			r.kind, r.to = askFinish, 0
		}
	}
	w.send(r)
}

// learn takes what a request came to, as rowWriter and tenure do.
func (m *LeaseModel) learn(w *leaseWorker, who uint8) {
	asked, row, own := w.asked, w.answer, w.state == answered
	w.settle()
	switch asked.kind {
	case askTake:
		if !row.gone && row.mayWrite() == who {
			w.begin(row)
		} else {
			*w = leaseWorker{}
		}
		return
	case askPutBack:
		if own {
			w.begin(row)
		} else {
			*w = leaseWorker{}
		}
		return
	}
	verdict := checkpoint.Adopted
	if !own {
		if row.gone {
			w.phase = putting
			return
		}
		verdict = m.judged.get(judgement{asked.held, row, who}, func(j judgement) checkpoint.Verdict {
			return m.Rules.Adopt(m.lease(j.held), m.lease(j.now), names[j.who])
		})
	}
	switch verdict {
	case checkpoint.Lost:
		*w = leaseWorker{}
		return
	case checkpoint.Restart:
		if w.phase == running || w.phase == staying {
			w.begin(row)
			return
		}
		*w = leaseWorker{phase: leaving, held: row, mark: row.at}
		return
	}
	w.held = row
	switch w.phase {
	case running:
		if m.Rules.Further(m.lease(row), checkpoint.Progress{Position: positionAt(asked.at)}) {
			w.begin(row) // an earlier tenure of this worker wrote it
		}
	case leaving:
		if asked.kind == askRead {
			w.phase = giving
		}
	case staying: // what it wrote stands, or is written once more
	case giving:
		switch {
		case row.mayWrite() != who:
			*w = leaseWorker{} // given
		case asked.kind == askRefuse && row.holder == 0, asked.kind == askFinish && row.holder != who:
			w.phase = staying
		}
	}
}

var leaseTold = [...]string{
	"%s asks for the lease", "%s finds the row its own", "%s handles", "%s saves", "%s is to leave", "%s goes on giving",
	"%s refuses", "%s drops everything", "%s learns", "%s looks", "its request is applied: %s", "its request is doubled: %s",
	"its request is lost: %s", "its answer is lost: %s", "an orphan is applied%s", "an orphan is lost%s",
	"somebody asks%s", "somebody withdraws%s", "somebody seeks%s", "somebody deletes the row%s", "maintenance makes the row%s",
}

// Tell implements Model.
func (m *LeaseModel) Tell(s *LeaseState, move Move) string {
	told := fmt.Sprintf(leaseTold[move.Kind], names[move.Who])
	switch {
	case move.Kind == netOrphan:
		told += fmt.Sprintf(": %s of %s", requestNames[s.orphans[move.A].kind], names[s.orphans[move.A].who])
	case move.Kind == handAsk || move.Kind == leaseGive && move.B != 0:
		told += " to " + names[move.B]
	case move.Kind == handSeek:
		told += fmt.Sprintf(" %d", move.A)
	case move.Kind == netLose && move.A == 1:
		told += ", but not for good"
	}
	return told
}

package modelcheck

import (
	"fmt"

	"github.com/towpath/towpath/checkpoint"
)

// What may happen in Family.
const (
	kinReshard uint8 = iota // the root splits, or its children merge
	kinExpire               // retention passes shard A, which is done
	kinBegin                // a host begins a maintenance run
	kinList                 // and lists the stream
	kinRead                 // it reads the rows
	kinCreate               // it creates what is missing
	kinDelete               // it deletes row A
	kinTake                 // somebody takes row A, by listing B, and works the shard from then on
	kinRest                 // it is done
	kinGoOn                 // shard A is worked further
	kinEnd                  // and to its end
)

// past are the listings that a host may get: what stands, or what stood once.
func (s *FamilyState) past(each func(l listing, code uint8)) {
	for generation := range s.now.generation + 1 {
		for expired := range uint8(8) {
			if expired&^s.now.expired != 0 || !closedAll(expired, generation) || expired&1 == 0 && expired != 0 {
				continue
			}
			each(listing{generation, expired}, generation<<4|expired)
		}
	}
}

// closedAll reports whether shards are closed in a generation.
func closedAll(shards, generation uint8) bool {
	for i := range kin {
		if shards&(1<<i) != 0 && kin[i].closed > generation {
			return false
		}
	}
	return true
}

// Moves implements Model.
func (m *FamilyModel) Moves(s *FamilyState, into []Move) []Move {
	if s.made && s.now.generation < 2 {
		into = append(into, Move{Kind: kinReshard})
	}
	for i := range kin {
		at := uint8(i)
		if kin[i].closed <= s.now.generation && s.done&(1<<i) != 0 && s.now.shows(i) && kin[i].above&^s.now.expired == 0 {
			into = append(into, Move{Kind: kinExpire, A: at})
		}
		if row := s.rows[i]; row.worked && row.state < ended {
			if row.state == atTrim {
				into = append(into, Move{Kind: kinGoOn, A: at})
			}
			if kin[i].closed <= s.now.generation {
				into = append(into, Move{Kind: kinEnd, A: at})
			}
		}
	}
	into = m.takes(s, into)
	for i := range m.Hosts {
		into = m.hostMoves(s, uint8(i+1), into)
	}
	return into
}

// takes are the rows that somebody may take by some listing, each once.
func (m *FamilyModel) takes(s *FamilyState, into []Move) []Move {
	offered := uint8(0)
	s.past(func(l listing, code uint8) {
		if !m.covers(s, l) {
			return
		}
		runnable := m.view(l, s.rows).runnable
		for i := range kin {
			if bit := uint8(1) << i; runnable&bit != 0 && offered&bit == 0 && !s.rows[i].worked {
				offered |= bit
				into = append(into, Move{Kind: kinTake, A: uint8(i), B: code})
			}
		}
	})
	return into
}

func (m *FamilyModel) hostMoves(s *FamilyState, who uint8, into []Move) []Move {
	h := &s.hosts[who-1]
	switch h.phase {
	case resting:
		if s.epoch < m.Runs {
			into = append(into, Move{Kind: kinBegin, Who: who})
		}
	case begun:
		s.past(func(_ listing, code uint8) { into = append(into, Move{Kind: kinList, Who: who, B: code}) })
	case listed:
		if m.covers(s, h.listed) {
			into = append(into, Move{Kind: kinRead, Who: who})
		}
		into = append(into, Move{Kind: kinRest, Who: who})
	case creating:
		into = append(into, Move{Kind: kinCreate, Who: who}, Move{Kind: kinRest, Who: who})
	case deleting:
		for i := range kin {
			if h.over[i].state != noRow {
				into = append(into, Move{Kind: kinDelete, Who: who, A: uint8(i)})
			}
		}
		into = append(into, Move{Kind: kinRest, Who: who})
	}
	return into
}

// covers reports whether a listing is younger than every shard that the rows name,
// without which the engine lists anew.
func (m *FamilyModel) covers(s *FamilyState, l listing) bool {
	for i := range s.rows {
		if s.rows[i].state != noRow && kin[i].existsAt > l.generation {
			return false
		}
	}
	return true
}

// Step implements Model.
func (m *FamilyModel) Step(s *FamilyState, move Move) error {
	var h *upkeeper
	if move.Who != 0 {
		h = &s.hosts[move.Who-1]
	}
	at := move.A
	switch move.Kind {
	case kinReshard:
		s.now.generation++
	case kinExpire:
		s.now.expired |= 1 << at
	case kinBegin:
		s.epoch++
		*h = upkeeper{phase: begun, epoch: s.epoch}
	case kinList:
		h.phase, h.listed = listed, listing{move.B >> 4, move.B & 15}
	case kinRead:
		m.read(s, h)
	case kinRest:
		*h = upkeeper{}
	case kinCreate:
		m.write(s, kinWrite{kind: kinCreate, mine: h.epoch, made: h.missing, repair: h.repair})
		s.made = s.made || s.rows[0].state != noRow
		h.phase, h.missing, h.repair = listed, 0, 0 // the rows are read anew
	case kinDelete:
		m.write(s, kinWrite{kind: kinDelete, mine: h.epoch, at: at, seen: h.over[at]})
		if h.over[at] = (kinRow{}); h.over == (kinRows{}) {
			*h = upkeeper{}
		}
	case kinTake:
		was := s.rows[at]
		m.write(s, kinWrite{kind: kinTake, at: at, seen: was})
		if s.rows[at] != was {
			if err := s.taken(at); err != nil {
				return err
			}
		}
	case kinGoOn:
		m.write(s, kinWrite{kind: kinGoOn, at: at, seen: s.rows[at]})
	case kinEnd:
		m.write(s, kinWrite{kind: kinEnd, at: at, seen: s.rows[at], now: s.now})
		s.done |= 1 << at
	}
	return s.noHole()
}

// read is what a run finds in the rows.
func (m *FamilyModel) read(s *FamilyState, h *upkeeper) {
	v := m.view(h.listed, s.rows)
	if v.missing != 0 {
		h.phase, h.missing, h.repair = creating, v.missing, v.repair
		return
	}
	h.phase, h.listed = deleting, listing{}
	for i := range s.rows {
		if v.deletable&(1<<i) != 0 {
			h.over[i] = s.rows[i]
		}
	}
	if h.over == (kinRows{}) {
		*h = upkeeper{}
	}
}

func (m *FamilyModel) write(s *FamilyState, w kinWrite) {
	w.rows, w.epoch = s.rows, s.epoch
	s.rows = m.writes.get(w, m.apply)
}

// taken is Inv-7 and Inv-8, of a shard that is worked from now on.
func (s *FamilyState) taken(at uint8) error {
	if s.done&(1<<at) != 0 {
		return breach("Inv-8, no replay: %s is worked again, and it was done to its end", kin[at].id)
	}
	if missing := kin[at].above &^ s.done; missing != 0 {
		return breach("Inv-7, parents first: %s is worked before its parents are done", kin[at].id)
	}
	return nil
}

// noHole is Inv-9: what may be worked has a row.
func (s *FamilyState) noHole() error {
	if !s.made {
		return nil
	}
	for i := range kin {
		if kin[i].existsAt <= s.now.generation && kin[i].above&^s.done == 0 && s.done&(1<<i) == 0 && s.rows[i].state == noRow {
			return breach("Inv-9, no hole: %s has no row, and its parents are done", kin[i].id)
		}
	}
	return nil
}

func checkpointProgress(at uint8) checkpoint.Progress {
	return checkpoint.Progress{Position: positionAt(at)}
}

// Tell implements Model.
func (m *FamilyModel) Tell(_ *FamilyState, move Move) string {
	what := [...]string{
		"the stream is resharded", "retention passes", "begins a run", "lists in it", "reads the rows", "creates what is missing",
		"deletes", "somebody takes", "rests", "goes on with", "ends",
	}[move.Kind]
	if move.Who != 0 {
		what = names[move.Who] + " " + what
	}
	switch move.Kind {
	case kinExpire, kinDelete, kinTake, kinGoOn, kinEnd:
		what = fmt.Sprint(what, " ", kin[move.A].id)
	}
	return what
}

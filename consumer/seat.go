package consumer

import (
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// seat is the place of one handler's loop at its tenure's keeper.
type seat struct {
	*keeper
	handler string // empty where there is one
	status  *shardStatus
	wake    chan struct{} // capacity 1: there is news

	// What may be written of the handler at any time, and how many of its
	// records are pending.
	said    checkpoint.Progress
	pending int
	// turn counts the States that were said, so that they are written once.
	turn int
	// The save that the loop waits for, if any, and the answer to the last.
	asked    *checkpoint.Progress
	answered *answer
	// The record that is being handled alone, which every save names.
	suspect checkpoint.Progress
}

// answer is what a save that a loop asked for came to.
type answer struct {
	// row is the row that now stands.
	row shard.Lease
	// applied tells whether the save was written. If not, it may be asked for
	// again.
	applied bool
	// refused is why the table did not take what was to be written with the
	// position, such as a *checkpoint.EffectError; nil if it was not that.
	refused error
	// err is why it may not have been applied.
	err error
}

// sit makes the seat of a handler that begins at from.
func (k *keeper) sit(handler string, from checkpoint.Progress, status *shardStatus) *seat {
	s := &seat{keeper: k, handler: handler, said: from, status: status, wake: make(chan struct{}, 1)}
	k.mu.Lock()
	k.seats = append(k.seats, s)
	if k.over { // by a renewal that was answered before
		s.wake <- struct{}{}
	}
	k.mu.Unlock()
	return s
}

// say notes how far the handler is: Position, Arrived, ReadUpTo and States,
// which are written in one transaction with the next save, whoever wants it. Nil
// States are unchanged since they were last said: a loop that has state never
// says a position without the state that belongs to it.
func (s *seat) say(p checkpoint.Progress, pending int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Position.Compare(s.said.Position) < 0 {
		// Effects were written with a position that the loop has not reached yet.
		p = s.said
		p.States = nil
	}
	if p.States == nil {
		p.States = s.said.States // not yet written, if there are any
	} else {
		s.turn++
	}
	s.said, s.pending = p, pending
}

// says is what a save says of the handler: what it asked for, if it is the asker's.
// The caller holds mu.
func (s *seat) says(asker *seat) checkpoint.Progress {
	if s == asker {
		return *s.asked
	}
	return s.said
}

// ask wants p written as soon as no other save is under way, with its Effects
// and States in the same transaction, and wakes the loop when it is answered. A
// loop asks for one save at a time. Effects of two loops are never in one save,
// so that the refusal of one stops nobody else.
func (s *seat) ask(p checkpoint.Progress) {
	s.mu.Lock()
	s.asked, s.answered = &p, nil
	s.mu.Unlock()
	s.keep(time.Now(), false)
}

// take is the answer to the save asked for, once.
func (s *seat) take() (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answered
	s.answered = nil
	if a == nil {
		return answer{}, false
	}
	return *a, true
}

// mark names the record that the handler is about to get alone, in every save
// from the next on; unmark takes it back.
func (s *seat) mark(at shard.Position, crashes int) {
	s.mu.Lock()
	s.suspect = checkpoint.Progress{Suspect: at, SuspectCrashes: crashes, SuspectHandler: s.handler}
	s.mu.Unlock()
}

func (s *seat) unmark() { s.mark(shard.Position{}, 0) }

package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// slowTable is a table whose answers to a session take a while, on the worker's
// clock.
type slowTable struct {
	checkpoint.Leases
	clock     *stopped
	takes     time.Duration
	registers []error // the answers to registrations, then nil
	beats     []error
}

func (t *slowTable) answer(of *[]error) error {
	t.clock.at += t.takes
	if len(*of) == 0 {
		return nil
	}
	err := (*of)[0]
	*of = (*of)[1:]
	return err
}

func (t *slowTable) Register(context.Context, shard.Session) error { return t.answer(&t.registers) }

func (t *slowTable) Heartbeat(_ context.Context, s shard.Session) (shard.Session, error) {
	return s, t.answer(&t.beats)
}

func slowSession(takes time.Duration) (*session, *slowTable) {
	clock := &stopped{at: time.Hour}
	table := &slowTable{clock: clock, takes: takes}
	return &session{id: "anna", clock: clock, table: table, loops: new(loops), timing: timingOf(10*time.Second, time.Second)}, table
}

// A worker believes in its leases for the lease duration less its fifth, from when
// the last heartbeat that was answered was sent. Whoever watches it counts the whole
// duration from an answer that came later than that.
func TestSessionIsBelievedFromWhenItsHeartbeatWasSent(t *testing.T) {
	for name, write := range map[string]func(*session) error{
		"registration": func(s *session) error { return s.register(t.Context()) },
		"heartbeat":    func(s *session) error { return s.beat(t.Context()) },
	} {
		s, table := slowSession(900 * time.Millisecond)
		sentAt := table.clock.at
		if err := write(s); err != nil {
			t.Fatal(err)
		}
		if got, want := s.left(), sentAt+8*time.Second-table.clock.at; got != want {
			t.Errorf("%s that took 0.9 s to be answered: believed for another %v, want %v", name, got, want)
		}
		table.clock.at = sentAt + 8*time.Second - 1
		if !s.valid() {
			t.Errorf("%s: not believed any more a moment before 8 s", name)
		}
		if table.clock.at = sentAt + 8*time.Second; s.valid() {
			t.Errorf("%s: believed still after 8 s", name)
		}
	}
	s, table := slowSession(900 * time.Millisecond)
	table.beats = []error{errors.New("no answer")}
	if err := s.beat(t.Context()); err == nil || s.valid() {
		t.Errorf("a heartbeat without an answer: error %v, and the session is believed: %v", err, s.valid())
	}
}

// A registration whose answer was lost stands in the table since nobody knows when.
// The session is believed when a heartbeat of it has been answered, from when that
// was sent.
func TestRegistrationWhoseAnswerWasLostWaitsForAHeartbeat(t *testing.T) {
	s, table := slowSession(900 * time.Millisecond)
	table.registers = []error{checkpoint.ErrFenced} // what it finds is its own
	beatAt := table.clock.at + table.takes
	if err := s.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.left(), beatAt+8*time.Second-table.clock.at; got != want {
		t.Errorf("believed for another %v, want %v, as the heartbeat behind the refusal was sent at %v", got, want, beatAt)
	}
	s, table = slowSession(900 * time.Millisecond)
	table.registers, table.beats = []error{checkpoint.ErrFenced}, []error{checkpoint.ErrSessionOver}
	if err := s.register(t.Context()); !errors.Is(err, checkpoint.ErrSessionOver) || s.valid() {
		t.Errorf("a session that was revoked before its first heartbeat: error %v, and it is believed: %v", err, s.valid())
	}
}

// A session that somebody has found run out stays so, whatever is answered a moment
// later, until what was held under it is dropped: whoever found it has given up
// records that nobody would handle.
func TestSessionThatWasFoundRunOutStaysSo(t *testing.T) {
	s, table := slowSession(0)
	if err := s.beat(t.Context()); err != nil || !s.valid() {
		t.Fatalf("a session that beats is not believed, error %v", err)
	}
	if table.clock.at += 8 * time.Second; s.valid() {
		t.Fatal("8 s after its heartbeat it is believed")
	}
	if s.extend(table.clock.at); s.valid() {
		t.Error("an answer that was under way brought it back")
	}
	if s.revive(); !s.valid() {
		t.Error("it is not believed again, though what was held under it was dropped")
	}
}

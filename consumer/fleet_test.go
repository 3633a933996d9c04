package consumer

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// answeringTable is a table that answers what it is told to, and notes what it was
// asked.
type answeringTable struct {
	checkpoint.Leases
	revoked error
	took    int
	buried  []string
}

func (t *answeringTable) Revoke(context.Context, shard.Session, string) error { return t.revoked }

func (t *answeringTable) Bury(_ context.Context, dead shard.Session) error {
	t.buried = append(t.buried, dead.ID)
	return nil
}

func (t *answeringTable) Take(_ context.Context, seen shard.Lease, _, _ string) (shard.Lease, error) {
	t.took++
	return seen, &checkpoint.Conflict{Write: "take", Key: seen.Key, Exists: true, Row: seen}
}

// aloneAt is the fleet of a worker named anna, at an hour of its clock, that has seen
// bert at his third beat.
func aloneAt(clock *stopped, table checkpoint.Leases) *fleet {
	cfg := Config{Leases: table, Logger: slog.New(slog.DiscardHandler), LeaseDuration: 10 * time.Second, DrainTimeout: time.Second, MemoryBudget: 1}
	w := newWorker(cfg, clock, dice.Dice{})
	w.session = &session{id: "anna", clock: clock, table: table, timing: w.timing}
	f := newFleet(context.Background(), w, w.session)
	f.halted = false
	f.peers.observe(beating("bert", 3), clock.at)
	return f
}

// A worker is dead when the write that says so was answered. One that was refused
// says that it has beaten meanwhile; and of one without an answer nobody knows.
func TestWorkerIsDeadWhenItsRevocationWasAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		dead   bool
	}{
		"answered":          {nil, true},
		"refused":           {&checkpoint.Conflict{Write: "revoke", Key: "bert", Exists: true}, false},
		"without an answer": {context.DeadlineExceeded, false},
	} {
		f := aloneAt(&stopped{at: time.Hour}, &answeringTable{revoked: c.answer})
		dead := f.revoke(t.Context(), shard.Session{ID: "bert", Beat: 3})
		if got := f.standing("bert") == holderDead; dead != c.dead || got != c.dead {
			t.Errorf("%s: told as dead %v, and the leases may be taken: %v, want %v", name, dead, got, c.dead)
		}
	}
}

// A worker whose session has run out takes nothing: by the time it is answered the
// lease may be another's.
func TestWorkerThatHasRunOutTakesNothing(t *testing.T) {
	table := &answeringTable{}
	clock := &stopped{at: time.Hour}
	f := aloneAt(clock, table)
	f.take(t.Context(), shard.Lease{Key: "s", Shard: "s"}, "")
	f.session.extend(clock.at)
	clock.at += 8 * time.Second
	f.take(t.Context(), shard.Lease{Key: "s", Shard: "s"}, "")
	if table.took != 0 {
		t.Errorf("%d takes were sent, want none", table.took)
	}
}

// described is a stream of which Describe says what it is told.
type described struct {
	shard.Source
	now shard.Stream
}

func (s described) Describe(context.Context) (shard.Stream, error) { return s.now, nil }

// A stream that was deleted and created again under its name is another one: the
// positions in the table mean nothing in it, and the run ends.
func TestStreamCreatedAgainEndsTheRun(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, later := range []time.Duration{0, time.Second} {
		f := aloneAt(&stopped{at: time.Hour}, &answeringTable{})
		var ended error
		f.worker.cancel = func(cause error) { ended = cause }
		f.stream = shard.Stream{CreatedAt: created}
		f.cfg.Source = described{now: shard.Stream{CreatedAt: created.Add(later)}}
		err := f.sameStream(t.Context())
		if again := later > 0; errors.Is(err, checkpoint.ErrRecreated) != again || errors.Is(f.worker.failure, checkpoint.ErrRecreated) != again || (ended != nil) != again {
			t.Errorf("created %v later: error %v, the run ends with %v", later, err, f.worker.failure)
		}
	}
}

// A revoked session is kept for a day, and as long as a lease names it: a
// registration that was delayed in the network finds it, and brings nobody back.
func TestRevokedSessionIsBuriedAfterADay(t *testing.T) {
	table := &answeringTable{}
	clock := &stopped{at: time.Hour}
	f := aloneAt(clock, table)
	if !f.revoke(t.Context(), shard.Session{ID: "bert", Beat: 3}) {
		t.Fatal(errors.New("the session was not revoked"))
	}
	row := shard.Lease{Key: "s", Shard: "s", Owner: "bert"}
	for _, at := range []struct {
		hours time.Duration
		rows  []shard.Lease
		want  int
	}{{0, nil, 0}, {23, nil, 0}, {25, []shard.Lease{row}, 0}, {26, nil, 1}} {
		clock.at = (1 + at.hours) * time.Hour
		if f.bury(t.Context(), at.rows); len(table.buried) != at.want {
			t.Fatalf("%d hours after the revocation, with the leases %v: %v buried, want %d", at.hours, at.rows, table.buried, at.want)
		}
	}
}

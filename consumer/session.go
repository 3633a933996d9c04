package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// protocolVersion stands in the session row, so that a later version can tell
// whom it shares the table with. A worker of version 1 does not stand still for a
// move of all positions.
const protocolVersion = 2

// timing is what follows from the lease duration D. The proportions are those
// that were model-checked: the owner trusts its lease for D − D/5 from the
// moment a heartbeat was sent, an observer waits D from the moment an answer
// arrived, and the fifth between them is what two clocks may drift apart.
type timing struct {
	lease     time.Duration // D: silence after which a worker is dead
	margin    time.Duration // M = D/5
	beat      time.Duration // H = D/10, between heartbeats
	quiet     time.Duration // without a beat, after which nothing more is given to a worker; those who look see one every two beats
	mailbox   time.Duration // between looks into the own inbox
	sweep     time.Duration // between looks for rows that name this worker
	plan      time.Duration // between plans when nothing happens
	settle    time.Duration // how old a worker must be to be given shards
	renew     time.Duration // between writes of one lease, where each is renewed by itself
	handover  time.Duration // after which a hand-over is withdrawn
	upkeep    time.Duration // between maintenance runs
	tableCall time.Duration // one call to the lease table, heartbeats excepted
}

func timingOf(lease, drain time.Duration) timing {
	return timing{
		lease:     lease,
		margin:    checkpoint.TermOf(lease).Margin,
		beat:      lease / 10,
		quiet:     lease / 4,
		mailbox:   250 * time.Millisecond,
		sweep:     min(5*time.Second, lease/2),
		plan:      30 * time.Second,
		settle:    lease,
		renew:     lease/3 - lease/40, // sent within a third, as KCL does
		handover:  drain + 5*time.Second,
		upkeep:    2 * time.Minute,
		tableCall: 5 * time.Second,
	}
}

func (t timing) term() checkpoint.Term { return checkpoint.Term{Lease: t.lease, Margin: t.margin} }

// session is this worker's own sign of life, and the answer to the one question
// that everything asks before it acts: may I still?
type session struct {
	id     string
	clock  clock.Clock
	dice   dice.Dice
	table  checkpoint.Leases
	timing timing
	loops  *loops // of the worker

	validUntil atomic.Int64 // on the worker's clock
	lapsed     atomic.Bool  // somebody has found it run out
	leaving    atomic.Bool
	plans      atomic.Int64
	looks      atomic.Int64 // see shard.Session
	leases     atomic.Int64 // how many it holds, its load
	shareGen   atomic.Int64 // see shard.Session
	maxLeases  int
}

// newWorkerID names one start of one process. A bare host or pod name would be
// shared by two incarnations, of which the first may still be running.
func newWorkerID(d dice.Dice, prefix string) string { return prefix + "/" + d.ID("worker", prefix) }

// isWorkerID reports whether an owner is one of ours, from whatever fleet or time.
// Other libraries name their workers by a UUID, or as their users want it; a prefix
// cannot have a slash.
func isWorkerID(id string) bool {
	_, random, found := strings.Cut(id, "/")
	return found && len(random) == 16 && strings.Trim(random, "0123456789abcdef") == ""
}

func (s *session) row() shard.Session {
	return shard.Session{
		ID: s.id, Leaving: s.leaving.Load(), Plans: s.plans.Load(), Looks: s.looks.Load(), Load: float64(s.leases.Load()),
		MaxLeases: s.maxLeases, Version: protocolVersion, ShareGen: s.shareGen.Load(),
	}
}

// valid reports whether the worker may still act on its leases. The deadline is
// checked, not only the context: after a pause of the process the first thing
// to run may be a handler.
//
// A session that was found run out stays so until the heartbeat has dropped what
// was held under it, also if an answer that was under way prolongs it a moment
// later: whoever found it run out has given up what he was doing.
func (s *session) valid() bool {
	was := s.trust()
	now := was.Looked(s.clock.Elapsed())
	if now.Lapsed && !was.Lapsed {
		s.lapsed.Store(true)
	}
	return !now.Lapsed
}

func (s *session) trust() checkpoint.Trust {
	return checkpoint.Trust{Lapsed: s.lapsed.Load(), Until: time.Duration(s.validUntil.Load())}
}

// revive lets a session be valid again under which nothing is held any more.
func (s *session) revive() { s.lapsed.Store(false) }

// left is how long the session stays valid without another heartbeat.
func (s *session) left() time.Duration {
	return time.Duration(s.validUntil.Load() - int64(s.clock.Elapsed()))
}

// extend takes note of a heartbeat that was answered.
func (s *session) extend(sentAt time.Duration) {
	for {
		known := s.validUntil.Load()
		now := checkpoint.Trust{Until: time.Duration(known)}.Answered(s.timing.term(), sentAt)
		if int64(now.Until) == known || s.validUntil.CompareAndSwap(known, int64(now.Until)) {
			return
		}
	}
}

// register writes the session, as often as it takes.
func (s *session) register(ctx context.Context) error {
	for try := 1; ; try++ {
		s.loops.alone(s.clock)
		sentAt := s.clock.Elapsed()
		err := s.call(ctx, s.timing.tableCall, func(ctx context.Context) error { return s.table.Register(ctx, s.row()) })
		if errors.Is(err, checkpoint.ErrFenced) {
			// The id is random, so the row that is there already is the one that
			// an earlier try wrote without its answer reaching us. Its age is
			// that of the first try, so that validity waits for a heartbeat.
			err = s.beat(ctx)
		} else if err == nil {
			s.extend(sentAt)
		}
		if err == nil || errors.Is(err, checkpoint.ErrSessionOver) {
			return err
		}
		if err := clock.Sleep(ctx, backoff(s.dice, try, 100*time.Millisecond, s.timing.beat, "register")); err != nil {
			return err
		}
	}
}

// beat sends one heartbeat. Its time-out lies well below the margin, so that
// several fit before the session runs out.
func (s *session) beat(ctx context.Context) error {
	_, err := s.beatRow(ctx)
	return err
}

func (s *session) beatRow(ctx context.Context) (row shard.Session, err error) {
	sentAt := s.clock.Elapsed()
	err = s.call(ctx, s.timing.margin/2, func(ctx context.Context) error {
		row, err = s.table.Heartbeat(ctx, s.row())
		return err
	})
	if err != nil {
		return row, fmt.Errorf("heartbeat of %s: %w", s.id, err)
	}
	s.extend(sentAt)
	return row, nil
}

// call bounds one call to the table in time.
func (s *session) call(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f(ctx)
}

// jitter spreads periodic work by a tenth to either side.
func jitter(d dice.Dice, span time.Duration, purpose string) time.Duration {
	return span - span/10 + d.N(span/5+1, purpose)
}

// backoff is a wait before try+1: doubling, drawn at random below its bound.
func backoff(d dice.Dice, try int, least, most time.Duration, purpose ...string) time.Duration {
	bound := most
	if try < 16 {
		bound = min(most, least<<(try-1))
	}
	return d.N(bound+1, purpose...)
}

package reposition

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// Config says whose positions are moved. Leases and Source are required.
type Config struct {
	// Leases is the lease table of the application, such as
	// dynamocheckpoint.Open. It must be a checkpoint.Moves.
	Leases checkpoint.Leases
	// Source is the stream that the application reads.
	Source shard.Source
	// By is who moves the positions, for people who find a move under way.
	// Default: towpath.
	By string
	// Silence is for how long a worker is watched that does not answer before it
	// counts as dead: at least the LeaseDuration of the fleet. Default 1 minute,
	// six times the default of that. Too short, and a worker that lives loses its
	// session.
	Silence time.Duration
	// Patience is for how long a move of all shards waits for the workers to stand
	// still, and tries again what fails. Default 5 minutes. It has to be longer
	// than Silence and the fleet's DrainTimeout.
	Patience time.Duration
	// Unread has plans made without a look into the stream: what is repeated or
	// skipped is then unknown. Default: each shard is read a little.
	Unread bool
	// Report is called when a move of all shards has come further; nil is nobody.
	Report func(shard.Move)

	atOnce int // rows in one transaction
}

// Mover moves the positions of one application. Its methods may be called at
// once; of two moves one is refused.
type Mover struct {
	cfg   Config
	table checkpoint.Moves
	rows  checkpoint.Leases
}

var (
	// ErrUnderway says that a move of all positions is under way already, or was
	// left half done: Resume or Abort it.
	ErrUnderway = errors.New("a move of all positions is under way")
	// ErrNoMove says that there is no move to resume or to give up.
	ErrNoMove = errors.New("no move is under way")
	// ErrChanged says that what a plan was made from has changed in a way that
	// matters: make another.
	ErrChanged = errors.New("what the plan was made from has changed")
	// ErrFinished says that a shard is done to its end, so that its children may
	// be at work: it can only be moved together with all others.
	ErrFinished = errors.New("the shard is finished: move all shards instead")
	// ErrNotStill says that a worker does not stand still, or nobody knows whether
	// it does.
	ErrNotStill = errors.New("a worker does not stand still")
	// ErrHalfDone says that a move stopped after rows had been rewritten. The fleet
	// stands still until somebody resumes it.
	ErrHalfDone = errors.New("the move is half done and the fleet stands still: resume it")
	// ErrNotEmpty says that a fork would write over positions.
	ErrNotEmpty = errors.New("the application has positions already")
)

// Open checks a configuration. It does no I/O.
func Open(cfg Config) (*Mover, error) {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	m := &Mover{cfg: cfg, rows: cfg.Leases}
	m.table, _ = cfg.Leases.(checkpoint.Moves)
	add(cfg.Leases == nil, "Leases is missing: set it to the lease table of the application, such as dynamocheckpoint.Open")
	add(cfg.Leases != nil && m.table == nil, "Leases is a %T, in which positions can not be moved by hand: it is no checkpoint.Moves", cfg.Leases)
	add(cfg.Source == nil, "Source is missing: set it to the stream of the application, such as kinesisshards.Open")
	add(cfg.Silence < 0, "Silence is %v, want 0 or more", cfg.Silence)
	add(cfg.Patience < 0, "Patience is %v, want 0 or more", cfg.Patience)
	for field, part := range map[string]any{"Leases": cfg.Leases, "Source": cfg.Source} {
		if v, ok := part.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", field, err))
			}
		}
	}
	m.cfg.By = cmp.Or(cfg.By, "towpath")
	m.cfg.Silence = cmp.Or(cfg.Silence, time.Minute)
	m.cfg.Patience = cmp.Or(cfg.Patience, 5*time.Minute)
	m.cfg.atOnce = cmp.Or(cfg.atOnce, 90)
	add(m.cfg.Patience <= m.cfg.Silence, "Patience is %v, want more than Silence, which is %v", m.cfg.Patience, m.cfg.Silence)
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("reposition config: %w", err)
	}
	return m, nil
}

// Underway is the move of all positions that stands in the control row; the zero
// Move is none.
func (m *Mover) Underway(ctx context.Context) (shard.Move, error) {
	c, err := m.table.Control(ctx)
	if errors.Is(err, checkpoint.ErrNoTable) {
		return shard.Move{}, nil
	}
	return c.Move, err
}

// newID tells one go at a move from every other.
func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// pause waits between two tries.
func pause(ctx context.Context, try int) error {
	return clock.Sleep(ctx, min(time.Second, 50*time.Millisecond<<min(try, 5)))
}

// final reports whether an error stays what it is, however often it is tried.
func final(err error) bool {
	for _, kind := range []error{
		checkpoint.ErrNoTable, checkpoint.ErrDenied, checkpoint.ErrMoveOver, checkpoint.ErrOtherStream, checkpoint.ErrRecreated,
		shard.ErrNoStream, ErrChanged, ErrUnderway, ErrNotStill, ErrFinished, ErrNotEmpty, ErrNoMove, errBelieved,
		context.Canceled,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	// A driver hands on what the service said: whoever was refused is refused again.
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && coded.ErrorCode() == "AccessDeniedException"
}

// errBelieved says that a row can not be believed.
var errBelieved = errors.New("a lease row can not be believed: put it right or delete it")

// persist tries something again until it succeeds, fails for good, or patience is
// over.
func (m *Mover) persist(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Patience)
	defer cancel()
	for try := 0; ; try++ {
		err := do(ctx)
		if err == nil || final(err) {
			return err
		}
		if pause(ctx, try) != nil {
			return err
		}
	}
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// Steering tells a whole fleet, while it runs, how many calls it may make at
// once and what it is to leave alone. What it says stands in the lease table, so
// that it outlives every worker and the program that said it.
//
// Workers learn of it within about a second. Every function is ErrNoControls if
// the lease table is no checkpoint.Controls.
type Steering struct {
	table checkpoint.Controls
}

// Steer is for a tool, which need not run a consumer: leases is the table of the
// fleet, such as dynamocheckpoint.Open(client, "clickstream").
func Steer(leases checkpoint.Leases) *Steering {
	table, _ := leases.(checkpoint.Controls)
	return &Steering{table: table}
}

// Steering is Steer for the fleet that this consumer is part of. It may be used
// whether the consumer runs or not.
func (c *Consumer) Steering() *Steering { return Steer(c.cfg.Leases) }

// PauseOf says what to pause. The zero value is the whole application; with
// both, it is the records of a key in one shard.
type PauseOf struct {
	// Shard is the id of a shard; empty is every shard.
	Shard string
	// Key is what records' order belongs to: Config.Key's, by default the
	// partition key. Empty is every key.
	Key string
	// KeyHash is the key's SHA-256 in hexadecimal, as a pause shows it, for whoever
	// does not have the key itself. It is looked at if Key is empty.
	KeyHash string
}

func (p PauseOf) row() shard.Pause {
	row := shard.Pause{Shard: p.Shard, KeyHash: p.KeyHash}
	if p.Key != "" {
		row.KeyHash = batching.HashKey(p.Key)
	}
	return row
}

// SetFleetConcurrency limits how many handler calls run at once in the whole
// fleet: the sum over all workers never exceeds it, whoever comes, dies or is
// cut off. batching.AtMost(0) stops every handler; leases are kept and no
// attempts are burnt. batching.Unlimited, or the zero Limit, takes the limit
// away.
//
// It returns when the limit is written. One that is lower than the last holds
// from when the calls above it have ended: see FleetKeeps.
func (s *Steering) SetFleetConcurrency(ctx context.Context, limit batching.Limit) error {
	n, limited := limit.Max()
	if limited && (n < 0 || n > maxFleetConcurrency) {
		return fmt.Errorf("set the fleet's concurrency to %d: want 0 to %d", n, maxFleetConcurrency)
	}
	err := s.change(ctx, func(c shard.Control) (shard.Control, error) {
		if !limited {
			return c.WithoutLimit(), nil
		}
		sessions, err := s.table.SessionsNow(ctx)
		if err != nil {
			return c, fmt.Errorf("read the sessions: %w", err)
		}
		next := c.WithLimit(n)
		if !sameControl(c, next) {
			// The shares follow at once; what they leave open, the planner sees to.
			next.Shares = shard.Apportion(next, sessions, 0).Shares
		}
		return next, nil
	})
	if err != nil {
		return fmt.Errorf("set the fleet's concurrency to %s: %w", limit, err)
	}
	return nil
}

// maxFleetConcurrency is beyond any fleet, and far below what would overflow.
const maxFleetConcurrency = 1 << 20

// Pause holds an application, a shard or a key back until it is resumed, over
// restarts. Calls that run end by themselves, nothing more is read, leases are
// kept and can be handed over, and no attempts are burnt. Records go on ageing:
// what lies longer than the stream keeps it is lost, and reported.
func (s *Steering) Pause(ctx context.Context, what PauseOf) error {
	err := s.change(ctx, func(c shard.Control) (shard.Control, error) { return c.WithPause(what.row()), nil })
	if err != nil {
		return fmt.Errorf("pause %s: %w", what.row(), err)
	}
	return nil
}

// Resume takes back a Pause of just that. Other pauses that hold the same back
// stay in force. What is not paused is no error.
func (s *Steering) Resume(ctx context.Context, what PauseOf) error {
	err := s.change(ctx, func(c shard.Control) (shard.Control, error) { return c.WithoutPause(what.row()), nil })
	if err != nil {
		return fmt.Errorf("resume %s: %w", what.row(), err)
	}
	return nil
}

// Control reads what the fleet is told.
func (s *Steering) Control(ctx context.Context) (shard.Control, error) {
	if s.table == nil {
		return shard.Control{}, ErrNoControls
	}
	return s.table.Control(ctx)
}

// FleetKeeps reports whether every worker of the fleet is known to keep to the
// limit that is set: after it was lowered, whether the calls above it have
// ended.
func (s *Steering) FleetKeeps(ctx context.Context) (bool, error) {
	c, err := s.Control(ctx)
	if err != nil {
		return false, err
	}
	sessions, err := s.table.SessionsNow(ctx)
	if err != nil {
		return false, fmt.Errorf("read the sessions: %w", err)
	}
	return c.Kept(sessions), nil
}

// change writes the control row, as often as it takes: somebody else may do so
// at the same moment.
func (s *Steering) change(ctx context.Context, change func(shard.Control) (shard.Control, error)) error {
	if s.table == nil {
		return ErrNoControls
	}
	for try := 1; ; try++ {
		seen, err := s.table.Control(ctx)
		if err != nil {
			return fmt.Errorf("read what the fleet is told: %w", err)
		}
		next, err := change(seen)
		if err != nil || sameControl(seen, next) {
			return err
		}
		if _, err = s.table.SetControl(ctx, seen, next); err == nil || !errors.Is(err, checkpoint.ErrFenced) {
			return err
		}
		if err := clock.Sleep(ctx, backoff(dice.From(ctx), try, 20*time.Millisecond, time.Second, "steering")); err != nil {
			return err
		}
	}
}

// sameControl reports whether two rows say the same, whatever their generation.
func sameControl(a, b shard.Control) bool {
	return a.Limited == b.Limited && a.Limit == b.Limit && maps.Equal(a.Shares, b.Shares) && slices.Equal(a.Pauses, b.Pauses)
}

package overview

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Tables are the tables of an application, of which only what reads is asked. A
// dynamocheckpoint.Table is one, over this library's tables and over KCL's. What
// of the rest a table has is looked at too: Control of a checkpoint.Controls, and
// a checkpoint.Neighbours.
type Tables interface {
	// List is as of checkpoint.Rows.
	List(ctx context.Context) ([]shard.Lease, error)
	// Sessions is as of checkpoint.Sessions.
	Sessions(ctx context.Context) ([]shard.Session, error)
}

// Config says what is looked at.
type Config struct {
	// Tables are the application's. They are required.
	Tables Tables
	// Source is the stream that it reads. Default: none is asked, and the picture is
	// of the rows alone, without holes and shards to come.
	Source shard.Source
	// Before is the picture before, by which is told who lives. Default: none, and
	// of nobody is known whether it does.
	Before *Fleet
	// Silence is for how long a worker gives no sign of life before it is called
	// silent: the LeaseDuration of its fleet. Default 10 s, which is that of
	// consumer.Config. Too short, and workers are called so that are only slow.
	Silence time.Duration
}

const defaultSilence = 10 * time.Second

// ErrNoTables says that a Config lacks its Tables.
var ErrNoTables = errors.New("overview config: Tables is missing: set it to the application's, such as dynamocheckpoint.Open(client, name)")

// Look takes a picture. The rows are required: without them there is none. Where
// only the source cannot be asked, the picture is of the rows, with a problem of
// the kind TroubleUnread, and comes with the error.
func Look(ctx context.Context, c Config) (*Fleet, error) {
	if c.Tables == nil {
		return nil, ErrNoTables
	}
	if c.Silence <= 0 {
		c.Silence = defaultSilence
	}
	var p Parts
	// The listing comes first: a row that is read after it is of a shard that was
	// there.
	unasked := c.ask(ctx, &p)
	if err := c.read(ctx, &p); err != nil {
		return nil, errors.Join(fmt.Errorf("look at the fleet: %w", err), unasked)
	}
	f := Join(p, c.Before, time.Now(), c.Silence)
	if f.Totals.By[StateOrphaned] > 0 {
		// A worker that has let go and left between the two readings looks the same.
		if err := c.read(ctx, &p); err != nil {
			return nil, errors.Join(fmt.Errorf("look at the fleet: %w", err), unasked)
		}
		f = Join(p, c.Before, time.Now(), c.Silence)
	}
	if unasked != nil {
		return f, fmt.Errorf("look at the stream: %w", unasked)
	}
	return f, nil
}

// ask asks the source, if there is one.
func (c Config) ask(ctx context.Context, p *Parts) error {
	p.Unlisted = true
	if c.Source == nil {
		return nil
	}
	stream, err := c.Source.Describe(ctx)
	if err == nil {
		p.Stream = stream
		p.Listed, err = c.Source.List(ctx)
	}
	if err != nil {
		p.Unread = append(p.Unread, err)
		return err
	}
	p.Unlisted = false
	return nil
}

// read reads the tables: sessions after rows, so that an owner has its session.
func (c Config) read(ctx context.Context, p *Parts) (err error) {
	if p.Rows, err = c.Tables.List(ctx); err != nil {
		return err
	}
	p.Sessions, err = c.Tables.Sessions(ctx)
	p.NoSessions = errors.Is(err, checkpoint.ErrNoTable)
	if err != nil && !p.NoSessions {
		return err
	}
	if table, ok := c.Tables.(checkpoint.Controls); ok && !p.NoSessions {
		if p.Control, err = table.Control(ctx); err != nil {
			return err
		}
		p.ControlKnown = true
	}
	if table, ok := c.Tables.(checkpoint.Neighbours); ok && p.NoSessions {
		// Where there are sessions, the fleet itself looks out for neighbours.
		if p.Neighbours, err = table.Neighbours(ctx); err != nil {
			p.Unread = append(p.Unread, err)
		}
	}
	return nil
}

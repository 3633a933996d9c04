package checkpointtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Table is a checkpoint.Leases and a checkpoint.States in memory. It refuses what a driver refuses, and
// answers what a driver answers. Its methods may be called at once, and wait
// for nothing but what Interfere makes them wait for.
type Table struct {
	*store
	caller string
}

// store is what all views of one table share.
type store struct {
	mu            sync.Mutex // protects what follows; never held across a hook
	claimed       *shard.Stream
	rows          map[string]shard.Lease
	sessions      map[string]shard.Session
	epoch         int64
	control       shard.Control
	states        map[string]map[string]state // by lease key and handler
	parked        map[string]*parked          // by handler, shard and hash
	neighbours    []checkpoint.Neighbour
	before, after func(context.Context, Call) error
	wrote         func(before, after shard.Lease)
	late          sync.WaitGroup
}

var (
	_ checkpoint.Leases   = (*Table)(nil)
	_ checkpoint.States   = (*Table)(nil)
	_ checkpoint.Controls = (*Table)(nil)
)

// NewTable is an empty table that belongs to no stream yet.
func NewTable() *Table {
	return &Table{store: &store{
		rows: map[string]shard.Lease{}, sessions: map[string]shard.Session{}, states: map[string]map[string]state{},
		parked: map[string]*parked{},
	}}
}

// As is the same table as one worker sees it: the hooks of Interfere get its
// name with every call, reads among them. Without it they get the worker that
// is named in a call, if one is.
func (t *Table) As(caller string) *Table { return &Table{store: t.store, caller: caller} }

// Interfere sets two hooks, either of which may be nil, for all views of the
// table. Before is asked ahead of each call: with an error nothing is applied,
// and while it waits the call is under way. After is asked when the call has
// been applied: its error takes the place of the answer, as when the answer is
// lost. Op is the method's name in lower case, such as save or heartbeat.
func (t *Table) Interfere(before, after func(op, caller string) error) {
	hook := func(f func(op, caller string) error) func(context.Context, Call) error {
		if f == nil {
			return nil
		}
		return func(_ context.Context, c Call) error { return f(c.Op, c.Caller) }
	}
	t.Interpose(hook(before), hook(after))
}

// Edit changes a row by hand, behind everybody's back: the counter does not
// move unless edit moves it. It reports whether there is such a row.
func (t *Table) Edit(key string, edit func(*shard.Lease)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, there := t.rows[key]
	if there {
		edit(&l)
		t.rows[key] = l
	}
	return there
}

// Remove deletes a row by hand.
func (t *Table) Remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, key)
}

// RemoveControl deletes by hand what the fleet was told.
func (t *Table) RemoveControl() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.control = shard.Control{}
}

// Prepare implements checkpoint.Leases: the first stream claims the table.
func (t *Table) Prepare(ctx context.Context, stream shard.Stream) error {
	return t.call(ctx, "prepare", "", func() error {
		switch was := t.claimed; {
		case was == nil:
			for key := range t.rows {
				if _, _, many := shard.SplitID(key); many != (stream.ARN == shard.ManyStreams) {
					return fmt.Errorf("%w: it has the row %s, and this worker reads %s", checkpoint.ErrOtherStream, key, stream.ARN)
				}
			}
			t.claimed = &stream
		case was.ARN != stream.ARN:
			return fmt.Errorf("%w: it keeps the positions of %s, and this worker reads %s", checkpoint.ErrOtherStream, was.ARN, stream.ARN)
		case !was.CreatedAt.IsZero() && !stream.CreatedAt.IsZero() && was.CreatedAt.Unix() != stream.CreatedAt.Unix():
			return fmt.Errorf("%w: %s", checkpoint.ErrRecreated, was.ARN)
		}
		return nil
	})
}

// conflict is the refusal of a write to a lease, with the row that stands.
func (t *Table) conflict(write, key string) error {
	l, there := t.rows[key]
	return &checkpoint.Conflict{Write: write, Key: key, Exists: there, Row: copied(l)}
}

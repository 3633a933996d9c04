package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// Call is one call of a Table, as those see it who interfere.
type Call struct {
	// Op is the method's name in lower case, such as save or heartbeat.
	Op string
	// Caller is the worker that calls; empty if neither As nor the call names one.
	Caller string
	// Key is the row or session that is called for; empty where it is not one.
	Key string
}

// Late is an error of a hook ahead of a call: the request is under way for so
// long, and is applied then. Its caller gets no answer, and waits for none longer
// than its context lasts.
type Late struct {
	// After is how long the request is under way.
	After time.Duration
}

// Error says that there is no answer.
func (l Late) Error() string { return fmt.Sprintf("no answer, and applied after %s", l.After) }

// Interpose is Interfere with hooks that know the context and the row of a call.
// They may wait, and end with the context's error if that ends first.
func (t *Table) Interpose(before, after func(ctx context.Context, c Call) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before, t.after = before, after
}

// OnWrite sets who is told of every write that changed a lease row, in the order
// in which they took effect, before the writer gets its answer. A row that was not
// there before, or is not any more, is a Lease without Key. It must not call the
// table. What Edit and Remove do is not told.
func (t *Table) OnWrite(wrote func(before, after shard.Lease)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrote = wrote
}

// Settled waits until every request that was Late has been applied.
func (t *Table) Settled() { t.late.Wait() }

// put writes a row. The caller holds mu.
func (s *store) put(key string, row shard.Lease) {
	was := s.rows[key]
	s.rows[key] = row
	if s.wrote != nil {
		s.wrote(was, row)
	}
}

// drop deletes a row. The caller holds mu.
func (s *store) drop(key string) {
	was, there := s.rows[key]
	delete(s.rows, key)
	if there && s.wrote != nil {
		s.wrote(was, shard.Lease{})
	}
}

// silence is how long the caller of a Late request waits for an answer that does
// not come, if its context lasts longer: as a connection that is found dead.
const silence = 5 * time.Second

// call does one operation between the two hooks.
func (t *Table) call(ctx context.Context, op, caller string, apply func() error) error {
	return t.callFor(ctx, Call{Op: op, Caller: caller}, apply)
}

// callFor does one operation on one row.
func (t *Table) callFor(ctx context.Context, c Call, apply func() error) error {
	if t.caller != "" {
		c.Caller = t.caller
	}
	t.mu.Lock()
	before, after := t.before, t.after
	t.mu.Unlock()
	if before != nil {
		var late Late
		switch err := before(ctx, c); {
		case errors.As(err, &late):
			t.late.Go(func() { // ends with the request; awaited by Settled
				time.Sleep(late.After)
				t.mu.Lock()
				defer t.mu.Unlock()
				_ = apply() // nobody is there to be told
			})
			if err := clock.Sleep(ctx, late.After+silence); err != nil {
				return fmt.Errorf("%s: %w", c.Op, err)
			}
			return fmt.Errorf("%s: %w", c.Op, late)
		case err != nil:
			return fmt.Errorf("%s: %w", c.Op, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", c.Op, err)
	}
	t.mu.Lock()
	err := apply()
	t.mu.Unlock()
	if after != nil {
		if lost := after(ctx, c); lost != nil {
			return fmt.Errorf("%s: %w", c.Op, lost)
		}
	}
	return err
}

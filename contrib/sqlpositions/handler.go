package sqlpositions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Handler applies batches in transactions. It is a consumer.Handler.
type Handler struct {
	store       *Store
	application string
	apply       func(ctx context.Context, tx *sql.Tx, r *shard.Record) error
}

// Each makes a Handler of a function that applies one record within a
// transaction. An error undoes the whole transaction: the records before the one
// that failed are applied in one of their own, and the batch fails from that
// record on. Application is the consumer's name, under which it claims.
func (s *Store) Each(application string, apply func(ctx context.Context, tx *sql.Tx, r *shard.Record) error) *Handler {
	return &Handler{store: s, application: application, apply: apply}
}

// Handle applies a batch.
func (h *Handler) Handle(ctx context.Context, b *batching.Batch) error {
	failed, err := h.transact(ctx, b, len(b.Records))
	if err == nil {
		return nil
	}
	if failed <= 0 {
		return err
	}
	// What lies before the record at fault is applied without it.
	if again, secondErr := h.transact(ctx, b, failed); secondErr != nil {
		if again <= 0 {
			return secondErr
		}
		return batching.FailFrom(&b.Records[0], secondErr)
	}
	return batching.FailFrom(&b.Records[failed], err)
}

// transact applies the first n records of a batch in one transaction. If one of
// them is at fault, failed is its place; else it is negative with an error.
func (h *Handler) transact(ctx context.Context, b *batching.Batch, n int) (failed int, err error) {
	failed = -1
	err = h.store.transact(ctx, func(tx *sql.Tx) error {
		done, err := h.store.Begin(ctx, tx, h.application, b)
		if err != nil {
			return err
		}
		for i := range b.Records[:n] {
			r := &b.Records[i]
			if r.Position().Compare(done) <= 0 {
				continue // applied by a transaction whose answer was lost
			}
			if err := h.protected(ctx, tx, r); err != nil {
				failed = i
				return err
			}
		}
		return h.store.Move(ctx, tx, h.application, b, b.Records[n-1].Position())
	})
	return failed, err
}

// protected applies a record, and makes an error of a panic: the transaction is
// to be undone.
func (h *Handler) protected(ctx context.Context, tx *sql.Tx, r *shard.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &batching.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h.apply(ctx, tx, r)
}

// Begin is the first thing a transaction of the user's own does: it takes the
// shard's row, so that no other tenure can until the end of the transaction, and
// returns the position. Records at or before it are applied already. It is
// checkpoint.ErrFenced if a later tenure has claimed the shard; the transaction
// must then be undone.
func (s *Store) Begin(ctx context.Context, tx *sql.Tx, application string, b *batching.Batch) (shard.Position, error) {
	fence := b.Fence()
	// A write, so that databases without SELECT … FOR UPDATE take the row, too.
	held, err := s.exec(ctx, tx, `UPDATE `+s.table+` SET fence_counter = fence_counter`+whose+` AND fence_stream = ? AND fence_counter = ?`,
		append(keyOf(application, b), fence.Stream, fence.Counter)...)
	if err != nil {
		return shard.Position{}, fmt.Errorf("take the position of %s: %w", b.Shard, err)
	}
	if held == 0 {
		return shard.Position{}, fmt.Errorf("take the position of %s: %w", b.Shard, checkpoint.ErrFenced)
	}
	at, _, err := s.read(ctx, tx, keyOf(application, b))
	if err != nil {
		return shard.Position{}, fmt.Errorf("read the position of %s: %w", b.Shard, err)
	}
	return at, nil
}

// Move is the last thing a transaction of the user's own does before its commit:
// it moves the position. Everything at or before it must be done.
func (s *Store) Move(ctx context.Context, tx *sql.Tx, application string, b *batching.Batch, to shard.Position) error {
	at, _, err := s.read(ctx, tx, keyOf(application, b))
	if err != nil {
		return fmt.Errorf("read the position of %s: %w", b.Shard, err)
	}
	if !to.IsRecord() {
		return fmt.Errorf("move the position of %s to %s: %w", b.Shard, to, errNoRecord)
	}
	if to.Compare(at) <= 0 {
		return nil // an earlier transaction came further, and its answer was lost
	}
	fence := b.Fence()
	moved, err := s.exec(ctx, tx, `UPDATE `+s.table+` SET sequence = ?, sub = ?`+whose+` AND fence_stream = ? AND fence_counter = ?`,
		append(append([]any{to.Sequence, to.Sub}, keyOf(application, b)...), fence.Stream, fence.Counter)...)
	if err == nil && moved == 0 {
		err = checkpoint.ErrFenced
	}
	if err != nil {
		return fmt.Errorf("move the position of %s: %w", b.Shard, err)
	}
	return nil
}

var errNoRecord = errors.New("it names no record")

func keyOf(application string, b *batching.Batch) []any {
	return []any{application, b.Handler, b.Stream, b.Shard}
}

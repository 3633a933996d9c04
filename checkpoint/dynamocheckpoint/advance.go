package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// The limits of a transaction:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
const (
	maxItems = 100
	maxBytes = 4 << 20
	// rowBytes is what is counted for the lease row, which is far smaller.
	rowBytes = 16 << 10
)

// advance moves a position. What is to be written beside it is written in one
// transaction with it: the lease row first, then the states, then the effects.
func (t *Table) advance(ctx context.Context, w write, held shard.Lease, v values, p checkpoint.Progress) (shard.Lease, error) {
	if len(p.States) == 0 && len(p.Effects) == 0 {
		return t.change(ctx, w, held.Key, v)
	}
	effects, room, err := t.room(p)
	if err != nil {
		return shard.Lease{}, fmt.Errorf("%s %s: %w", w.name, held.Key, err)
	}
	states, refers, err := t.enclosed(ctx, held, p, room)
	if err != nil {
		return shard.Lease{}, fmt.Errorf("%s %s: %w", w.name, held.Key, err)
	}
	parts := append([]types.TransactWriteItem{updating(w, t.leases, "leaseKey", held.Key, v)}, states...)
	parts = append(parts, effects...)
	if err := t.transact(ctx, parts...); err != nil {
		return shard.Lease{}, t.notAdvanced(ctx, w, held, err, len(parts)-len(effects), len(effects))
	}
	now, err := t.settled(ctx, w.name, held.Key, held.Counter+1)
	t.replaced(ctx, held.Key, refers)
	return now, err
}

// room takes the effects out of progress and says how many bytes they leave for
// the states. What one transaction cannot hold is refused here, before anything
// is sent.
func (t *Table) room(p checkpoint.Progress) ([]types.TransactWriteItem, int, error) {
	if n := 1 + len(p.States) + len(p.Effects); n > maxItems {
		return nil, 0, fmt.Errorf("%w: %d effects, %d states and the lease row are %d items, and a transaction has at most %d",
			checkpoint.ErrEffect, len(p.Effects), len(p.States), n, maxItems)
	}
	var effects []types.TransactWriteItem
	bytes := rowBytes
	for i, attached := range p.Effects {
		e, ok := attached.(Effect)
		if !ok {
			return nil, 0, fmt.Errorf("%w: effect %d is a %T and was not made by dynamocheckpoint.Tx", checkpoint.ErrEffect, i, attached)
		}
		effects = append(effects, e.item)
		bytes += e.size
	}
	if bytes > maxBytes {
		return nil, 0, fmt.Errorf("%w: the effects have %d bytes, and a transaction has at most %d", checkpoint.ErrEffect, bytes-rowBytes, maxBytes-rowBytes)
	}
	return effects, maxBytes - bytes - rowBytes*len(p.States), nil
}

// notAdvanced is the error of a transaction that failed: a *Conflict if the lease
// row refused it, whatever else did; an *EffectError if only an effect did.
// Anything that is not a refusal leaves it open whether it was applied, but a
// request that the service does not take at all.
func (t *Table) notAdvanced(ctx context.Context, w write, held shard.Lease, err error, first, effects int) error {
	if row, refused := refusals(err)[0]; refused {
		return t.conflict(ctx, w.name, held.Key, row)
	}
	failed := t.failed(w.name, held.Key, t.leases, err)
	if effects == 0 {
		return failed
	}
	if i, why := refusedEffect(err, first); why != nil {
		return fmt.Errorf("%s %s: %w", w.name, held.Key, &checkpoint.EffectError{Index: i, Err: why})
	}
	if isNeverApplied(err) {
		return fmt.Errorf("%s %s: %w: %w", w.name, held.Key, checkpoint.ErrEffect, err)
	}
	return failed
}

// refusedEffect is the first effect, counted from 0, that cancelled a
// transaction for what it is, and not because of another transaction or the
// service's capacity.
func refusedEffect(err error, first int) (int, error) {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return 0, nil
	}
	for i, reason := range cancelled.CancellationReasons {
		if i < first || reason.Code == nil {
			continue
		}
		switch *reason.Code {
		case "ConditionalCheckFailed", "ValidationError", "ItemCollectionSizeLimitExceeded":
			message := ""
			if reason.Message != nil {
				message = ": " + *reason.Message
			}
			return i - first, fmt.Errorf("%s%s", *reason.Code, message)
		}
	}
	return 0, nil
}

// isNeverApplied recognises the answers to a request that the service does not
// take: two effects on one item, an expression that it cannot read, a table that
// is not there, a permission that is missing.
func isNeverApplied(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ValidationException", "ResourceNotFoundException", "AccessDeniedException", "IdempotentParameterMismatchException":
		return true
	}
	return false
}

// Package once keeps a repeat from repeating its effect: a record that is handed
// over again, or an event that its producer sent twice, is applied once.
//
// # Model
//
// Every effect has an id: the record's own, or what the user's function reads
// from it. A [Store] keeps an entry for each id. Before the effect the handler
// begins it, which claims the entry; afterwards it completes it. An id that is
// complete is skipped.
//
//	absent ── Begin ──► in progress ── Complete ──► done ── Keep is over ──► absent
//	                      │    ▲
//	                      └────┘ Begin by the same tenure again, by a later one of
//	                             the shard, or by anybody after Lease
//
// An entry in progress carries the fence of the tenure that began it. A later
// tenure of the same shard takes it over at once, since whoever held the shard
// before can not complete it any more; an earlier one is refused, because it is
// a zombie. Another shard waits until the claim runs out: the same event may be
// on its way there.
//
// # What is promised, and what is not
//
// Effects that are given to [Effect.Attach] are written in one transaction with
// the completion, and so are applied exactly once, whatever fails. An effect
// elsewhere (an e-mail, a payment) and the completion are two steps, and a
// process can die between them. The next attempt is then told so
// ([Effect.Maybe]), and can ask the other side, or repeat the call with
// [Effect.Token], which is the same for every attempt, where that side knows
// idempotency tokens.
//
// An entry is kept for Options.Keep. What is repeated later than that is applied
// again, so it must be longer than the stream's retention.
package once

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
)

// Store keeps which effects have happened. A driver implements it, such as
// dynamoonce.Open.
type Store interface {
	// Begin claims an id for an attempt. It returns what is known of it, or
	// ErrFenced, ErrOtherPayload or an *InProgressError.
	Begin(ctx context.Context, c Claim) (State, error)
	// Complete says that the effect has happened, and writes the effects that
	// were attached in the same transaction. It is ErrFenced if the claim is not
	// this tenure's any more, and then nothing was written; an effect that is
	// refused by its own condition is a *checkpoint.EffectError. Complete of
	// what this attempt has completed already is no error.
	Complete(ctx context.Context, c Claim, effects []any) error
	// String names the store, such as its table.
	String() string
}

// State is what is known of an id.
type State int

const (
	// New: nobody has begun it before.
	New State = iota
	// Maybe: an attempt was begun and did not say how it ended.
	Maybe
	// Done: it has happened.
	Done
)

// String is a word.
func (s State) String() string {
	switch s {
	case New:
		return "new"
	case Maybe:
		return "maybe"
	case Done:
		return "done"
	}
	return "unknown"
}

// Claim is one attempt at an effect.
type Claim struct {
	// ID names the effect.
	ID string
	// Attempt is different for every attempt, so that a repeat of the same
	// request is told from another attempt.
	Attempt string
	// Shard is the shard whose tenure claims it: stream ARN and shard id. Fence
	// is the tenure's token, which orders the tenures of this shard alone.
	Shard string
	Fence batching.Fence
	// Payload is a hash of what the effect is made of; empty is none. An entry
	// of another payload is ErrOtherPayload.
	Payload string
	// Now is the time of the attempt, Until when its claim runs out, and Expires
	// when the entry may be forgotten.
	Now, Until, Expires time.Time
}

var (
	// ErrFenced: a later tenure of the shard has the effect.
	ErrFenced = errors.New("a later tenure of the shard has this effect")
	// ErrOtherPayload: the id was used for something else.
	ErrOtherPayload = errors.New("the id belongs to another payload")
)

// InProgressError says that an effect is being applied elsewhere.
type InProgressError struct {
	// Until is when that claim runs out.
	Until time.Time
}

// Error says until when.
func (e *InProgressError) Error() string {
	return fmt.Sprintf("the effect is in progress elsewhere until %s", e.Until.UTC().Format(time.RFC3339))
}

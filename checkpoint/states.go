package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/towpath/towpath/shard"
)

// States is a Leases that keeps state beside a lease, written in one transaction
// with the position: see Progress.States. Handlers with windows need one.
type States interface {
	// PrepareStates checks that the state table is there, and creates it if the
	// driver was asked to create tables.
	PrepareStates(ctx context.Context) error
	// State reads what was written for a handler with the position at which row
	// stands, strongly consistent. It is nil if nothing was, and empty and not
	// nil if what was written is empty. What was written with another position
	// is not given out: somebody has moved the position since, or it was saved
	// without the state. Of a row that is at its end it is what was last
	// written.
	State(ctx context.Context, row shard.Lease, handler string) ([]byte, error)
	// DropStates deletes what stands beside a lease whose row is gone.
	DropStates(ctx context.Context, key string) error
}

// StateOf tells whether state that was written for a handler with position at,
// when the position had been moved by hand seekGen times, is the state of a row:
// it is if the handler goes on from there. State from before the last such move
// is nobody's, even where the position is the same again: AT_TIMESTAMP is the same
// word for every time, and a shard may come to its end without a new state.
func StateOf(row shard.Lease, handler string, at shard.Position, seekGen int64) bool {
	if row.SeekGen != seekGen {
		return false
	}
	if row.Finished() {
		return true // the end is written without a state, behind the last one
	}
	now, marked := row.Marks[handler]
	if !marked {
		now = row.Checkpoint
	}
	return now.Compare(at) == 0
}

// At is the position that a state of a handler is written with.
func (p Progress) At(handler string) shard.Position {
	if at, marked := p.Marks[handler]; marked {
		return at
	}
	return p.Position
}

// Controls is a Leases in which an operator can steer the whole fleet.
type Controls interface {
	// Control reads what the fleet is told, strongly consistent. Where nobody
	// has said anything it is the zero Control.
	Control(ctx context.Context) (shard.Control, error)
	// SetControl writes next, with the generation behind seen's, if seen is
	// still what stands there; a *Conflict otherwise. It returns what now
	// stands.
	SetControl(ctx context.Context, seen, next shard.Control) (shard.Control, error)
	// SessionsNow reads all sessions as Sessions does, but strongly consistent:
	// one that is not in it had ended, or not begun, when it was called. Shares
	// are apportioned by it.
	SessionsNow(ctx context.Context) ([]shard.Session, error)
}

// EffectError says that one of a save's effects was refused by its own
// condition, or by what it was to change. Nothing was written, the position
// included.
type EffectError struct {
	// Index is the effect's place in Progress.Effects.
	Index int
	// Err is the refusal.
	Err error
}

// Error says which effect was refused and why.
func (e *EffectError) Error() string { return fmt.Sprintf("effect %d was refused: %v", e.Index, e.Err) }

// Unwrap is the refusal.
func (e *EffectError) Unwrap() error { return e.Err }

// ErrEffect says that effects can not be written with the checkpoint: one is not
// of this driver's making, there are too many, or the service refuses the
// request itself. Nothing was written.
var ErrEffect = errors.New("effect can not be written with the checkpoint")

// Positions is where a user keeps positions beside the effects they belong to,
// such as in an SQL database, so that both are written in one transaction of
// the user's. What it says of a shard is believed before the lease row.
type Positions interface {
	// Claim makes the fence the shard's own and reads the position, in one
	// transaction. Found is false if it has none. A fence above this one that
	// stands there already is ErrFenced: this worker is a zombie.
	Claim(ctx context.Context, c Claim) (p shard.Position, found bool, err error)
}

// Claim is what a Positions is told of a shard that begins.
type Claim struct {
	// Application is the consumer's name, Handler the handler's where it has
	// several.
	Application, Handler string
	// Stream is the ARN of the stream and Shard the id of the shard.
	Stream, Shard string
	// Fence are the two numbers of the tenure's token; a later tenure's is
	// greater, the first number before the second.
	Fence [2]int64
	// Row is the position in the lease row and SeekGen how often it was moved
	// by hand, and grows. A store keeps SeekGen beside its position: where the
	// claim's is greater, its own position is one from before the move, and it
	// goes by Row, which may be a word; where it is the same, its own is the
	// later one.
	Row     shard.Position
	SeekGen int64
}

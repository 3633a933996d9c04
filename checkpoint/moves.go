package checkpoint

import (
	"context"
	"errors"

	"github.com/towpath/towpath/shard"
)

// Moves is a Leases whose positions can be moved by hand. Nothing that was under
// way for the old position can be written afterwards: the row's counter and its
// SeekGen have moved, and its holder begins anew (Restart).
//
// What the row says beside the position does not belong to the new one, and is
// taken away: the marks of several handlers, so that all begin there; a suspect;
// a two-phase checkpoint of KCL; how far all had been read. States belong to
// their SeekGen (StateOf), and parked records stay what they are: work that is
// still to be done.
type Moves interface {
	Controls
	// Seek moves the position of one row, whoever holds it, if the counter is as
	// seen, no hand-over is asked for, and the shard is not at its end; a
	// *Conflict otherwise. The row that now stands is returned.
	Seek(ctx context.Context, seen shard.Lease, to shard.Position) (shard.Lease, error)
	// Rewrite moves many rows at once and frees them, as part of the move with
	// that id, which must stand in the control row (else ErrMoveOver), and of the
	// maintenance run that began last (else ErrEpochOver). Rows are written some
	// at a time, all of those or none; a failure leaves what came before it
	// written. A row that is not as seen is a *Conflict.
	Rewrite(ctx context.Context, epoch int64, move string, rows []Rewrite) error
}

// Rewrite is one row of a move.
type Rewrite struct {
	// Row is the row as it was seen: its counter, owner and checkpoint owner have
	// to be so still. With Create there must be none, and Row is what it is to
	// be; its counter and SeekGen begin above every one that a row of this key
	// can have had.
	Row    shard.Lease
	Create bool
	// To is where it is to stand, with Arrived, ReadUpTo and Marks if they are
	// known. It has neither suspect, States nor Effects.
	To Progress
}

// ErrMoveOver says that the move which a write was part of does not stand any
// more: somebody else went on with it, or gave it up.
var ErrMoveOver = errors.New("the move of the positions is over, or somebody else's")

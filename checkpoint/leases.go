package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/shard"
)

// Leases is the table in which a fleet agrees on who works which shard, and how
// far. A driver implements it; users get one from dynamocheckpoint.Open and
// give it to consumer.Config.
//
// It is three groups of conditional writes. None decides anything: each names
// in its condition what its caller has seen, and is refused with a *Conflict if
// that is no longer so. An error that is not a *Conflict leaves it open whether
// the write was applied; the caller reads the row again and asks Adopt.
type Leases interface {
	// Prepare checks, before anything else, that the tables are there and
	// belong to this stream, and creates them if the driver was asked to. The
	// error names the table or the permission that is missing. Tables of many
	// streams (the ARN is shard.ManyStreams) are for many, and no others are.
	Prepare(ctx context.Context, stream shard.Stream) error
	Sessions
	Rows
	Upkeep
}

// Sessions are the workers' signs of life.
type Sessions interface {
	// Register writes a new session, refused if the id exists.
	Register(ctx context.Context, s shard.Session) error
	// Heartbeat adds one to the beat and writes what the session carries
	// (Load, Plans, Looks, Leaving, ShareGen). It is an unconditional increment on a session
	// that exists and is not revoked, else ErrSessionOver; its answer carries
	// the inbox.
	Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error)
	// Session reads one session, strongly consistent; ErrNoSession if there is
	// none.
	Session(ctx context.Context, id string) (shard.Session, error)
	// Sessions reads them all; what it answers may be a little old.
	Sessions(ctx context.Context) ([]shard.Session, error)
	// Revoke ends a session whose beat is still seen.Beat; a *Conflict
	// otherwise.
	Revoke(ctx context.Context, seen shard.Session, by string) error
	// Leave deletes the worker's own session, after its leases are gone. One with
	// hints in its inbox stays and is ErrUnread: somebody may have given the worker
	// a lease that it does not know of. So whoever gives one and tells of it learns
	// by ErrSessionOver that nobody is there any more, or is read.
	Leave(ctx context.Context, id string) error
	// Tell puts a hint into a live session's inbox. A session that is gone or
	// revoked is ErrSessionOver; no session is created by it.
	Tell(ctx context.Context, id string, h shard.Hint) error
	// Forget takes hints out of the inbox.
	Forget(ctx context.Context, id string, hints []shard.Hint) error
}

// Rows are the leases. Held is the row as the caller last saw it and me the
// worker that writes; the row that now stands is returned.
type Rows interface {
	// List reads every row, strongly consistent, rows that cannot be believed
	// among them (Lease.Fault).
	List(ctx context.Context) ([]shard.Lease, error)
	// Owned lists the keys of the rows that name the worker as owner, and not
	// those that it holds as checkpoint owner: an owner finds by what is missing
	// that it is to hand over. It is a hint and may be a little old.
	Owned(ctx context.Context, worker string) ([]string, error)
	// Get reads one row, strongly consistent; ErrNoLease if there is none.
	Get(ctx context.Context, key string) (shard.Lease, error)
	// Take makes me the owner and ends a hand-over, if counter, owner and
	// checkpoint owner are as seen. Absent, unless empty, is an owner that is
	// believed dead because it has no session: the take holds only if it still
	// has none.
	Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error)
	// Save moves the checkpoint, if counter and checkpoint are as held and me
	// may write.
	Save(ctx context.Context, held shard.Lease, me string, p Progress) (shard.Lease, error)
	// Ask asks the owner to hand over to another worker, if it is still the
	// owner and nobody asked before. The counter stays.
	Ask(ctx context.Context, seen shard.Lease, to string) (shard.Lease, error)
	// Withdraw takes an Ask back, if counter, owner and checkpoint owner are as
	// seen. The counter stays.
	Withdraw(ctx context.Context, seen shard.Lease) (shard.Lease, error)
	// Refuse is the holder's own way to end a hand-over: it keeps the lease.
	Refuse(ctx context.Context, held shard.Lease, me string) (shard.Lease, error)
	// Finish ends a hand-over: checkpoint and transfer in one write.
	Finish(ctx context.Context, held shard.Lease, me string, p Progress) (shard.Lease, error)
	// Release saves and lets go, to another worker or, with to empty, to
	// whoever takes it.
	Release(ctx context.Context, held shard.Lease, me string, p Progress, to string) (shard.Lease, error)
	// End marks a shard as done to its end and makes its children's rows at
	// TRIM_HORIZON, where they do not exist yet, in one transaction. With lost
	// set the rest of the shard was trimmed unread.
	End(ctx context.Context, held shard.Lease, me string, children []shard.Shard, lost bool) (shard.Lease, error)
	// PutBack writes a row that was deleted under its owner, at the owner's own
	// position, if there is none and the owner's session lives. Its counter
	// starts above every counter the lost row can have had.
	PutBack(ctx context.Context, lost shard.Lease, me string) (shard.Lease, error)
}

// Upkeep is the maintenance run: rows for shards that have none, and an end to
// rows that are done. Only the run that began last can write.
type Upkeep interface {
	// Begin starts a run and returns its epoch.
	Begin(ctx context.Context) (epoch int64, err error)
	// Create writes new rows, each refused if it exists. A run that is not the
	// last to begin is ErrEpochOver. Rows that exist already are no error.
	Create(ctx context.Context, epoch int64, rows []shard.Lease) error
	// Delete removes a finished row, if it is as seen.
	Delete(ctx context.Context, epoch int64, seen shard.Lease) error
	// Drop removes a row whatever its position, if counter, owner and checkpoint
	// owner are as seen: the stream of the shard is not read any more.
	Drop(ctx context.Context, epoch int64, seen shard.Lease) error
	// Bury deletes a session that was revoked, if no lease names it any more.
	Bury(ctx context.Context, dead shard.Session) error
}

// Progress is what a save writes.
type Progress struct {
	// Position is the last finished record, or the word the shard started from.
	Position shard.Position
	// Arrived is when that record arrived at the service; zero if not known.
	Arrived time.Time
	// ReadUpTo is the service's time at which everything had been read and
	// finished; zero leaves the row's own.
	ReadUpTo time.Time
	// Suspect and SuspectCrashes mark the record that is about to be handled
	// alone; the zero Position clears the mark.
	Suspect        shard.Position
	SuspectCrashes int
	// SuspectHandler is the handler that is about to, where there are several.
	SuspectHandler string
	// Load is the shard's, as Lease.Load; 0 leaves the row's own.
	Load float64
	// Marks are the positions of the handlers, by name, where several share one
	// reading of the shard; nil where there is one. Position is then the lowest
	// of them. The row's own marks are replaced.
	Marks map[string]shard.Position
	// States are written into the state table in the same transaction, by the
	// names of the handlers; a consumer with one handler has the name "". An
	// empty one is written as such, and a handler that is not named keeps what
	// it has. Only a States takes them.
	States map[string][]byte
	// Effects are the user's own writes, applied in the same transaction, as
	// the driver made them (dynamocheckpoint.Tx). One that is refused is an
	// *EffectError, and then nothing was written. Where the row is not as it was
	// held, that comes first: the write is refused with a *Conflict.
	Effects []any
}

// Conflict is the refusal of a conditional write: the row is not as its writer
// believed.
type Conflict struct {
	// Write is the name of the write that was refused, such as save.
	Write string
	// Key is the row's key.
	Key string
	// Exists tells whether there is a row, and Row is what stands there.
	Exists bool
	Row    shard.Lease
}

// Error says which write was refused and what stands there.
func (c *Conflict) Error() string {
	switch {
	case !c.Exists:
		return fmt.Sprintf("%s %s: refused, there is no such row", c.Write, c.Key)
	case c.Row.Key == "": // a session's
		return fmt.Sprintf("%s %s: refused, the row is not as it was seen", c.Write, c.Key)
	}
	return fmt.Sprintf("%s %s: refused, the row is now %s", c.Write, c.Key, c.Row)
}

// Is makes errors.Is(err, ErrFenced) true for every Conflict.
func (c *Conflict) Is(target error) bool { return target == ErrFenced }

var (
	// ErrFenced is what every refused conditional write is.
	ErrFenced = errors.New("refused: the row is not as it was seen")
	// ErrNoLease says that a row does not exist.
	ErrNoLease = errors.New("no such lease")
	// ErrNoSession says that a session does not exist.
	ErrNoSession = errors.New("no such session")
	// ErrSessionOver says that a session was revoked or is gone.
	ErrSessionOver = errors.New("the worker's session is over")
	// ErrUnread says that a session has hints in its inbox.
	ErrUnread = errors.New("the session's inbox is not empty")
	// ErrEpochOver says that another maintenance run has begun since.
	ErrEpochOver = errors.New("another maintenance run has begun")
	// ErrNoTable says that a table does not exist and was not to be created.
	ErrNoTable = errors.New("no such table")
	// ErrDenied says that a permission is missing; the error names it. It may pass:
	// what is granted takes seconds to be seen everywhere.
	ErrDenied = errors.New("permission denied")
	// ErrOtherStream says that the table belongs to another stream.
	ErrOtherStream = errors.New("the table belongs to another stream")
	// ErrRecreated says that the stream was deleted and created again, so that
	// the positions in the table mean nothing.
	ErrRecreated = errors.New("the stream was deleted and created again")
)

package checkpoint

import "github.com/towpath/towpath/shard"

// Verdict is what a row means to a worker whose write was refused, or whose
// answer was lost.
type Verdict int

const (
	// Lost: somebody else holds the lease. Cancel, drop what is in flight,
	// forget.
	Lost Verdict = iota
	// Adopted: the row is mine, and my own earlier write explains it. Take over
	// its counter and checkpoint, and go on.
	Adopted
	// Restart: the row is mine, but I lost it and got it back, or somebody
	// moved the position. Drop what is in flight and begin at its checkpoint
	// with a new fencing token.
	Restart
)

// String is the verdict in a word.
func (v Verdict) String() string { return [...]string{"lost", "adopted", "restart"}[v] }

// Adopt judges the row that now stands against the one the worker held when it
// sent its last write.
//
// Only one write is outstanding for a lease at a time, so a row whose counter
// is the held one or the next, with the same seek generation and me as holder,
// can only be the state before or after my own write. Anything further away
// means that the lease went elsewhere and came back. (Adopting whenever the
// owner is me jumps over records; a model checker found the trace.)
//
// A row that cannot be believed names a holder, and no position to go on from: it
// is lost to everybody until somebody has put it right.
func Adopt(held, now shard.Lease, me string) Verdict {
	switch {
	case now.Holder() != me || now.Fault != nil:
		return Lost // a row that cannot be believed is nobody's
	case now.SeekGen == held.SeekGen && (now.Counter == held.Counter || now.Counter == held.Counter+1):
		return Adopted
	}
	return Restart
}

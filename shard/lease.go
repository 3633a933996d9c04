package shard

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Lease is one row of the lease table: who works a shard, and how far it is.
type Lease struct {
	// Key is the row's key: the shard id, or KCL's account:stream:epoch:shard
	// in a table of many streams.
	Key string
	// Shard is the id under which the source knows the shard: of many streams
	// all of the key, see StreamKey. So are Parents and Children; where KCL
	// writes them shorter, a driver translates.
	Shard string
	// Owner is the worker that holds the lease, or, while CheckpointOwner is
	// set, the one that will; empty is free.
	Owner string
	// CheckpointOwner is set while a hand-over is asked for: the worker that
	// holds the lease still, and alone may write.
	CheckpointOwner string
	// Counter grows with every effective write but the asking for a hand-over.
	// Its value at an acquisition is the fencing token of that tenure.
	Counter int64
	// Checkpoint is the last finished record.
	Checkpoint Position
	// Marks are the positions of the handlers, by name, where several share one
	// reading of the shard; nil where there is one. Checkpoint is the lowest.
	Marks map[string]Position
	// Load is what the shard brings, in KiB a second, averaged over a minute or so,
	// as its worker measured it when it last saved; 0 if not known. KCL's
	// throughputKBps.
	Load float64
	// OwnerSwitches counts acquisitions since the last checkpoint.
	OwnerSwitches int64
	// Parents and Children are the shards around it, as far as known.
	Parents, Children []string
	// Hashes is the shard's range.
	Hashes HashRange
	// SeekGen grows when somebody moves the position by hand. Within one
	// generation the position only goes forward.
	SeekGen int64
	// StreamCreated tells which incarnation of the stream the position belongs
	// to; zero if the row does not say.
	StreamCreated time.Time
	// LastArrival is when the checkpointed record arrived at the service.
	LastArrival time.Time
	// ReadUpTo is the service's time at which everything had been read and
	// finished.
	ReadUpTo time.Time
	// CreatedFrom says why the row exists: initial, child, or repair if it was
	// missing and may have stood before.
	CreatedFrom string
	// Lost is set on a finished row whose shard was trimmed before its end was
	// read.
	Lost bool
	// Suspect is the record that was being handled alone, and SuspectCrashes
	// how many processes have died on it. The zero Position is none.
	Suspect        Position
	SuspectCrashes int
	// SuspectHandler is the handler that it was handled by, where there are
	// several.
	SuspectHandler string
	// Fault says why the row cannot be believed, if it cannot. Such a row is
	// left alone, and never read as a default position.
	Fault error
}

// Holder is the worker that alone may write the row now: the checkpoint owner
// during a hand-over, else the owner. Empty if the lease is free.
func (l Lease) Holder() string {
	if l.CheckpointOwner != "" {
		return l.CheckpointOwner
	}
	return l.Owner
}

// Finished reports whether the shard is done to its end.
func (l Lease) Finished() bool { return l.Checkpoint.IsEnd() }

// String shows the row on one line.
func (l Lease) String() string {
	owner := l.Owner
	if owner == "" {
		owner = "free"
	}
	if l.CheckpointOwner != "" {
		owner = l.CheckpointOwner + "→" + owner
	}
	return fmt.Sprintf("%s %s #%d at %s", l.Key, owner, l.Counter, l.Checkpoint)
}

// Session is one worker's sign of life. One row a worker, written by its
// heartbeat, revoked by a peer that saw no beat for the lease duration.
type Session struct {
	// ID is the worker's id, new at every start of a process.
	ID string
	// Beat is the heartbeat counter.
	Beat int64
	// RevokedBy is the worker that declared this one dead; empty while it
	// lives. A revoked session never comes back.
	RevokedBy string
	// Leaving is set by a worker that is stopping: nothing is given to it.
	Leaving bool
	// Plans is the counter of planning rounds the worker has finished, so
	// that a planner that beats but does not plan is seen.
	Plans int64
	// Looks counts how often the worker has found every lease that it works in the
	// table. A row that is missing is not made anew while a worker lives that may be
	// working its shard without having looked since.
	Looks int64
	// Load is what the worker carries: how many shards it works.
	Load float64
	// MaxLeases is how many leases the worker takes at most; 0 is no limit.
	MaxLeases int
	// Version is the version of the protocol it speaks.
	Version int
	// ShareGen is the generation of the Control that this worker keeps to: it has
	// no more calls running than its share of the fleet's concurrency and, where
	// the Control has a Move, works no shard and takes none.
	ShareGen int64
	// Inbox holds hints from peers. A hint only means: look.
	Inbox []Hint
}

// Alive reports whether nobody has revoked the session.
func (s Session) Alive() bool { return s.RevokedBy == "" }

// Hint tells a worker to look at a lease now rather than at its next round.
// Nothing hangs on a hint: a lost one costs time, a late one costs a read.
type Hint struct {
	// Kind says what to expect there.
	Kind HintKind
	// Key is the lease's key.
	Key string
	// Counter is the lease's counter when the hint was given.
	Counter int64
}

// HintKind is what a hint expects its reader to find.
type HintKind string

const (
	// HintDrain says that a hand-over was asked of the reader.
	HintDrain HintKind = "drain"
	// HintStart says that the lease is the reader's now.
	HintStart HintKind = "start"
	// HintFree says that the lease is free for the taking.
	HintFree HintKind = "free"
	// HintSeek says that somebody has moved the position of a lease that the
	// reader holds.
	HintSeek HintKind = "seek"
)

// String is the form in which a hint stands in an inbox: kind, counter and key,
// with spaces between. The key comes last because it may hold anything.
func (h Hint) String() string { return fmt.Sprintf("%s %d %s", h.Kind, h.Counter, h.Key) }

// ParseHint reads what String wrote.
func ParseHint(s string) (Hint, error) {
	kind, rest, _ := strings.Cut(s, " ")
	number, key, ok := strings.Cut(rest, " ")
	counter, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok || key == "" {
		return Hint{}, fmt.Errorf("hint %q is not of the form kind counter key", s)
	}
	return Hint{Kind: HintKind(kind), Key: key, Counter: counter}, nil
}

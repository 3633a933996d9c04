package overview

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// Fleet is one picture of an application.
type Fleet struct {
	// At is when the picture was taken, by the service's clock where the source
	// was asked, else by the host's.
	At time.Time `json:"at"`
	// Stream is what is read; zero if no source was asked.
	Stream Stream `json:"stream"`
	// Kind says whose workers there are.
	Kind Kind `json:"kind"`
	// Totals are sums over the shards and the workers.
	Totals Totals `json:"totals"`
	// Shards are all that are listed or have a row, parents before children.
	Shards []Shard `json:"shards"`
	// Workers are all that have a session or are named by a row, by id.
	Workers []Worker `json:"workers"`
	// Control is what the fleet is told.
	Control Control `json:"control"`
	// Problems are what is wrong, the gravest first; none is what there should be.
	Problems []Problem `json:"problems"`

	// memory is what the next picture is compared with.
	memory memory
}

// Stream is what is read.
type Stream struct {
	// ARN names the stream; Name is its short name. Both are empty if no source
	// was asked.
	ARN  string `json:"arn,omitempty"`
	Name string `json:"name,omitempty"`
	// CreatedAt tells it from others of its name.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Retention is how long the service keeps a record.
	Retention Seconds `json:"retention_seconds,omitempty"`
}

// Kind says whose workers there are.
type Kind string

const (
	// KindTowpath is a fleet of this library.
	KindTowpath Kind = "towpath"
	// KindKCL is a fleet of the Kinesis Client Library, or another one that keeps
	// its table.
	KindKCL Kind = "kcl"
	// KindMixed has workers of both.
	KindMixed Kind = "mixed"
	// KindNone has no worker.
	KindNone Kind = "none"
)

// Totals are sums over a Fleet.
type Totals struct {
	// Shards is how many are shown, Open how many take records still.
	Shards int `json:"shards"`
	Open   int `json:"open"`
	// By is how many shards are in each State; states without any are left out.
	By map[State]int `json:"by_state"`
	// Workers is how many are not known to be dead.
	Workers int `json:"workers"`
	// Behind is the largest of the shards; Unknown is of how many nothing is known.
	Behind  Seconds `json:"behind_at_most_seconds"`
	Unknown int     `json:"behind_unknown"`
	// Load is the sum of the shards', in KiB a second.
	Load float64 `json:"load_kib_s"`
	// Problems is how many there are.
	Problems int `json:"problems"`
}

// Control is what a whole fleet is told.
type Control struct {
	// Known tells whether the row could be read: the tables of KCL have none.
	Known bool `json:"known"`
	// Generation grows with every write.
	Generation int64 `json:"generation,omitempty"`
	// Limited tells whether the calls that run at once are limited, Limit to how
	// many: 0 stops every handler, and means nothing if they are not. Kept tells
	// whether the whole fleet is known to keep to it.
	Limited bool `json:"limited"`
	Limit   int  `json:"limit"`
	Kept    bool `json:"kept,omitempty"`
	// Shares are how many calls each worker may make, by its id.
	Shares map[string]int `json:"shares,omitempty"`
	// Pauses are what is held back.
	Pauses []Pause `json:"pauses,omitempty"`
	// Move is a move of all positions that is under way, in words; empty is none.
	Move string `json:"move,omitempty"`
}

// Pause is what is held back.
type Pause struct {
	// Shard is the id of the shard; empty is every shard.
	Shard string `json:"shard,omitempty"`
	// KeyHash is the SHA-256 of the key in hexadecimal; empty is every key.
	KeyHash string `json:"key_hash,omitempty"`
}

// Trouble is a kind of problem.
type Trouble string

// The kinds of problems, the gravest first.
const (
	// TroubleRecreated is a stream that was created after the rows were made: the
	// positions mean nothing in it.
	TroubleRecreated Trouble = "stream_recreated"
	// TroubleGone is an unfinished row whose shard is not listed any more: what it
	// had not read is lost.
	TroubleGone Trouble = "shard_gone"
	// TroubleLost is a finished row of which the rest was trimmed unread.
	TroubleLost Trouble = "records_lost"
	// TroubleHole is a part of the stream that no row leads to.
	TroubleHole Trouble = "hole"
	// TroubleFault is a row that cannot be believed, and is left alone.
	TroubleFault Trouble = "row_not_believed"
	// TroubleRetention is a shard that may be behind for nearly as long as records
	// are kept.
	TroubleRetention Trouble = "retention"
	// TroubleOrphan is a shard whose owner has no session, or one that is over.
	TroubleOrphan Trouble = "owner_gone"
	// TroubleSilent is a worker that gives no sign of life.
	TroubleSilent Trouble = "worker_silent"
	// TroubleSuspect is a record on which processes have died.
	TroubleSuspect Trouble = "suspect_record"
	// TroubleMove is a move of all positions, for which the fleet stands still.
	TroubleMove Trouble = "move_under_way"
	// TroubleUnread is a part of the picture that could not be read.
	TroubleUnread Trouble = "not_read"
)

// Problem is one thing that is wrong.
type Problem struct {
	// Kind says what for programs, and Says for people.
	Kind Trouble `json:"kind"`
	Says string  `json:"says"`
	// Shard and Worker are whose it is; empty if it is not of one.
	Shard  string `json:"shard,omitempty"`
	Worker string `json:"worker,omitempty"`
}

// memory is what one picture leaves to the next.
type memory struct {
	workers map[string]sighting // by id
	shards  map[string]sighting // by key or id
	gaps    bool                // the rows had gaps between the ranges of hashes
}

// sighting is what was seen of something that changes, and since when.
type sighting struct {
	sign    string
	first   time.Time // when it was first seen at all
	changed time.Time // when another sign was last seen; zero if never
}

// seen is the sighting when another look has found a sign at now.
func (s sighting) seen(sign string, now time.Time) sighting {
	switch {
	case s.first.IsZero():
		return sighting{sign: sign, first: now}
	case sign != s.sign:
		s.sign, s.changed = sign, now
	}
	return s
}

// still is for how long it has not changed, as far as that was seen.
func (s sighting) still(now time.Time) time.Duration {
	if s.changed.IsZero() {
		return now.Sub(s.first)
	}
	return now.Sub(s.changed)
}

// words are positions for people and for JSON: SEQUENCE, SEQUENCE/SUB, or a word of
// KCL's with the time that it means.
func words(p shard.Position) string { return p.String() }

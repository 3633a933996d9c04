package overview

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// State is what is the case with a shard.
type State string

// String is the state in words.
func (s State) String() string { return strings.ReplaceAll(string(s), "_", " ") }

// The states of a shard.
const (
	// StateHeld is a shard whose owner works it.
	StateHeld State = "held"
	// StateHandingOver is a shard whose owner was asked to give it to another one.
	StateHandingOver State = "handing_over"
	// StateFree is a shard that may be read and nobody holds.
	StateFree State = "free"
	// StateOrphaned is a shard whose owner has no session, or one that is over.
	StateOrphaned State = "orphaned"
	// StateWaiting is a shard that waits until its parents are read to their end.
	StateWaiting State = "waiting"
	// StateComing is a shard without a row, which gets one when its parents end.
	StateComing State = "to_come"
	// StatePassed is a shard without a row that lies behind the fleet.
	StatePassed State = "passed"
	// StateHole is a shard without a row to which no row leads.
	StateHole State = "hole"
	// StateGone is a shard that is not finished and not listed any more.
	StateGone State = "gone"
	// StateFault is a shard whose row cannot be believed.
	StateFault State = "fault"
	// StateEnded is a shard that is read to its end.
	StateEnded State = "ended"
)

// Shard is one shard, from its row and from the listing.
type Shard struct {
	// Key is the key of its row, and ID the id that the service gave it. Stream is
	// the name of its stream where there are many.
	Key    string `json:"key,omitempty"`
	ID     string `json:"shard"`
	Stream string `json:"stream,omitempty"`
	// State is what is the case with it.
	State State `json:"state"`
	// Listed tells whether the service lists it, and Open whether it takes records
	// still; both are false if no source was asked. Row tells whether it has a row.
	Listed bool `json:"listed"`
	Open   bool `json:"open"`
	Row    bool `json:"row"`
	// Parents and Children are the shards around it, as listed and as in the rows.
	// WaitsFor are the parents that are not finished, while it waits.
	Parents  []string `json:"parents,omitempty"`
	Children []string `json:"children,omitempty"`
	WaitsFor []string `json:"waits_for,omitempty"`
	// FirstHash and LastHash are the ends of its range of hashes, in decimal, and
	// Part is which part of all hashes that is, from 0 to 1. 0 if not known.
	FirstHash string  `json:"first_hash,omitempty"`
	LastHash  string  `json:"last_hash,omitempty"`
	Part      float64 `json:"part,omitempty"`
	// Owner works it, or will once it is handed over: From does until then.
	Owner string `json:"owner,omitempty"`
	From  string `json:"from,omitempty"`
	// Counter grows with every write of the row; at an acquisition it is the
	// fencing token.
	Counter int64 `json:"counter"`
	// Switches counts acquisitions since the position moved.
	Switches int64 `json:"switches,omitempty"`
	// Position is the last finished record, or a word of KCL's: as sequence,
	// sequence/index in its aggregate, or the word with the time it means. Marks are
	// those of the handlers where there are several.
	Position string            `json:"position,omitempty"`
	Marks    map[string]string `json:"marks,omitempty"`
	// LastArrival is when the last finished record arrived, and ReadUpTo when
	// everything had been read and finished, as the row says; zero if it does not.
	LastArrival time.Time `json:"last_arrival,omitzero"`
	ReadUpTo    time.Time `json:"read_up_to,omitzero"`
	// Behind is how far behind the shard is at most, by its row, if BehindKnown.
	Behind      Seconds `json:"behind_at_most_seconds"`
	BehindKnown bool    `json:"behind_known"`
	// Still is for how long its position has not been seen to change, over the
	// pictures since the first.
	Still Seconds `json:"still_seconds,omitempty"`
	// Load is what it brings in KiB a second, as its worker measured it; 0 if not
	// known.
	Load float64 `json:"load_kib_s,omitempty"`
	// Paused tells whether it is held back as a whole.
	Paused bool `json:"paused,omitempty"`
	// Suspect is the record that is being handled alone, Crashes how many processes
	// died on it, and SuspectHandler whose it is where there are several.
	Suspect        string `json:"suspect,omitempty"`
	Crashes        int    `json:"crashes,omitempty"`
	SuspectHandler string `json:"suspect_handler,omitempty"`
	// Lost tells that its rest was trimmed before it was read.
	Lost bool `json:"lost,omitempty"`
	// Moved is how often the position was moved by hand, and CreatedFrom why the
	// row was made: initial, child or repair.
	Moved       int64  `json:"moved,omitempty"`
	CreatedFrom string `json:"created_from,omitempty"`
	// Fault says why the row cannot be believed.
	Fault string `json:"fault,omitempty"`

	position shard.Position
	listing  shard.Shard
}

// At is where the row stands, and false if there is none that can be believed.
func (s Shard) At() (shard.Position, bool) { return s.position, s.Row && s.Fault == "" }

// Holder is the worker that may write the row now; empty if nobody.
func (s Shard) Holder() string {
	if s.From != "" {
		return s.From
	}
	return s.Owner
}

// Start is where a reader of the shard would go on.
func (s Shard) Start(stream shard.Stream) shard.Start {
	id := s.Key
	if id == "" {
		id = s.ID
	}
	return shard.Start{
		Stream: stream, Shard: id, Hashes: shard.HashRange{Start: s.FirstHash, End: s.LastHash},
		After: s.position, LastArrival: s.LastArrival, ReadUpTo: s.ReadUpTo,
	}
}

// shardOf is what the listing and the row say of one shard, but for its State.
func shardOf(id string, listed *shard.Shard, row *shard.Lease, now time.Time) Shard {
	key, plain, many := shard.SplitID(id)
	s := Shard{ID: plain}
	if many {
		s.Stream = key.Name
	}
	hashes := shard.HashRange{}
	if row != nil {
		s.Row, s.Key, hashes = true, row.Key, row.Hashes
		s.Parents, s.Children = plainIDs(row.Parents), plainIDs(row.Children)
		s.Owner, s.From, s.Counter, s.Switches = row.Owner, row.CheckpointOwner, row.Counter, row.OwnerSwitches
		if row.Fault != nil {
			s.Fault = row.Fault.Error()
		} else {
			s.position, s.Position = row.Checkpoint, words(row.Checkpoint)
			s.Behind, s.BehindKnown = behind(*row, now)
		}
		for name, p := range row.Marks {
			if s.Marks == nil {
				s.Marks = map[string]string{}
			}
			s.Marks[name] = words(p)
		}
		s.LastArrival, s.ReadUpTo, s.Load = row.LastArrival, row.ReadUpTo, row.Load
		if row.Suspect != (shard.Position{}) {
			s.Suspect, s.Crashes, s.SuspectHandler = words(row.Suspect), row.SuspectCrashes, row.SuspectHandler
		}
		s.Lost, s.Moved, s.CreatedFrom = row.Lost, row.SeekGen, row.CreatedFrom
	}
	if listed != nil {
		s.Listed, s.Open, s.listing = true, listed.Open(), *listed
		for _, parent := range plainIDs(listed.Parents) {
			if !slices.Contains(s.Parents, parent) {
				s.Parents = append(s.Parents, parent)
			}
		}
		if listed.Hashes != (shard.HashRange{}) {
			hashes = listed.Hashes
		}
	}
	s.FirstHash, s.LastHash, s.Part = hashes.Start, hashes.End, partOf(hashes)
	return s
}

// behind is how far a row can be behind at most, and whether that is known.
func behind(row shard.Lease, now time.Time) (Seconds, bool) {
	at := row.LastArrival
	if row.ReadUpTo.After(at) {
		at = row.ReadUpTo
	}
	if at.IsZero() && (row.Checkpoint.IsAtTime() || row.Checkpoint.IsLatest()) {
		at = row.Checkpoint.At
	}
	switch {
	case row.Checkpoint.IsEnd():
		return 0, true
	case at.IsZero():
		return 0, false
	}
	return Seconds(max(0, now.Sub(at))), true
}

// partOf is which part of all hashes a range takes; 0 if it cannot be read.
func partOf(h shard.HashRange) float64 {
	start, ok1 := new(big.Int).SetString(h.Start, 10)
	end, ok2 := new(big.Int).SetString(h.End, 10)
	if !ok1 || !ok2 || start.Cmp(end) > 0 {
		return 0
	}
	width := new(big.Int).Add(new(big.Int).Sub(end, start), big.NewInt(1))
	all := new(big.Int).Lsh(big.NewInt(1), 128)
	part, _ := new(big.Rat).SetFrac(width, all).Float64()
	return min(part, 1)
}

func plainIDs(ids []string) []string {
	plain := make([]string, 0, len(ids))
	for _, id := range ids {
		plain = append(plain, shard.PlainID(id))
	}
	return plain
}

package window

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/codec"
	"github.com/towpath/towpath/shard"
)

// Spec says what an Aggregate counts and when it gives the result out. T is what
// a record's payload is decoded into, S what is kept for a key and a window.
// Size or Gap, Add and Close are needed; the rest has defaults.
type Spec[T, S any] struct {
	// Size makes windows of one length that follow one another from 1970 on: a
	// millisecond to 365 days. Short ones are many calls of Close, long ones are
	// kept long.
	Size time.Duration
	// Gap makes sessions instead: a window lasts until no record of its key has
	// come for so long: a millisecond to 365 days. It needs Merge.
	Gap time.Duration

	// Key is what a record is counted under: default its partition key. With
	// another key the records of one key may lie in several shards, each of
	// which gives out a result of its own; it needs Merge.
	Key func(r *shard.Record, v T) string
	// EventTime is when what the record tells of has happened: default when it
	// arrived. The zero time, and one outside 1970 to 2200, rejects the record.
	EventTime func(r *shard.Record, v T) time.Time

	// OutOfOrderness is how much earlier than one that was already seen a
	// record's time may be: 0, the default, to 365 days. A window is given out
	// when a record so far behind its end has been seen. Too small makes
	// records late, too large makes results late.
	OutOfOrderness time.Duration
	// Lateness is how long a window is kept after it was given out: 0, the
	// default, to 365 days of event time. A record that comes within it is
	// added, and the window is given out again with a later Version.
	Lateness time.Duration
	// Idle is how far behind the service's time, beside OutOfOrderness, the
	// watermark follows where a shard has no more records: default 10 s, at most
	// 365 days. Without it the last windows before a silence would stay open.
	Idle time.Duration
	// Late says what becomes of a record whose window is forgotten: LateReject,
	// the default, or LateDrop.
	Late LatePolicy
	// OnDrop is told of each record that LateDrop drops; nil is nobody. Dropped
	// counts them.
	OnDrop func(ctx context.Context, r *shard.Record, watermark time.Time)

	// MaxStateBytes bounds what one shard keeps, keys and overhead included:
	// default 384,000, which fits one item of a DynamoDB table. More needs a
	// place for it, such as dynamocheckpoint.Options.Overflow, and is written
	// whole at every checkpoint. A record that would go beyond it fails with
	// ErrStateTooLarge and is tried again like every other.
	MaxStateBytes int
	// Codec decodes payloads: default codec.JSON. A record that it can not
	// decode is rejected.
	Codec codec.Codec
	// StateCodec encodes S: default codec.JSON. S is decoded before each Add and
	// encoded after it, so that one that fails leaves nothing behind;
	// MessagePack is smaller and faster.
	StateCodec codec.Codec

	// Add counts a record; s is the zero S for the first one of a window. An
	// error fails the batch from this record on, and s is as it was before.
	// Verbs work as they do in a handler.
	Add func(ctx context.Context, s *S, r *shard.Record, v T) error
	// Merge adds what from counted to into, the earlier of the two windows.
	Merge func(into *S, from S) error
	// Close gives a window out. What it emits is accepted before the state that
	// forgets it is written. After an error nothing is forgotten: the record
	// that let the window close fails, or the call is made again.
	Close func(ctx context.Context, c *Closed[S]) error
}

// LatePolicy is what becomes of a record whose window was given out and is
// forgotten.
type LatePolicy int

const (
	// LateReject rejects it with ErrLate, which sends it to OnFailure. Without
	// an OnFailure it fails, and holds the shard up.
	LateReject LatePolicy = iota
	// LateDrop drops it, tells OnDrop and counts it.
	LateDrop
)

var (
	// ErrLate is the error of a record whose window was given out and is
	// forgotten.
	ErrLate = errors.New("record is late: its window is forgotten")
	// ErrTime is the error of a record without a usable time.
	ErrTime = errors.New("record has no time between 1970 and 2200")
	// ErrStateTooLarge is the error of a record for whose state there is no room.
	ErrStateTooLarge = errors.New("window state is too large")
)

// Closed is a window that is given out.
type Closed[S any] struct {
	// Stream is the ARN of the stream, Shard the id of the shard, and Handler
	// the handler's name where a consumer has several.
	Stream, Shard, Handler string
	// Key is the records' key.
	Key string
	// Start and End are the window's bounds; End is not in it. A session ends
	// Gap after its last record.
	Start, End time.Time
	// State is what Add has made.
	State S
	// Version orders the results of one key and start.
	Version Version
	// Replaces are bounds under which results were given out before that this
	// one stands for: a late record made a session longer, or one of several.
	// The window's own bounds are not among them.
	Replaces []Bounds

	emitted []batching.Emitted
}

// Version orders the results of one key and start, whichever way they come: the
// greatest is right. A worker that was paused can send one on that is long out
// of date.
type Version struct {
	// Generation is how many reshards the window's shard has behind it.
	Generation int64
	// Token is the tenure's fencing token, as in a Batch.
	Token batching.Fence
	// Revision is 1 when the window is first given out, and one more each time
	// it is given out again because of a late record.
	Revision int
}

// Compare is -1, 0 or +1: negative if v is older than o.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Generation, o.Generation), v.Token.Compare(o.Token), cmp.Compare(v.Revision, o.Revision))
}

// Bounds are the bounds of a window; End is not in it.
type Bounds struct {
	// Start and End are its bounds.
	Start, End time.Time
}

// Emit sends a result on. Key is the window's if it is empty. ID, if it is
// empty, is made of the stream, the shard, the window's bounds, the revision,
// hashes of key and state, and the number of the result, so that a repeat has
// the same one.
func (c *Closed[S]) Emit(e batching.Emitted) { c.emitted = append(c.emitted, e) }

const (
	defaultIdle          = 10 * time.Second
	defaultMaxStateBytes = 384_000
)

func (s Spec[T, S]) withDefaults() Spec[T, S] {
	if s.Idle == 0 {
		s.Idle = defaultIdle
	}
	if s.MaxStateBytes == 0 {
		s.MaxStateBytes = defaultMaxStateBytes
	}
	if s.Codec == nil {
		s.Codec = codec.JSON
	}
	if s.StateCodec == nil {
		s.StateCodec = codec.JSON
	}
	return s
}

// validate reports every problem at once.
func (s Spec[T, S]) validate() error {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(s.Size == 0 && s.Gap == 0, "Size and Gap are 0: set Size for windows of one length, or Gap for sessions")
	add(s.Size != 0 && s.Gap != 0, "Size is %v and Gap %v: windows have one length, or they are sessions", s.Size, s.Gap)
	lasting := func(field string, v, low time.Duration) {
		add(v < low || v > longest, "%s is %v, want %v to %v", field, v, low, longest)
	}
	if s.Size != 0 {
		lasting("Size", s.Size, time.Millisecond)
	}
	if s.Gap != 0 {
		lasting("Gap", s.Gap, time.Millisecond)
		add(s.Merge == nil, "Merge is nil, but Gap is %v: sessions that grow together need it", s.Gap)
	}
	lasting("OutOfOrderness", s.OutOfOrderness, 0)
	lasting("Lateness", s.Lateness, 0)
	lasting("Idle", s.Idle, 0)
	add(s.Key != nil && s.Merge == nil, "Merge is nil, but Key is set: a merge of shards may bring two states of one key together")
	add(s.Late != LateReject && s.Late != LateDrop, "Late is %d, want LateReject or LateDrop", s.Late)
	add(s.OnDrop != nil && s.Late != LateDrop, "OnDrop is set, but Late is not LateDrop: nothing would be dropped")
	add(s.MaxStateBytes < 0, "MaxStateBytes is %d, want 1 or more", s.MaxStateBytes)
	add(s.Add == nil, "Add is nil: set it to what counts a record")
	add(s.Close == nil, "Close is nil: set it to what gives a window out")
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("window spec: %w", errors.Join(problems...))
}

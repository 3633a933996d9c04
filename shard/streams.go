package shard

import (
	"context"
	"slices"
	"time"
)

// ManyStreams is the ARN in the description of a source of many streams. A lease
// table is claimed with it by an application that reads many, so that one that
// reads a single stream is refused there, and the other way round.
const ManyStreams = "many streams"

// Streams is a Source of many streams. The ids of its shards are those of
// StreamKey.ID, so that no two streams share one, and so are the ids of parents,
// of children and in a Loss. Records keep the ARN of their own stream and the id
// that the service gave the shard.
//
// What befalls one stream does not touch the others: it is told by its Member's
// Err. All methods may be called at once.
type Streams interface {
	// Describe says that these are many streams, and asks for their list if
	// nobody has yet. List and Open are as of any Source.
	Source
	// Every is how often Ask wants to be called.
	Every() time.Duration
	// ForgetAfter is how long the rows of a stream that is not to be read any
	// more are kept; 0 is for ever.
	ForgetAfter() time.Duration
	// Ask finds out which streams are to be read now, and describes those that
	// are new. An error leaves the streams as they were.
	Ask(ctx context.Context) error
	// Look lists the shards of every stream. With verify set it describes each
	// before, so that one which was deleted or created again is found out. It
	// returns ctx's error and no other: see Member.Err.
	Look(ctx context.Context, verify bool) ([]Member, error)
	// Check describes the stream of one shard, of which the service says that it
	// does not exist, and reports whether it is to be read on.
	Check(ctx context.Context, shardID string) bool
	// Of is the stream of a shard; not ok if it is not to be read, or not any
	// more.
	Of(shardID string) (m Member, ok bool)
	// Members are the streams as they are known now, without asking anybody, and
	// without their listings.
	Members() []Member
}

// Member is one of many streams.
type Member struct {
	// Name is what the stream is called by whoever named it.
	Name string
	// Key is the incarnation that is read; zero as long as the stream could not
	// be described.
	Key StreamKey
	// Gone is set if the stream is known not to exist (any more): its shards are
	// not read. Err is ErrNoStream then.
	Gone bool
	// Stream is the description. Its Now is the time at which the stream was
	// first described, to which a start at the tip is pinned.
	Stream Stream
	// Source reads this stream alone, by the ids that it has among the many.
	Source Source
	// Start is where the stream begins if nothing of it has been read; Started
	// tells whether it is set.
	Start   Position
	Started bool
	// Anew lets the stream begin at Start if only rows of an earlier incarnation
	// are there; else it is not read then.
	Anew bool
	// Before is the listing from before Stream.Now.
	Before []Shard
	// Listed is the last listing that succeeded.
	Listed []Shard
	// Err is why the stream could not be described or listed when that was tried
	// last; nil if it could. Listed is then older than the question.
	Err error
}

// Described reports whether it is known which stream this is, and it exists.
func (m Member) Described() bool { return m.Key != (StreamKey{}) && !m.Gone }

// KeysOf are the streams that rows are of, each once.
func KeysOf(rows []Lease) []StreamKey {
	var keys []StreamKey
	seen := map[StreamKey]bool{}
	for _, row := range rows {
		if key, _, many := SplitID(row.Key); many && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// Predecessor is the earlier incarnation of a stream that there are rows of,
// where there are none of the stream itself: it was deleted and created again since
// anybody has read it. Not ok is that there is none.
func Predecessor(of StreamKey, there []StreamKey) (earlier StreamKey, ok bool) {
	for _, key := range there {
		switch {
		case key == of:
			return StreamKey{}, false
		case key.SameName(of) && (!ok || newer(key, earlier)):
			earlier, ok = key, true
		}
	}
	return earlier, ok
}

func newer(a, b StreamKey) bool {
	return a.Epoch > b.Epoch || a.Epoch == b.Epoch && a.Name > b.Name
}

// Forgettable are the streams that there are rows of and that are not among the
// members. As long as a member could not be described it may be any of them, and
// none is forgettable; nor are those by which it is known that a member was created
// again.
func Forgettable(members []Member, there []StreamKey) []StreamKey {
	kept := map[StreamKey]bool{}
	for _, m := range members {
		if m.Key == (StreamKey{}) {
			return nil
		}
		kept[m.Key] = true
		if _, replaced := Predecessor(m.Key, there); replaced {
			for _, key := range there {
				kept[key] = kept[key] || key.SameName(m.Key)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(there), func(key StreamKey) bool { return kept[key] })
}

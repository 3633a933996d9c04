package shard

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Stream is what a source says of itself.
type Stream struct {
	// ARN names the stream; Name is its short name.
	ARN, Name string
	// CreatedAt tells two streams of one name apart. To the second.
	CreatedAt time.Time
	// Retention is how long the service keeps a record.
	Retention time.Duration
	// Now is the service's own time when it answered. What is compared with a
	// service's timestamp is compared with this clock and not with the host's.
	Now time.Time
}

// Shard is one shard as the service lists it.
type Shard struct {
	// ID is the service's id of the shard.
	ID string
	// Parents are the shards it came from: none, one after a split, two after a
	// merge. A parent may be gone from the listing.
	Parents []string
	// Hashes is the range of partition-key hashes it takes; zero on DynamoDB
	// Streams.
	Hashes HashRange
	// FirstSequence is where it began; LastSequence where it was closed, empty
	// while it is open.
	FirstSequence, LastSequence string
}

// Open reports whether the shard still takes records.
func (s Shard) Open() bool { return s.LastSequence == "" }

// HashRange is a range of 128-bit hashes, both ends included, in decimal. The
// zero HashRange is none.
type HashRange struct{ Start, End string }

// Source is a stream that can be read shard by shard. A driver implements it;
// users get one from kinesisshards.Open and give it to consumer.Config.
//
// All methods may be called at once. None retries for longer than its context
// allows, and none keeps state between calls that a second Source would lack.
type Source interface {
	// Describe says which stream this is. A missing stream is ErrNoStream.
	Describe(ctx context.Context) (Stream, error)
	// List returns every shard that the service lists, open and closed, with
	// all pages read.
	List(ctx context.Context) ([]Shard, error)
	// Open begins to read a shard. It does no I/O that Next does not repeat: a
	// reader whose Next failed goes on from where it was.
	Open(start Start) Reader
}

// Start is where to begin to read a shard.
type Start struct {
	// Stream is what Describe answered.
	Stream Stream
	// Shard is the id of the shard.
	Shard string
	// Hashes is its range, by which a reader of aggregated records tells which of
	// them belong to it; zero if not known.
	Hashes HashRange
	// After is the last finished record, or a word. The first record delivered
	// is the one behind it.
	After Position
	// LastArrival is when the checkpointed record arrived, for the report of a
	// loss; zero if not known.
	LastArrival time.Time
	// ReadUpTo is the service's time at which everything had been read and
	// finished. A gap that begins after it is a loss; a shard that was idle for
	// longer than the retention has lost nothing.
	ReadUpTo time.Time
}

// Reader reads one shard in order. It is used by one goroutine at a time. One
// that keeps something open between two reads, such as a connection, is an
// io.Closer too: whoever opened it closes it, once, when it will not be used any
// more.
type Reader interface {
	// Ready waits until the next read is due: by the pace of polling, the
	// service's limits and the back-off after an error. It holds no records. It
	// returns ctx's error if ctx ends first.
	Ready(ctx context.Context) error
	// Next reads once. An error leaves the position where it was, so that the
	// next call reads the same records again; ErrNoShard and ErrNoStream are
	// final. A Chunk without records says nothing about the end of the shard;
	// only Ended does.
	Next(ctx context.Context) (Chunk, error)
	// MaxBytes bounds what one Next returns, in bytes as Record.Size counts
	// them. A reader that unpacks records may hold beside it what it has read and
	// not returned: the payloads of one answer of the service at most.
	MaxBytes() int64
}

// Chunk is what one read gave.
type Chunk struct {
	// Records in the order of the shard, each behind the last of the chunk
	// before.
	Records []Record
	// Behind is how far the end of this chunk is behind the tip of the shard,
	// in the service's words; 0 is caught up.
	Behind time.Duration
	// Now is the service's time of the answer, zero if it gave none.
	Now time.Time
	// Ended is set with the last records of a closed shard, and Children are
	// the shards that go on from it. Both parents of a merge name the child.
	Ended    bool
	Children []Shard
	// Loss is set if records between the start and the first of this chunk have
	// been trimmed unread.
	Loss *Loss
	// Skipped counts records that were dropped because they did not lie behind
	// the one before: a fault of the service.
	Skipped int
	// Aggregates counts what was odd about aggregated records; zero where none
	// are unpacked.
	Aggregates Aggregates
	// Release, if it is set, gives the memory back that the Data of the records
	// lies in, to be written to at once. It is called once at most, when nobody
	// looks at any of it any more, and by one goroutine. Not to call it is always
	// right: the memory is the garbage collector's then. So whoever makes several
	// chunks of one, or shares one, sets it to nil. Nil is memory that is nobody
	// else's.
	Release func()
}

// Aggregates counts what was odd about aggregated records of Kinesis, whose user
// records are delivered one by one: see package kpl.
type Aggregates struct {
	// Malformed is how many records had the frame of an aggregate and could not
	// be read as one. Each was delivered as it is.
	Malformed int
	// Outside is how many user records do not belong to the shard by their hash,
	// counted where the policy asks for it. Dropped is how many of them were
	// dropped, by that policy, and not delivered.
	Outside, Dropped int
}

// Bytes is the sum of the records' sizes.
func (c *Chunk) Bytes() int64 {
	var n int64
	for i := range c.Records {
		n += int64(c.Records[i].Size())
	}
	return n
}

// Loss is a window of records that retention passed before they were read. How
// many there were cannot be known; the window is exact.
type Loss struct {
	// Shard is the id of the shard.
	Shard string
	// After is the last record that was finished before the window.
	After Position
	// Until is the first record after the window; End if the shard itself is
	// gone. Shards that came of it and are gone as well, before anybody has seen
	// them, are lost with it: nothing but this is left to tell of them.
	Until Position
	// LastArrival and FirstArrival are when those two records arrived; zero if
	// not known.
	LastArrival, FirstArrival time.Time
}

// String shows the window on one line.
func (l Loss) String() string {
	return fmt.Sprintf("%s: records after %s and before %s were trimmed unread", l.Shard, l.After, l.Until)
}

// ErrNoStream says that the stream does not exist, or is not the one that was
// read before: it was deleted and created again under the same name.
var ErrNoStream = errors.New("no such stream")

// ErrNoShard says that the shard is gone: retention passed its last record.
var ErrNoShard = errors.New("no such shard")

// ErrThrottled says that the service asks to slow down. The reader waits in
// Ready before it tries again.
var ErrThrottled = errors.New("throttled by the service")

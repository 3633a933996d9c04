package destination

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Destination takes batches that are given up, or that are handled. A driver
// implements it; users get one from sqsdestination.Open and its like and set it
// as OnFailure or OnSuccess.
type Destination interface {
	// Send delivers one failure and returns nil only when the service has
	// accepted it. The engine calls it again, without limit, until it does; a
	// repeat carries the same Failure.ID.
	Send(ctx context.Context, f Failure) error
	// String names the destination, such as its ARN or its path.
	String() string
}

// Condition says why a batch was given up. The first two are Lambda's words.
type Condition string

const (
	// RetryAttemptsExhausted: every attempt failed.
	RetryAttemptsExhausted Condition = "RetryAttemptsExhausted"
	// RecordAgeExceeded: the record was older than MaximumRecordAge.
	RecordAgeExceeded Condition = "RecordAgeExceeded"
	// Rejected: the handler gave the record up with batching.Reject, or it
	// could not be decoded.
	Rejected Condition = "Rejected"
	// ProcessCrashed: three processes died while the record was handled alone.
	ProcessCrashed Condition = "ProcessCrashed"
	// Success: the records are handled. It stands in what goes to an on-success
	// destination, and is the word of Lambda's asynchronous invocations; Lambda
	// has no such destination for streams.
	Success Condition = "Success"
)

// Failure is a run of records of one shard that was given up, with its reason.
// With the condition Success it is one that was handled.
type Failure struct {
	// Application is the consumer's name.
	Application string
	// Handler is the name of the handler that gave up, where a consumer has
	// several; else empty.
	Handler string
	// Worker is the worker that gave up.
	Worker string
	// Stream is the ARN of the stream, Shard the shard's id.
	Stream, Shard string
	// Records are the records, in order, never none.
	Records []shard.Record
	// Condition is the reason.
	Condition Condition
	// Attempts is how often the handler was called with these records.
	Attempts int
	// Err is the last error of the handler; nil if it was not called.
	Err error
	// Partial is set when the handler answered which records failed, rather
	// than failing as a whole; Lambda then reports functionError null.
	Partial bool
	// At is when it was given up, by the service's clock where known.
	At time.Time
}

// ID names the failure for ever: it is the same for a repeat of the same
// records, so that FIFO queues and object stores recognise one, and another for
// any other set of records. It is the first record's id and the last one's
// sequence number; of several records also a digest of all, because lanes can
// make {1, 3, 5} one failure and, after a restart with fewer lanes, {1, 2, 3, 4,
// 5} another, and the second must not pass for a repeat of the first. What several
// handlers of one stream give up has their names at the end.
func (f *Failure) ID() string {
	if len(f.Records) == 0 {
		return f.Stream + "/" + f.Shard
	}
	id := f.Records[0].ID() + "-" + f.Records[len(f.Records)-1].Position().String()
	if len(f.Records) > 1 {
		id += "-" + f.digest()
	}
	if f.Handler != "" {
		id += "@" + f.Handler
	}
	return id
}

// digest is 64 bits of the SHA-256 of all positions, in hexadecimal.
func (f *Failure) digest() string {
	h := sha256.New()
	for i := range f.Records {
		// A hash's Write does not fail.
		_, _ = io.WriteString(h, f.Records[i].Position().String()+"\n")
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// ErrRefused is for a destination that can never accept the failure as it is,
// such as one too large where Packing.RequirePayload is set and no Store is. The
// engine retries nevertheless and says so: nothing is dropped.
var ErrRefused = errors.New("the destination can not accept this")

// Discard accepts everything and keeps nothing, as a Destination and as a
// Publisher. Setting it is how a user says that records may be dropped; what is
// given up is counted, as given up.
var Discard interface {
	Destination
	Publisher
} = discard{}

type discard struct{}

func (discard) Send(context.Context, Failure) error               { return nil }
func (discard) Publish(context.Context, []batching.Emitted) error { return nil }
func (discard) String() string                                    { return "discard" }

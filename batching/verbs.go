package batching

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/shard"
)

// FailFrom says that the records before r are done and those from r on are not.
// It is Lambda's ReportBatchItemFailures: of several, the lowest record counts.
// A record that is not in the batch fails all of it.
func FailFrom(r *shard.Record, err error) error { return &failFrom{named: nameOf(r), err: err} }

// Reject says that r can never be handled and goes to the on-failure
// destination now, while the rest of the batch is done. Several are joined with
// errors.Join. Without a destination it is FailFrom(r, err).
func Reject(r *shard.Record, err error) error { return &reject{named: nameOf(r), err: err} }

// RetryAfter says that the surroundings failed rather than the records: the
// same call is made again after d, and no attempt is burnt. A d below zero is
// zero. FailFrom(r, RetryAfter(d, err)) does so from r on.
func RetryAfter(d time.Duration, err error) error {
	return &retryAfter{after: max(d, 0), err: err}
}

type failFrom struct {
	named name
	err   error
}

func (e *failFrom) Error() string {
	return describe("failed from record "+e.named.String()+" on", e.err)
}
func (e *failFrom) Unwrap() error { return e.err }

type reject struct {
	named name
	err   error
}

func (e *reject) Error() string { return describe("rejected record "+e.named.String(), e.err) }
func (e *reject) Unwrap() error { return e.err }

type retryAfter struct {
	after time.Duration
	err   error
}

func (e *retryAfter) Error() string { return describe("to be retried after "+e.after.String(), e.err) }
func (e *retryAfter) Unwrap() error { return e.err }

func describe(what string, err error) string {
	if err == nil {
		return what
	}
	return what + ": " + err.Error()
}

// PanicError is the error of a handler that panicked. It fails the whole range,
// whatever the value was.
type PanicError struct {
	// Value is what the handler panicked with.
	Value any
	// Stack is the stack of the goroutine that panicked.
	Stack []byte
}

// Error shows the value; the stack is left to whoever logs it.
func (e *PanicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.Value) }

// Unwrap is the value if it was an error, so that errors.Is sees it.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// name is what tells a record of one stream from the others.
type name struct {
	shard, sequence string
	sub             int64
}

func nameOf(r *shard.Record) name {
	if r == nil {
		return name{}
	}
	return name{r.Shard, r.Sequence, r.Sub}
}

func (n name) String() string {
	if n == (name{}) {
		return "nil"
	}
	return n.shard + "/" + shard.After(n.sequence, n.sub).String()
}

package destination

import (
	"errors"
	"fmt"
)

// Validator is a Destination that can tell before the first failure that it can
// never work, such as one opened with no client. It calls no service. The
// destinations of this module all are.
type Validator interface {
	// Validate returns all problems at once.
	Validate() error
}

// SendError says which failure a destination did not accept, and why.
type SendError struct {
	// Destination is its name.
	Destination string
	// Failure describes the records, without their contents.
	Failure string
	// Hint says what to do about it, where the cause is a known one.
	Hint string
	// Err is the cause.
	Err error
}

// Error is: send what to where: hint: cause.
func (e *SendError) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("send %s to %s: %v", e.Failure, e.Destination, e.Err)
	}
	return fmt.Sprintf("send %s to %s: %s: %v", e.Failure, e.Destination, e.Hint, e.Err)
}

// Unwrap is the cause.
func (e *SendError) Unwrap() error { return e.Err }

// Refusal makes a SendError. Hints are by the error code of the service, which
// the cause tells by a method ErrorCode, as the errors of AWS's SDK do.
func (f *Failure) Refusal(d Destination, hints map[string]string, cause error) error {
	e := &SendError{Destination: d.String(), Failure: f.String(), Err: cause}
	var coded interface{ ErrorCode() string }
	if errors.As(cause, &coded) {
		e.Hint = hints[coded.ErrorCode()]
	}
	return e
}

// String describes the failure without the contents of its records: reason,
// shard, sequence numbers and count.
func (f *Failure) String() string {
	if len(f.Records) == 0 {
		return fmt.Sprintf("%s of no records of %s", f.Condition, f.Shard)
	}
	first, last := &f.Records[0], &f.Records[len(f.Records)-1]
	return fmt.Sprintf("%s of %d records of %s, %s to %s",
		f.Condition, len(f.Records), f.Shard, first.Position(), last.Position())
}

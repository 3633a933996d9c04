package telemetry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// classes are the values of ErrorType. The last is what all others are.
var classes = []string{"throttled", "timeout", "denied", "missing", "conflict", "refused", "panic", "interrupted", "other"}

// Classes are the classes of errors that ClassOf tells apart.
func Classes() []string { return slices.Clone(classes) }

// ClassOf is the class of an error, which is all that metrics and traces say of
// one: texts of errors may quote records, and there is no end to them.
//
//   - throttled: a service asks to slow down;
//   - timeout: the time for it was over, the handler's too;
//   - denied: permission is missing;
//   - missing: a stream, a shard, a table, a queue is not there;
//   - conflict: a conditional write was refused;
//   - refused: a destination cannot accept such records, ever;
//   - panic: the handler panicked;
//   - interrupted: the lease was lost or the worker stops;
//   - other: everything else, such as what a handler returns.
//
// It is empty for nil.
func ClassOf(err error) string {
	if err == nil {
		return ""
	}
	return classes[classOf(err)]
}

// isOneOf reports whether err is any of those.
func isOneOf(err error, all ...error) bool {
	return slices.ContainsFunc(all, func(one error) bool { return errors.Is(err, one) })
}

// look shows see an error and all that it wraps. Unlike errors.As it allocates
// nothing: a handler may fail often.
func look(err error, see func(error)) {
	for err != nil {
		see(err)
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				look(one, see)
			}
			return
		default:
			return
		}
	}
}

// classOf is the index of an error's class.
func classOf(err error) int {
	code, panicked, timedOut := "", false, false
	look(err, func(one error) {
		// By their methods, so that no SDK is linked for it: errors of AWS's services
		// have a code, those of the network a time-out.
		switch e := one.(type) {
		case *batching.PanicError:
			panicked = true
		case interface{ ErrorCode() string }:
			code = cmp.Or(code, e.ErrorCode())
		case interface{ Timeout() bool }:
			timedOut = timedOut || e.Timeout()
		}
	})
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(code, part) })
	}
	class := "other"
	switch {
	case panicked:
		class = "panic"
	case errors.Is(err, shard.ErrThrottled), has("Throttl", "ThroughputExceeded", "LimitExceeded", "RequestLimit", "TooManyRequests", "SlowDown"):
		class = "throttled"
	case isOneOf(err, checkpoint.ErrDenied), has("AccessDenied", "NotAuthorized", "AuthFailure", "UnrecognizedClient", "InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch"):
		class = "denied"
	case isOneOf(err, shard.ErrNoStream, shard.ErrNoShard, checkpoint.ErrNoTable, checkpoint.ErrNoLease, checkpoint.ErrNoSession), has("NotFound", "NonExistent", "NoSuch"):
		class = "missing"
	case isOneOf(err, checkpoint.ErrFenced, checkpoint.ErrEpochOver), has("ConditionalCheckFailed", "TransactionCanceled", "TransactionConflict"):
		class = "conflict"
	case isOneOf(err, destination.ErrRefused):
		class = "refused"
	case isOneOf(err, context.DeadlineExceeded, consumer.ErrHandlerTimeout), timedOut:
		class = "timeout"
	case isOneOf(err, consumer.ErrLeaseLost, consumer.ErrStopping, consumer.ErrHandedOver, consumer.ErrMoved, consumer.ErrStreamLeft,
		consumer.ErrStalled, checkpoint.ErrSessionOver, context.Canceled):
		class = "interrupted"
	}
	return slices.Index(classes, class)
}

// leftFor are the values of "reason" of shards that were left.
var leftFor = []string{"ended", "handed_over", "stopping", "lease_lost", "stalled", "moved", "stream_left", "other"}

func leftReason(cause error) int {
	for i, err := range []error{nil, consumer.ErrHandedOver, consumer.ErrStopping, consumer.ErrLeaseLost, consumer.ErrStalled, consumer.ErrMoved, consumer.ErrStreamLeft} {
		if cause == err || err != nil && errors.Is(cause, err) {
			return i
		}
	}
	return len(leftFor) - 1
}

// Values of other attributes. The last of each is what all others are.
var (
	outcomes     = []string{"done", "partial", "failed"}
	conditions   = []string{string(destination.RetryAttemptsExhausted), string(destination.RecordAgeExceeded), string(destination.Rejected), string(destination.ProcessCrashed), "other"}
	published    = []string{"emitted", "handled"}
	writes       = []string{"take", "renew", "save", "finish", "release", "end", "read", "other"}
	sessionEnds  = []string{"stopping", "lost"}
	streamStates = []string{"read", "troubled", "missing", "recreated", "left", "other"}
	breakers     = []string{"closed", "open", "probing", "other"}
	wakeReasons  = []string{"due", "pressure", "leaving", "ended", "other"}
	remedies     = []string{"begun_anew", "left_alone"}
)

// classIn is the index of a value in its list, or that of the last.
func classIn(list []string, value string) int {
	if i := slices.Index(list, value); i >= 0 {
		return i
	}
	return len(list) - 1
}

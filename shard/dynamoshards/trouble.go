package dynamoshards

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/shard"
)

// trouble is what kind of refusal an error is, as far as the pace is concerned.
type trouble int

const (
	troubleOther     trouble = iota // worth another try soon
	troubleThrottled                // slow down
	troubleDenied                   // somebody has to change a policy
)

// String names the kind.
func (t trouble) String() string {
	return [...]string{"error", "throttled", "denied"}[t]
}

// The codes by kind, from the API reference of DynamoDB Streams and its common
// errors.
var (
	throttleCodes = []string{
		"LimitExceededException", "ThrottlingException", "Throttling", "ProvisionedThroughputExceededException",
		"RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
	}
	deniedCodes = []string{"AccessDeniedException", "AccessDenied", "OptInRequired", "UnrecognizedClientException"}
)

// code is the service's code of an error, or empty.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func kind(err error) trouble {
	switch c := code(err); {
	case slices.Contains(throttleCodes, c), errors.Is(err, shard.ErrThrottled):
		return troubleThrottled
	case slices.Contains(deniedCodes, c):
		return troubleDenied
	}
	return troubleOther
}

func isNotFound(err error) bool { return code(err) == "ResourceNotFoundException" }

// isExpired reports whether an iterator cannot be used any more.
func isExpired(err error) bool { return code(err) == "ExpiredIteratorException" }

// isTrimmed reports whether what was asked for lies before the trim horizon.
func isTrimmed(err error) bool { return code(err) == "TrimmedDataAccessException" }

func isInvalid(err error) bool { return code(err) == "ValidationException" }

// explain names the action that failed, and marks what callers branch on. The
// caller says on what it was tried.
func explain(action string, err error) error {
	switch kind(err) {
	case troubleThrottled:
		return fmt.Errorf("dynamodb:%s: %w: %w", action, shard.ErrThrottled, err)
	case troubleDenied:
		return fmt.Errorf("dynamodb:%s: access is denied: %w", action, err)
	}
	return fmt.Errorf("dynamodb:%s: %w", action, err)
}

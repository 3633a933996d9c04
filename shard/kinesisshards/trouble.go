package kinesisshards

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/shard"
)

// trouble is what kind of refusal an error is, as far as the pace is concerned.
type trouble int

const (
	troubleOther     trouble = iota // worth another try soon
	troubleThrottled                // slow down
	troubleDenied                   // somebody has to change a policy or a key
	troubleInUse                    // somebody else subscribes to the shard
)

// String names the kind.
func (t trouble) String() string {
	return [...]string{"error", "throttled", "denied", "in use"}[t]
}

// The codes by kind, from the API reference of GetRecords and the common errors
// of the service.
var (
	throttleCodes = []string{
		"ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException",
		"ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
	}
	deniedCodes = []string{
		"AccessDeniedException", "AccessDenied", "KMSAccessDeniedException", "KMSDisabledException",
		"KMSInvalidStateException", "KMSNotFoundException", "KMSOptInRequired", "OptInRequired",
	}
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

// isInUse reports whether a shard's subscription, or a consumer's name, is
// somebody else's.
func isInUse(err error) bool { return code(err) == "ResourceInUseException" }

func isNotFound(err error) bool { return code(err) == "ResourceNotFoundException" }

// isExpired reports whether an iterator cannot be used any more.
func isExpired(err error) bool { return code(err) == "ExpiredIteratorException" }

// isForeign reports whether a sequence number was refused because another
// stream gave it out: the one that had this name before.
func isForeign(err error) bool {
	return isInvalid(err) && strings.Contains(message(err), "did not come from this stream")
}

// isMisplaced reports whether a sequence number was refused because another
// shard gave it out.
func isMisplaced(err error) bool {
	return isInvalid(err) && strings.Contains(message(err), "It encodes ")
}

func isInvalid(err error) bool {
	c := code(err)
	return c == "InvalidArgumentException" || c == "ValidationException"
}

func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// explain names the action that failed, and marks what callers branch on. The
// caller says on what it was tried.
func explain(action string, err error) error {
	switch kind(err) {
	case troubleThrottled:
		return fmt.Errorf("kinesis:%s: %w: %w", action, shard.ErrThrottled, err)
	case troubleDenied:
		return fmt.Errorf("kinesis:%s: access is denied, or the stream's key cannot be used: %w", action, err)
	}
	return fmt.Errorf("kinesis:%s: %w", action, err)
}

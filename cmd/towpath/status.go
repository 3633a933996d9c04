package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"unicode"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Exit statuses: see the package comment.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitMissing     = 3
	exitUnreachable = 4
)

// usageError is an error of the call.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// missingError is something that was named and is not there, where no error of
// the library says so.
type missingError struct{ error }

func (e missingError) Unwrap() error { return e.error }

// unreachableError is a surrounding from which AWS cannot be asked.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error { return e.error }

// calledWrongly takes the place of the library's page of help on standard output.
func calledWrongly(_ context.Context, _ *cli.Command, err error, _ bool) error {
	return usageError{err}
}

// What AWS's error codes mean to whoever called the command.
var (
	missingCodes = map[string]bool{
		"ResourceNotFoundException": true, "NoSuchBucket": true, "NoSuchKey": true, "QueueDoesNotExist": true,
		"AWS.SimpleQueueService.NonExistentQueue": true, "NotFound": true, "NotFoundException": true,
	}
	deniedCodes = map[string]bool{
		"AccessDeniedException": true, "AccessDenied": true, "AuthorizationError": true, "UnauthorizedOperation": true,
		"KMSAccessDeniedException": true, "Forbidden": true,
	}
	credentialCodes = map[string]bool{
		"UnrecognizedClientException": true, "InvalidClientTokenId": true, "ExpiredToken": true, "ExpiredTokenException": true,
		"RequestExpired": true, "InvalidSignatureException": true, "SignatureDoesNotMatch": true, "InvalidAccessKeyId": true,
		"IncompleteSignature": true, "MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true,
		"AuthFailure": true, "InvalidToken": true, "NotAuthorizedException": true,
	}
)

// statusOf is the exit status of an error. What was called wrongly comes first;
// what AWS answered comes before how it was reached.
func statusOf(err error) int {
	var (
		usage       usageError
		missing     missingError
		unreachable unreachableError
		api         smithy.APIError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	case errors.As(err, &missing), errors.Is(err, checkpoint.ErrNoTable), errors.Is(err, shard.ErrNoStream),
		errors.Is(err, shard.ErrNoShard), errors.Is(err, checkpoint.ErrDenied):
		return exitMissing
	case errors.As(err, &api) && (missingCodes[api.ErrorCode()] || deniedCodes[api.ErrorCode()]):
		return exitMissing
	case errors.As(err, &api) && credentialCodes[api.ErrorCode()]:
		return exitUnreachable
	case errors.As(err, &api):
		return exitFailed
	case isUnanswered(err):
		return exitUnreachable
	}
	return exitFailed
}

// isUnanswered reports whether AWS was asked, or was to be asked, and nothing
// came back.
func isUnanswered(err error) bool {
	var (
		sent    *smithyhttp.RequestSendError
		network net.Error
		call    *smithy.OperationError
		signing interface{ SigningFailed() bool }
	)
	switch {
	case errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return false // somebody ended it
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &sent), errors.As(err, &signing), isWithoutCredentials(err):
		return true
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return true
	}
	return errors.As(err, &network) && errors.As(err, &call)
}

// isWithoutCredentials recognises that none were found. The SDK has no type for
// that: the words are those of its providers and of the signing of a request.
func isWithoutCredentials(err error) bool {
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return false
	}
	text := call.Error()
	return strings.Contains(text, "get identity") || strings.Contains(text, "failed to refresh cached credentials") ||
		strings.Contains(text, "failed to retrieve credentials") || strings.Contains(text, "failed to sign request")
}

// longestCause is how much of one cause is shown.
const longestCause = 400

// sentenceOf is one line for people: what went wrong, without what the SDK puts
// around it, and what to do about it.
func sentenceOf(err error, status int) string {
	text := err.Error()
	said := errors.Is(err, checkpoint.ErrNoTable) || errors.Is(err, shard.ErrNoStream) || errors.Is(err, shard.ErrNoShard)
	for _, call := range callsIn(err) {
		if said { // the library's word for it is there already
			text = strings.ReplaceAll(text, ": "+call.Error(), "")
		}
		text = strings.ReplaceAll(text, call.Error(), causeOf(call))
	}
	text = strings.TrimSuffix(oneLine(text), ".")
	if what := adviceFor(err, status); what != "" {
		text += "; " + what
	}
	return text
}

// callsIn are the errors of the SDK's calls in an error, of which several may be
// joined.
func callsIn(err error) []*smithy.OperationError {
	if call, ok := err.(*smithy.OperationError); ok { //nolint:errorlint // the tree is walked here
		return []*smithy.OperationError{call}
	}
	switch e := err.(type) { //nolint:errorlint // likewise
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return callsIn(inner)
		}
	case interface{ Unwrap() []error }:
		var all []*smithy.OperationError
		for _, inner := range e.Unwrap() {
			all = append(all, callsIn(inner)...)
		}
		return all
	}
	return nil
}

// causeOf says why a call failed: the service's own words, or the network's, and
// not how often and over which layers it was tried.
func causeOf(call *smithy.OperationError) string {
	name := strings.ReplaceAll(strings.ToLower(call.Service()), " ", "") + ":" + call.Operation()
	var (
		api     smithy.APIError
		network *net.OpError
		lookup  *net.DNSError
	)
	switch {
	case errors.As(call, &api):
		cause := api.ErrorCode()
		if message := api.ErrorMessage(); message != "" && message != "UnknownError" {
			cause += ", " + message
		}
		return name + ": " + shortened(cause)
	case isWithoutCredentials(call):
		return name + ": no credentials"
	case errors.As(call, &lookup):
		return name + ": the name " + lookup.Name + " is not found"
	case errors.Is(call, context.DeadlineExceeded):
		return name + ": no answer in time"
	case errors.As(call, &network):
		return name + ": " + shortened(network.Error())
	}
	cause := call.Err.Error()
	if i := strings.LastIndex(cause, "request send failed, "); i >= 0 {
		cause = cause[i+len("request send failed, "):]
	}
	return name + ": " + shortened(cause)
}

func shortened(s string) string {
	if len(s) > longestCause {
		return strings.ToValidUTF8(s[:longestCause], "") + "…"
	}
	return s
}

// oneLine is a text without line ends and without anything that a terminal would
// obey: the words of services and the names in tables are not ours.
func oneLine(s string) string {
	var b strings.Builder
	for i, line := range strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(strings.TrimSpace(line))
	}
	return printable(b.String())
}

// printable is a text without control characters and marks that turn the
// direction of writing.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '\uFFFD'
		}
		return r
	}, s)
}

// adviceFor says what to do about an error, if its kind tells.
func adviceFor(err error, status int) string {
	var (
		api         smithy.APIError
		unreachable unreachableError
	)
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	switch {
	case status == exitUsage:
		return "see towpath --help, or --help behind the command"
	case errors.As(err, &unreachable):
		return "" // it says so itself
	case errors.Is(err, checkpoint.ErrNoTable):
		return "an application makes its tables when it first runs; name another with -application, -table or -sessions, or its region with AWS_REGION"
	case errors.Is(err, shard.ErrNoStream):
		return "name the stream with -stream, and its region with AWS_REGION"
	case errors.Is(err, shard.ErrNoShard):
		return "towpath shards lists those that are there"
	case errors.Is(err, checkpoint.ErrDenied), status == exitMissing && deniedCodes[code]:
		return "towpath iam prints the policy that is needed"
	case status != exitUnreachable:
		return ""
	case credentialCodes[code], isWithoutCredentials(err):
		return "give credentials that are valid now, with AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
	return "see that the network and AWS_ENDPOINT_URL lead there, or wait longer with -timeout"
}

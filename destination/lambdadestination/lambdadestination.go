// Package lambdadestination calls a function of AWS Lambda: with batches that were
// given up, and with records that a handler emits.
//
// The payload of a failure is the envelope of package destination; that of an
// emitted record is a destination.Document, one record in each call.
//
// By default a function is not waited for: Lambda keeps the event, up to 1 MiB,
// and tries three times. What it gives up is gone unless the function has an
// on-failure destination or a dead-letter queue of its own. With
// Options.Synchronous the call is accepted when the function has returned; an
// error of the function is a refusal, and the payload may have 6 MiB.
//
// What is too large is packed as destination.Packing says: set Options.Store.
//
// The role needs lambda:InvokeFunction on the function, with its qualifier if it
// is called by one.
package lambdadestination

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *lambda.Client.
type API interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Options change how the function is called. The zero value does not wait for it.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 1 MiB
	// (destination.MaxLambdaEventBytes), or just below 6 MiB
	// (destination.MaxLambdaBytes) if Synchronous is set.
	destination.Packing
	// Synchronous waits for the function, whose error is then a refusal: what was
	// given up or emitted is sent again until the function succeeds. Default: off.
	Synchronous bool
	// Concurrency is how many emitted records, of different keys, Publish calls
	// the function with at the same time. Default: 8. Too small, and a batch takes
	// long; too large, and the function is throttled.
	Concurrency int
}

// Function is a function as a destination. It keeps no state but counts, and may
// be used by several goroutines.
type Function struct {
	counter destination.Counter
	client  API
	name    string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Function)(nil)
	_ destination.Publisher   = (*Function)(nil)
	_ destination.Validator   = (*Function)(nil)
)

const usualConcurrency = 8

// Open names a function by its name, its ARN or the end of that from the account
// on, each with or without a version or an alias behind a colon. It calls nothing.
// What is wrong with its arguments, Validate says, and every Send and Publish.
func Open(client API, function string, optFns ...func(*Options)) *Function {
	f := &Function{client: client, name: function}
	for _, fn := range optFns {
		fn(&f.options)
	}
	if f.options.MaxBytes == 0 {
		f.options.MaxBytes = f.limit()
	}
	if f.options.Concurrency == 0 {
		f.options.Concurrency = usualConcurrency
	}
	f.problem = f.check()
	return f
}

func (f *Function) limit() int {
	if f.options.Synchronous {
		return destination.MaxLambdaBytes
	}
	return destination.MaxLambdaEventBytes
}

// functionName is one of
//
//	name[:qualifier]
//	account:function:name[:qualifier]
//	arn:partition:lambda:region:account:function:name[:qualifier]
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
var functionName = regexp.MustCompile(`^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:)?[A-Za-z0-9_-]{1,64}(:(\$LATEST|[A-Za-z0-9_-]{1,128}))?$`)

func (f *Function) check() error {
	var problems []error
	if f.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	if !functionName.MatchString(f.name) {
		problems = append(problems, fmt.Errorf("the function is %q, want its name, <account>:function:<name> or arn:aws:lambda:<region>:<account>:function:<name>, each with or without :<version or alias>", f.name))
	}
	if n, most := f.options.MaxBytes, f.limit(); n <= 0 || n > most {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, most))
	}
	if n := f.options.Concurrency; n < 1 {
		problems = append(problems, fmt.Errorf("Concurrency is %d, want at least 1", n))
	}
	problems = append(problems, f.options.Packing.Validate())
	return errors.Join(problems...)
}

// Validate says what is wrong with the arguments of Open, all at once.
func (f *Function) Validate() error { return f.problem }

// String is the function's name, as it was opened.
func (f *Function) String() string { return f.name }

// Counts says how many failures and records were accepted, and in which form.
func (f *Function) Counts() destination.Counts { return f.counter.Counts() }

// Send calls the function with the failure, once or several times, and returns
// nil when all calls were accepted. An error is a *destination.SendError.
func (f *Function) Send(ctx context.Context, failure destination.Failure) error {
	if f.problem != nil {
		return failure.Refusal(f, nil, fmt.Errorf("%w: %w", destination.ErrRefused, f.problem))
	}
	messages, err := f.options.Pack(ctx, failure)
	if err != nil {
		return failure.Refusal(f, nil, err)
	}
	for i := range messages {
		if err := f.invoke(ctx, messages[i].Body); err != nil {
			return failure.Refusal(f, hints, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err))
		}
	}
	f.counter.Accepted(messages)
	return nil
}

// Publish calls the function once with each emitted record, those of one key one
// after the other, and returns nil when all calls were accepted. An error is a
// *destination.PublishError.
func (f *Function) Publish(ctx context.Context, records []batching.Emitted) error {
	if f.problem != nil {
		return destination.RefuseAll(f, records, f.problem)
	}
	return destination.Courier{
		Destination: f.name,
		Packing:     f.options.Packing,
		Form:        destination.FormDocument,
		Limit:       f.options.Concurrency,
		Send:        f.invokeAll,
		Singly:      true,
		Hints:       hints,
		Counter:     &f.counter,
	}.Publish(ctx, records)
}

// invokeAll makes the calls at the same time.
func (f *Function) invokeAll(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	fates := make([]error, len(parcels))
	var calls sync.WaitGroup
	for i := range parcels {
		calls.Go(func() { fates[i] = f.invoke(ctx, parcels[i].Body) })
	}
	calls.Wait()
	return fates, ctx.Err()
}

func (f *Function) invoke(ctx context.Context, payload []byte) error {
	in := &lambda.InvokeInput{FunctionName: &f.name, InvocationType: types.InvocationTypeEvent, Payload: payload}
	if f.options.Synchronous {
		in.InvocationType = types.InvocationTypeRequestResponse
	}
	out, err := f.client.Invoke(ctx, in)
	if err != nil {
		return err
	}
	if out.FunctionError != nil {
		return &FunctionError{Kind: aws.ToString(out.FunctionError), Type: errorType(out.Payload)}
	}
	return nil
}

// FunctionError is the error of a function that was waited for, without its
// message, which may hold what was in the record.
type FunctionError struct {
	// Kind is Lambda's word, Unhandled or Handled.
	Kind string
	// Type is the errorType that the function answered, such as TypeError; empty
	// if it answered none.
	Type string
}

// Error says of which kind and type it is.
func (e *FunctionError) Error() string {
	return fmt.Sprintf("the function failed: %s error of type %q", e.Kind, e.Type)
}

var typeName = regexp.MustCompile(`^[A-Za-z0-9_.*$]{1,100}$`)

// errorType is the type of a function's error, if it reads like one.
func errorType(payload []byte) string {
	var answer struct {
		ErrorType string `json:"errorType"`
	}
	if json.Unmarshal(payload, &answer) != nil || !typeName.MatchString(answer.ErrorType) {
		return ""
	}
	return answer.ErrorType
}

const (
	denied = "access denied, the role needs lambda:InvokeFunction on the function"
	large  = "the payload is too large for this kind of call, lower MaxBytes"
)

// hints are by the codes of
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors.
var hints = map[string]string{
	"AccessDeniedException":          denied,
	"AccessDenied":                   denied,
	"ResourceNotFoundException":      "there is no such function, version or alias in this account and region",
	"TooManyRequestsException":       "the function or the account is throttled, lower Concurrency or raise the function's",
	"RequestTooLargeException":       large,
	"RequestEntityTooLargeException": large,
	"KMSAccessDeniedException":       "the function's key does not allow it",
}

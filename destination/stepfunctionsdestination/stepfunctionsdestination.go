// Package stepfunctionsdestination starts executions of a state machine of AWS
// Step Functions: with batches that were given up, and with records that a handler
// emits.
//
// The input of a failure is the envelope of package destination; that of an
// emitted record is a destination.Document, one record in each execution.
//
// The name of an execution is made from the failure or the record alone. A
// standard machine keeps names for 90 days and answers ExecutionAlreadyExists to
// a repeat, which counts as accepted: each is started once. An express machine
// keeps none, and starts an execution for every repeat.
//
// An input has at most 256 KiB: without a Store (see destination.Packing) a single
// record above about 190 KB is described and not carried, and an emitted one is
// refused. Set Options.Store.
//
// The role needs states:StartExecution on the machine.
package stepfunctionsdestination

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *sfn.Client.
type API interface {
	StartExecution(ctx context.Context, in *sfn.StartExecutionInput, opts ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
}

// Options change how executions are started. The zero value is right.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 256 KiB
	// (destination.MaxStepFunctionsBytes); set it lower where the first state of
	// the machine adds to its input.
	destination.Packing
	// Scope is part of the name of an emitted record's execution. Default: none.
	// Set it, to the application's name, where two applications emit records of
	// the same stream to one machine, or the second one's are taken for repeats.
	Scope string
	// Concurrency is how many executions, for emitted records of different keys,
	// Publish starts at the same time. Default: 8. Too small, and a batch takes
	// long; too large, and the service throttles: it gives back 300 starts a
	// second in the large regions and 150 elsewhere.
	Concurrency int
}

// Machine is a state machine as a destination. It keeps no state but counts, and
// may be used by several goroutines.
type Machine struct {
	counter destination.Counter
	client  API
	arn     string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Machine)(nil)
	_ destination.Publisher   = (*Machine)(nil)
	_ destination.Validator   = (*Machine)(nil)
)

const usualConcurrency = 8

// Open names a state machine by its ARN, with or without a version or an alias
// behind a colon. It calls nothing. What is wrong with its arguments, Validate
// says, and every Send and Publish.
func Open(client API, machineARN string, optFns ...func(*Options)) *Machine {
	m := &Machine{client: client, arn: machineARN}
	m.options.MaxBytes, m.options.Concurrency = destination.MaxStepFunctionsBytes, usualConcurrency
	for _, fn := range optFns {
		fn(&m.options)
	}
	m.problem = m.check()
	return m
}

func (m *Machine) check() error {
	var problems []error
	if m.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	arn, ok := destination.ParseARN(m.arn)
	name, machine := strings.CutPrefix(arn.Resource, "stateMachine:")
	if !ok || arn.Service != "states" || !machine || name == "" || strings.HasPrefix(name, ":") || strings.Count(name, ":") > 1 || strings.HasSuffix(name, ":") {
		problems = append(problems, fmt.Errorf("the state machine is %q, want its ARN, arn:aws:states:<region>:<account>:stateMachine:<name>, with or without :<version or alias>", m.arn))
	}
	if n := m.options.MaxBytes; n <= 0 || n > destination.MaxStepFunctionsBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxStepFunctionsBytes))
	}
	if n := m.options.Concurrency; n < 1 {
		problems = append(problems, fmt.Errorf("Concurrency is %d, want at least 1", n))
	}
	problems = append(problems, m.options.Packing.Validate())
	return errors.Join(problems...)
}

// Validate says what is wrong with the arguments of Open, all at once.
func (m *Machine) Validate() error { return m.problem }

// String is the machine's ARN.
func (m *Machine) String() string { return m.arn }

// Counts says how many failures and records were accepted, and in which form.
func (m *Machine) Counts() destination.Counts { return m.counter.Counts() }

// Send starts an execution with the failure, or several, and returns nil when all
// of them are started. An error is a *destination.SendError.
func (m *Machine) Send(ctx context.Context, f destination.Failure) error {
	if m.problem != nil {
		return f.Refusal(m, nil, fmt.Errorf("%w: %w", destination.ErrRefused, m.problem))
	}
	messages, err := m.options.Pack(ctx, f)
	if err != nil {
		return f.Refusal(m, nil, err)
	}
	for i := range messages {
		if err := m.start(ctx, messages[i].Part.DeduplicationID(), messages[i].Body); err != nil {
			return f.Refusal(m, hints, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err))
		}
	}
	m.counter.Accepted(messages)
	return nil
}

// Publish starts an execution with each emitted record, those of one key one after
// the other, and returns nil when all of them are started. An error is a
// *destination.PublishError.
func (m *Machine) Publish(ctx context.Context, records []batching.Emitted) error {
	if m.problem != nil {
		return destination.RefuseAll(m, records, m.problem)
	}
	return destination.Courier{
		Destination: m.arn,
		Packing:     m.options.Packing,
		Form:        destination.FormDocument,
		Limit:       m.options.Concurrency,
		Send:        m.startAll,
		Singly:      true,
		Hints:       hints,
		Counter:     &m.counter,
	}.Publish(ctx, records)
}

// startAll starts executions at the same time.
func (m *Machine) startAll(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	fates := make([]error, len(parcels))
	var starts sync.WaitGroup
	for i := range parcels {
		starts.Go(func() {
			fates[i] = m.start(ctx, destination.RepeatID(m.options.Scope, parcels[i].Record), parcels[i].Body)
		})
	}
	starts.Wait()
	return fates, ctx.Err()
}

// start starts one execution. One of that name was started by an earlier attempt.
func (m *Machine) start(ctx context.Context, name string, input []byte) error {
	_, err := m.client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &m.arn, Name: &name, Input: aws.String(string(input)),
	})
	var repeat *types.ExecutionAlreadyExists
	if errors.As(err, &repeat) {
		return nil
	}
	return err
}

const denied = "access denied, the role needs states:StartExecution on the machine"

// hints are by the codes of
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html#API_StartExecution_Errors.
var hints = map[string]string{
	"AccessDeniedException":    denied,
	"AccessDenied":             denied,
	"StateMachineDoesNotExist": "there is no such state machine, version or alias in this account and region",
	"StateMachineDeleting":     "the state machine is being deleted",
	"ExecutionLimitExceeded":   "too many executions are running, the quota is 1,000,000",
	"InvalidArn":               "the ARN is not one of a state machine",
	"KmsAccessDeniedException": "the machine's key does not allow it, the role needs kms:GenerateDataKey and kms:Decrypt",
	"KmsInvalidStateException": "the machine's key is disabled",
	"ValidationException":      "the input is too large or not as the service takes it, lower MaxBytes",
	"KmsThrottlingException":   "the machine's key is asked for too often",
	"InvalidExecutionInput":    "the input is not as the machine takes it",
}

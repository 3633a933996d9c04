package stepfunctionsdestination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/stepfunctionsdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// wired is a machine in a fake, asked with one attempt for each call.
func wired(options ...func(*stepfunctionsdestination.Options)) (*awsfake.AWS, *stepfunctionsdestination.Machine) {
	a := awsfake.New()
	config := a.Config("test")
	config.RetryMaxAttempts = 1
	return a, stepfunctionsdestination.Open(sfn.NewFromConfig(config), a.StepFunctions().CreateMachine("orders"), options...)
}

func rig(options ...func(*stepfunctionsdestination.Options)) destinationtest.Rig {
	a, m := wired(options...)
	return destinationtest.Rig{
		Destination: m,
		MaxBytes:    destination.MaxStepFunctionsBytes,
		Once:        true,
		Accepted: func(*testing.T) (all []destinationtest.Accepted) {
			for _, e := range a.StepFunctions().Executions(m.String()) {
				all = append(all, destinationtest.Accepted{ID: e.Name, Body: []byte(e.Input)})
			}
			return all
		},
		Refuse: func(*testing.T) func() { return a.Intercept(refused) },
	}
}

// refused is how a machine that was deleted answers.
func refused(context.Context, awsfake.Call) awsfake.Fault {
	return awsfake.Fail("StateMachineDoesNotExist", 400)
}

func TestMachineIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig { return rig() })
}

func TestMachineIsAPublisher(t *testing.T) {
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig { return publisherRig() })
}

func TestLargePayloadsGoToAStore(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
		s := &destinationtest.Shelf{}
		r := rig(func(o *stepfunctionsdestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		s := &destinationtest.Shelf{}
		r := publisherRig(func(o *stepfunctionsdestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
}

func publisherRig(options ...func(*stepfunctionsdestination.Options)) destinationtest.PublisherRig {
	a, m := wired(options...)
	return destinationtest.PublisherRig{
		Publisher:  m,
		MaxBytes:   destination.MaxStepFunctionsBytes,
		Attributed: true,
		Once:       true,
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, e := range a.StepFunctions().Executions(m.String()) {
				p := destinationtest.Unwrap(t, destination.FormDocument, []byte(e.Input), nil)
				p.Bytes = len(e.Input)
				all = append(all, p)
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() {
			return a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				var in struct{ Input string }
				if json.Unmarshal(c.Body, &in) == nil && refuse([]byte(in.Input)) {
					return awsfake.Fail("ExecutionLimitExceeded", 400)
				}
				return awsfake.Fault{}
			})
		},
		Refuse: func(*testing.T) func() { return a.Intercept(refused) },
	}
}

// TestRepeatStartsNothing: whether the execution still runs, has ended, or the
// answer to its start was lost.
func TestRepeatStartsNothing(t *testing.T) {
	a, m := wired()
	f, records := destinationtest.Sample(2), destinationtest.SampleEmitted(3, 1)
	lose := a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.LoseAnswer() })
	if err := m.Send(t.Context(), f); err == nil {
		t.Error("the answer was lost: no error")
	}
	lose()
	for round := range 2 {
		f.Attempts += round
		if err := errors.Join(m.Send(t.Context(), f), m.Publish(t.Context(), records)); err != nil {
			t.Fatal(err)
		}
		for _, e := range a.StepFunctions().Executions(m.String()) {
			a.StepFunctions().End(m.String(), e.Name)
		}
	}
	if got := len(a.StepFunctions().Executions(m.String())); got != 4 {
		t.Errorf("%d executions were started, want 4", got)
	}
}

// TestScopeKeepsApplicationsApart: two applications that emit records of one
// stream give them the same ids.
func TestScopeKeepsApplicationsApart(t *testing.T) {
	a, m := wired()
	other := stepfunctionsdestination.Open(sfn.NewFromConfig(a.Config("test")), m.String(), func(o *stepfunctionsdestination.Options) { o.Scope = "other" })
	records := destinationtest.SampleEmitted(2, 2)
	if err := errors.Join(m.Publish(t.Context(), records), other.Publish(t.Context(), records)); err != nil {
		t.Fatal(err)
	}
	if got := len(a.StepFunctions().Executions(m.String())); got != 4 {
		t.Errorf("%d executions were started, want 4", got)
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDeniedException":    "the role needs states:StartExecution",
		"StateMachineDoesNotExist": "there is no such state machine",
		"ExecutionLimitExceeded":   "too many executions",
	} {
		a, m := wired()
		a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail(code, 400) })
		for _, err := range []error{m.Send(t.Context(), destinationtest.Sample(1)), m.Publish(t.Context(), destinationtest.SampleEmitted(1, 1))} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), m.String()) {
				t.Errorf("error %v, want it to say %q and to name the machine", err, want)
			}
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	m := stepfunctionsdestination.Open(nil, "orders", func(o *stepfunctionsdestination.Options) { o.MaxBytes, o.Concurrency = 2<<20, -1 })
	err := m.Validate()
	for _, want := range []string{
		"the client is nil", `the state machine is "orders", want its ARN, arn:aws:states:`, "MaxBytes is 2097152, want 1 to 262144", "Concurrency is -1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := m.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if err := m.Publish(t.Context(), destinationtest.SampleEmitted(1, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
	client := sfn.New(sfn.Options{})
	const machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:"
	for _, arn := range []string{"", machine, machine + ":1", machine + "orders:1:2", machine + "orders:", "arn:aws:states:eu-west-1:123456789012:execution:orders:x"} {
		if stepfunctionsdestination.Open(client, arn).Validate() == nil {
			t.Errorf("%q is valid", arn)
		}
	}
	for _, arn := range []string{machine + "orders", machine + "orders:7", "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:orders:live"} {
		if err := stepfunctionsdestination.Open(client, arn).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOpen() {
	fake := awsfake.New() // in production: sfn.NewFromConfig(cfg)
	arn := fake.StepFunctions().CreateMachine("failed")

	// Set as OnFailure of a consumer. Here a failure is sent by hand, twice.
	onFailure := stepfunctionsdestination.Open(sfn.NewFromConfig(fake.Config("worker-1")), arn)
	for range 2 {
		if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
			fmt.Println(err)
		}
	}
	for _, execution := range fake.StepFunctions().Executions(arn) {
		e, err := destination.ParseEnvelope([]byte(execution.Input))
		fmt.Println(e.Failure.Condition, "of", len(e.Failure.Records), "records", err)
	}
	// Output: RetryAttemptsExhausted of 2 records <nil>
}

func ExampleMachine_Publish() {
	fake := awsfake.New() // in production: sfn.NewFromConfig(cfg)
	machine := stepfunctionsdestination.Open(sfn.NewFromConfig(fake.Config("worker-1")), fake.StepFunctions().CreateMachine("orders"))

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := machine.Publish(context.Background(), []batching.Emitted{{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)}})
	for _, execution := range fake.StepFunctions().Executions(machine.String()) {
		fmt.Println(execution.Input)
	}
	fmt.Println(err)
	// Output:
	// {"id":"order-1#0","key":"alice","data":{"total":12}}
	// <nil>
}

package lambdadestination_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/lambdadestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// refusable is a function that fails as a test says.
type refusable struct {
	mu     sync.Mutex // guards refuse
	refuse func([]byte) bool
}

func (r *refusable) do(payload []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil && r.refuse(payload) {
		return nil, errors.New("canary: " + string(payload[:10]))
	}
	return []byte(`"done"`), nil
}

func (r *refusable) set(refuse func([]byte) bool) (restore func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
	return func() { r.set(nil) }
}

// wired is a function in a fake, asked with one attempt for each call.
func wired(synchronous bool, options ...func(*lambdadestination.Options)) (*awsfake.AWS, *refusable, *lambdadestination.Function) {
	a, r := awsfake.New(), &refusable{}
	arn := a.Lambda().CreateFunction("orders", r.do)
	config := a.Config("test")
	config.RetryMaxAttempts = 1
	options = append(options, func(o *lambdadestination.Options) { o.Synchronous = synchronous })
	return a, r, lambdadestination.Open(lambda.NewFromConfig(config), arn, options...)
}

func rig(synchronous bool, options ...func(*lambdadestination.Options)) destinationtest.Rig {
	a, r, f := wired(synchronous, options...)
	out := destinationtest.Rig{
		Destination: f,
		MaxBytes:    destination.MaxLambdaEventBytes,
		Accepted: func(*testing.T) (all []destinationtest.Accepted) {
			for _, call := range a.Lambda().Invocations("orders") {
				if call.Err == nil {
					all = append(all, destinationtest.Accepted{Body: call.Payload})
				}
			}
			return all
		},
		Refuse: func(*testing.T) func() { return a.Intercept(refused) },
	}
	if synchronous {
		out.MaxBytes = destination.MaxLambdaBytes
		out.Refuse = func(*testing.T) func() { return r.set(func([]byte) bool { return true }) }
	}
	return out
}

// refused is how a function that was deleted answers.
func refused(context.Context, awsfake.Call) awsfake.Fault {
	return awsfake.Fail("ResourceNotFoundException", 404)
}

func TestFunctionIsADestination(t *testing.T) {
	for name, synchronous := range map[string]bool{"Event": false, "RequestResponse": true} {
		t.Run(name, func(t *testing.T) {
			destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig { return rig(synchronous) })
		})
	}
	t.Run("ClaimCheck", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			s := &destinationtest.Shelf{}
			r := rig(false, func(o *lambdadestination.Options) { o.Store = s })
			r.Load = s.Load
			return r
		})
	})
}

func publisherRig(synchronous bool, options ...func(*lambdadestination.Options)) destinationtest.PublisherRig {
	a, r, f := wired(synchronous, options...)
	out := destinationtest.PublisherRig{
		Publisher:  f,
		MaxBytes:   destination.MaxLambdaEventBytes,
		Attributed: true,
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, call := range a.Lambda().Invocations("orders") {
				if call.Err == nil {
					p := destinationtest.Unwrap(t, destination.FormDocument, call.Payload, nil)
					p.Bytes = len(call.Payload)
					all = append(all, p)
				}
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() {
			return a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if refuse(c.Body) {
					return awsfake.Fail("TooManyRequestsException", 429)
				}
				return awsfake.Fault{}
			})
		},
		Refuse: func(*testing.T) func() { return a.Intercept(refused) },
	}
	if synchronous {
		out.MaxBytes = destination.MaxLambdaBytes
		out.RefuseSome = func(_ *testing.T, refuse func([]byte) bool) func() { return r.set(refuse) }
	}
	return out
}

func TestFunctionIsAPublisher(t *testing.T) {
	for name, synchronous := range map[string]bool{"Event": false, "RequestResponse": true} {
		t.Run(name, func(t *testing.T) {
			destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig { return publisherRig(synchronous) })
		})
	}
	t.Run("ClaimCheck", func(t *testing.T) {
		destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
			s := &destinationtest.Shelf{}
			r := publisherRig(false, func(o *lambdadestination.Options) { o.Store = s })
			r.Load = s.Load
			return r
		})
	})
}

// TestFunctionErrorIsARefusal: an answer of 200 is not a success, and the error
// shows nothing of the payload that the function's message holds.
func TestFunctionErrorIsARefusal(t *testing.T) {
	_, r, f := wired(true)
	defer r.set(func([]byte) bool { return true })()
	err := f.Send(t.Context(), destinationtest.Sample(1))
	var failed *lambdadestination.FunctionError
	if !errors.As(err, &failed) || failed.Kind != "Unhandled" || failed.Type != "*errors.errorString" || strings.Contains(err.Error(), "canary") {
		t.Errorf("error %v, want the function's without its message", err)
	}
	if got := f.Counts(); got != (destination.Counts{}) {
		t.Errorf("counted %+v, want nothing", got)
	}
	// One that is not waited for is accepted all the same.
	a, r, f := wired(false)
	defer r.set(func([]byte) bool { return true })()
	if err := f.Send(t.Context(), destinationtest.Sample(1)); err != nil || len(a.Lambda().Invocations("orders")) != 1 {
		t.Errorf("not waited for: error %v", err)
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDeniedException":     "the role needs lambda:InvokeFunction",
		"ResourceNotFoundException": "there is no such function",
		"TooManyRequestsException":  "throttled",
	} {
		a, _, f := wired(false)
		a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail(code, 400) })
		for _, err := range []error{f.Send(t.Context(), destinationtest.Sample(1)), f.Publish(t.Context(), destinationtest.SampleEmitted(1, 1))} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), f.String()) {
				t.Errorf("error %v, want it to say %q and to name the function", err, want)
			}
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	f := lambdadestination.Open(nil, "arn:aws:lambda:eu-west-1:1:orders", func(o *lambdadestination.Options) {
		o.MaxBytes, o.Concurrency = 2<<20, -1
	})
	err := f.Validate()
	for _, want := range []string{
		"the client is nil", `the function is "arn:aws:lambda:eu-west-1:1:orders", want its name, <account>:function:<name> or arn:aws:lambda:`,
		"MaxBytes is 2097152, want 1 to 1048576", "Concurrency is -1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := f.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if err := f.Publish(t.Context(), destinationtest.SampleEmitted(1, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
	client := lambda.New(lambda.Options{})
	for _, name := range []string{"", "a b", "orders:", "arn:aws:sqs:eu-west-1:123456789012:orders", "arn:aws:lambda:eu-west-1:123456789012:layer:orders"} {
		if lambdadestination.Open(client, name).Validate() == nil {
			t.Errorf("%q is valid", name)
		}
	}
	for _, name := range []string{"orders", "orders:live", "orders:$LATEST", "123456789012:function:orders:7", "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:orders:live"} {
		if err := lambdadestination.Open(client, name).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOpen() {
	fake := awsfake.New() // in production: lambda.NewFromConfig(cfg)
	fake.Lambda().CreateFunction("failed", nil)

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := lambdadestination.Open(lambda.NewFromConfig(fake.Config("worker-1")), "failed")
	if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
		fmt.Println(err)
	}
	for _, call := range fake.Lambda().Invocations("failed") {
		e, err := destination.ParseEnvelope(call.Payload)
		fmt.Println(e.Failure.Condition, "of", len(e.Failure.Records), "records", err)
	}
	// Output: RetryAttemptsExhausted of 2 records <nil>
}

func ExampleFunction_Publish() {
	fake := awsfake.New() // in production: lambda.NewFromConfig(cfg)
	fake.Lambda().CreateFunction("orders", func(payload []byte) ([]byte, error) {
		fmt.Println(string(payload))
		return nil, nil
	})
	function := lambdadestination.Open(lambda.NewFromConfig(fake.Config("worker-1")), "orders", func(o *lambdadestination.Options) { o.Synchronous = true })

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := function.Publish(context.Background(), []batching.Emitted{{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)}})
	fmt.Println(err)
	// Output:
	// {"id":"order-1#0","key":"alice","data":{"total":12}}
	// <nil>
}

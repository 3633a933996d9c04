package eventbridgedestination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/eventbridgedestination"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/eventbusfake"
)

// besideFailure is what an event counts beside its detail, with the defaults.
var besideFailure = len("towpath") + len("towpath failure") + len(destinationtest.Sample(1).Stream)

func open(a *awsfake.AWS, options ...func(*eventbridgedestination.Options)) *eventbridgedestination.Bus {
	return eventbridgedestination.Open(eventbridge.NewFromConfig(a.Config("test")), a.EventBridge().CreateBus("orders"), options...)
}

func rig(a *awsfake.AWS, options ...func(*eventbridgedestination.Options)) destinationtest.Rig {
	return destinationtest.Rig{
		Destination: open(a, options...),
		MaxBytes:    destination.MaxEventBridgeBytes - besideFailure,
		Accepted: func(*testing.T) (all []destinationtest.Accepted) {
			for _, e := range a.EventBridge().Events("orders") {
				all = append(all, destinationtest.Accepted{Body: []byte(e.Detail)})
			}
			return all
		},
		Refuse: func(*testing.T) func() {
			return a.EventBridge().RefuseSome(func(eventbusfake.Event) bool { return true })
		},
	}
}

func TestBusIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig { return rig(awsfake.New()) })
}

func TestLargePayloadsGoToAStore(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
		s := &destinationtest.Shelf{}
		r := rig(awsfake.New(), func(o *eventbridgedestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		s := &destinationtest.Shelf{}
		r := publisherRig(awsfake.New(), func(o *eventbridgedestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
}

func TestBusIsAPublisher(t *testing.T) {
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig { return publisherRig(awsfake.New()) })
}

func TestUnorderedBusIsAPublisher(t *testing.T) {
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		r := publisherRig(awsfake.New(), func(o *eventbridgedestination.Options) { o.Unordered = true })
		r.Free = true
		return r
	})
}

func publisherRig(a *awsfake.AWS, options ...func(*eventbridgedestination.Options)) destinationtest.PublisherRig {
	var mu sync.Mutex
	var calls []destinationtest.Call
	a.Trace(func(e awsfake.Exchange) {
		var in struct {
			Entries []struct {
				Source, DetailType, Detail string
				Resources                  []string
			}
		}
		if json.Unmarshal(e.Body, &in) != nil {
			return
		}
		call := destinationtest.Call{Records: len(in.Entries)}
		for _, e := range in.Entries {
			call.Bytes += len(e.Source) + len(e.DetailType) + len(e.Detail) + len(strings.Join(e.Resources, ""))
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call)
	})
	return destinationtest.PublisherRig{
		Publisher:  open(a, options...),
		MaxBytes:   destination.MaxEventBridgeBytes,
		BatchLimit: 10,
		BatchBytes: destination.MaxEventBridgeBytes,
		Calls: func(*testing.T) []destinationtest.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		},
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, e := range a.EventBridge().Events("orders") {
				p := destinationtest.Unwrap(t, destination.FormObject, []byte(e.Detail), nil)
				if p.ID != "" && p.ID != e.Resources[0] {
					t.Errorf("the document has the id %q, its event %q", p.ID, e.Resources)
				}
				p.ID = e.Resources[0]
				p.Bytes = len(e.Source) + len(e.DetailType) + len(e.Detail) + len(e.Resources[0])
				all = append(all, p)
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() {
			return a.EventBridge().RefuseSome(func(e eventbusfake.Event) bool { return refuse([]byte(e.Detail)) })
		},
		Refuse: func(*testing.T) func() {
			return a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail("AccessDeniedException", 400) })
		},
	}
}

func TestEventsSayWhatTheyAre(t *testing.T) {
	a := awsfake.New()
	asked := 0
	b := open(a, func(o *eventbridgedestination.Options) {
		o.Source, o.FailureType = "shop.orders", "given up"
		o.RecordType = func(e *batching.Emitted) string { return e.Attributes["type"] }
		o.PutEvents = func(*eventbridge.PutEventsInput) { asked++ }
	})
	if err := b.Send(t.Context(), destinationtest.Sample(1)); err != nil {
		t.Fatal(err)
	}
	records := destinationtest.SampleEmitted(3, 3)
	records[0].Attributes = map[string]string{"type": "order placed"}
	records[1].Attributes = map[string]string{"type": strings.Repeat("x", 129)}
	if err := b.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range a.EventBridge().Events("orders") {
		got = append(got, e.Source+"|"+e.DetailType)
	}
	want := []string{"shop.orders|given up", "shop.orders|order placed", "shop.orders|towpath record", "shop.orders|towpath record"}
	if !slices.Equal(got, want) || asked != 2 {
		t.Errorf("got %q with %d requests, want %q with 2", got, asked, want)
	}
	if got, want := b.Counts(), (destination.Counts{Sent: 1, Published: 3}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDeniedException":     "the role needs events:PutEvents",
		"ResourceNotFoundException": "there is no such bus",
	} {
		a := awsfake.New()
		a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail(code, 400) })
		b := open(a)
		for _, err := range []error{b.Send(t.Context(), destinationtest.Sample(1)), b.Publish(t.Context(), destinationtest.SampleEmitted(1, 1))} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), b.String()) {
				t.Errorf("error %v, want it to say %q and to name the bus", err, want)
			}
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	b := eventbridgedestination.Open(nil, "arn:aws:sns:eu-west-1:1:orders", func(o *eventbridgedestination.Options) {
		o.MaxBytes, o.Source, o.FailureType = 2<<20, "aws.mine", ""
	})
	err := b.Validate()
	for _, want := range []string{
		"the client is nil", `the bus is "arn:aws:sns:eu-west-1:1:orders", want its name or its ARN, arn:aws:events:`,
		"MaxBytes is 2097152", `Source is "aws.mine"`, "FailureType is \"\"",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := b.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if err := b.Publish(t.Context(), destinationtest.SampleEmitted(1, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
	client := eventbridge.New(eventbridge.Options{})
	for _, bus := range []string{"", "a b", "arn:aws:events:eu-west-1:1:rule/orders", "arn:aws:events:eu-west-1:1:event-bus/"} {
		if eventbridgedestination.Open(client, bus).Validate() == nil {
			t.Errorf("%q is valid", bus)
		}
	}
	for _, bus := range []string{"default", "shop/orders", "arn:aws-cn:events:cn-north-1:1:event-bus/orders"} {
		if err := eventbridgedestination.Open(client, bus).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOpen() {
	fake := awsfake.New() // in production: eventbridge.NewFromConfig(cfg)

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := eventbridgedestination.Open(eventbridge.NewFromConfig(fake.Config("worker-1")), "default")
	if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
		fmt.Println(err)
	}
	for _, event := range fake.EventBridge().Events("default") {
		e, err := destination.ParseEnvelope([]byte(event.Detail))
		fmt.Println(event.DetailType, "of", len(e.Failure.Records), "records", err)
	}
	// Output: towpath failure of 2 records <nil>
}

func ExampleBus_Publish() {
	fake := awsfake.New() // in production: eventbridge.NewFromConfig(cfg)
	bus := eventbridgedestination.Open(eventbridge.NewFromConfig(fake.Config("worker-1")), "default")

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := bus.Publish(context.Background(), []batching.Emitted{{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)}})
	for _, event := range fake.EventBridge().Events("default") {
		fmt.Println(event.DetailType, event.Detail, event.Resources)
	}
	fmt.Println(err)
	// Output:
	// towpath record {"total":12} [order-1#0]
	// <nil>
}

package firehosedestination_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/firehosedestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func wired(options ...func(*firehosedestination.Options)) (*awsfake.AWS, *firehosedestination.Stream) {
	a := awsfake.New()
	return a, firehosedestination.Open(firehose.NewFromConfig(a.Config("test")), a.Firehose().CreateStream("orders"), options...)
}

func rig(options ...func(*firehosedestination.Options)) destinationtest.Rig {
	a, s := wired(options...)
	return destinationtest.Rig{
		Destination: s,
		MaxBytes:    destination.MaxFirehoseBytes - 1, // the newline
		Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
			for _, r := range a.Firehose().Records("orders") {
				all = append(all, destinationtest.Accepted{Body: undelimited(t, r)})
			}
			return all
		},
		Refuse: func(*testing.T) func() { return a.Firehose().RefuseSome(func([]byte) bool { return true }) },
	}
}

func undelimited(t *testing.T, r []byte) []byte {
	t.Helper()
	body, ok := bytes.CutSuffix(r, []byte("\n"))
	if !ok {
		t.Errorf("a record has no newline behind it")
	}
	return body
}

func TestStreamIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig { return rig() })
}

func TestLargePayloadsGoToAStore(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
		s := &destinationtest.Shelf{}
		r := rig(func(o *firehosedestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		s := &destinationtest.Shelf{}
		r := publisherRig(func(o *firehosedestination.Options) { o.Store, o.Document = s, true })
		r.Attributed, r.Nameless = true, false
		r.Load = s.Load
		return r
	})
}

func TestStreamIsAPublisher(t *testing.T) {
	t.Run("Bare", func(t *testing.T) {
		destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig { return publisherRig() })
	})
	t.Run("Document", func(t *testing.T) {
		destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
			r := publisherRig(func(o *firehosedestination.Options) { o.Document = true })
			r.Attributed, r.Nameless = true, false
			return r
		})
	})
	t.Run("Unordered", func(t *testing.T) {
		destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
			r := publisherRig(func(o *firehosedestination.Options) { o.Unordered = true })
			r.Free = true
			return r
		})
	})
}

func publisherRig(options ...func(*firehosedestination.Options)) destinationtest.PublisherRig {
	a, s := wired(options...)
	var mu sync.Mutex
	var calls []destinationtest.Call
	a.Trace(func(e awsfake.Exchange) {
		var in struct{ Records []struct{ Data []byte } }
		if json.Unmarshal(e.Body, &in) != nil {
			return
		}
		call := destinationtest.Call{Records: len(in.Records)}
		for _, r := range in.Records {
			call.Bytes += len(r.Data)
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call)
	})
	return destinationtest.PublisherRig{
		Publisher:  s,
		MaxBytes:   destination.MaxFirehoseBytes,
		BatchLimit: 500,
		BatchBytes: destination.MaxFirehoseBatchBytes,
		Nameless:   true,
		Calls: func(*testing.T) []destinationtest.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		},
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, r := range a.Firehose().Records("orders") {
				p := destinationtest.Unwrap(t, destination.FormBytes, undelimited(t, r), nil)
				p.Bytes = len(r)
				all = append(all, p)
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() { return a.Firehose().RefuseSome(refuse) },
		Refuse: func(*testing.T) func() {
			return a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault {
				return awsfake.Fail("ResourceNotFoundException", 400)
			})
		},
	}
}

func TestDelimiterIsAsAsked(t *testing.T) {
	for _, delimiter := range []string{"", "\r\n"} {
		a, s := wired(func(o *firehosedestination.Options) { o.Delimiter = delimiter })
		if err := errors.Join(s.Send(t.Context(), destinationtest.Sample(1)), s.Publish(t.Context(), destinationtest.SampleEmitted(1, 1))); err != nil {
			t.Fatal(err)
		}
		for _, r := range a.Firehose().Records("orders") {
			if !strings.HasSuffix(string(r), "}"+delimiter) {
				t.Errorf("with the delimiter %q a record ends in %q", delimiter, r[len(r)-3:])
			}
		}
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDeniedException":     "the role needs firehose:PutRecordBatch",
		"ResourceNotFoundException": "there is no such Firehose stream",
	} {
		a, s := wired()
		a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail(code, 400) })
		for _, err := range []error{s.Send(t.Context(), destinationtest.Sample(1)), s.Publish(t.Context(), destinationtest.SampleEmitted(1, 1))} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.String()) {
				t.Errorf("error %v, want it to say %q and to name the stream", err, want)
			}
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	s := firehosedestination.Open(nil, "arn:aws:kinesis:eu-west-1:1:stream/orders", func(o *firehosedestination.Options) {
		o.MaxBytes, o.Delimiter = 2<<20, strings.Repeat("-", 17)
	})
	err := s.Validate()
	for _, want := range []string{
		"the client is nil", `the Firehose stream is "arn:aws:kinesis:eu-west-1:1:stream/orders", want its name or its ARN, arn:aws:firehose:`,
		"MaxBytes is 2097152, want 1 to 1024000", "Delimiter has 17 bytes",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := s.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if err := s.Publish(t.Context(), destinationtest.SampleEmitted(1, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
	client := firehose.New(firehose.Options{})
	for _, name := range []string{"", "a b", strings.Repeat("x", 65), "arn:aws:firehose:eu-west-1:1:deliverystream/"} {
		if firehosedestination.Open(client, name).Validate() == nil {
			t.Errorf("%q is valid", name)
		}
	}
	for _, name := range []string{"orders", "arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/orders"} {
		if err := firehosedestination.Open(client, name).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOpen() {
	fake := awsfake.New() // in production: firehose.NewFromConfig(cfg)
	fake.Firehose().CreateStream("failed")

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := firehosedestination.Open(firehose.NewFromConfig(fake.Config("worker-1")), "failed")
	if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
		fmt.Println(err)
	}
	for _, line := range fake.Firehose().Records("failed") {
		e, err := destination.ParseEnvelope(line)
		fmt.Println(e.Failure.Condition, "of", len(e.Failure.Records), "records", err)
	}
	// Output: RetryAttemptsExhausted of 2 records <nil>
}

func ExampleStream_Publish() {
	fake := awsfake.New() // in production: firehose.NewFromConfig(cfg)
	fake.Firehose().CreateStream("orders")
	stream := firehosedestination.Open(firehose.NewFromConfig(fake.Config("worker-1")), "orders")

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := stream.Publish(context.Background(), []batching.Emitted{{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)}})
	for _, line := range fake.Firehose().Records("orders") {
		fmt.Print(string(line))
	}
	fmt.Println(err)
	// Output:
	// {"total":12}
	// <nil>
}

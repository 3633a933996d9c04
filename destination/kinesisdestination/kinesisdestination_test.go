package kinesisdestination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

func wired(options ...func(*kinesisdestination.Options)) (*awsfake.AWS, *kinesisdestination.Stream) {
	a := awsfake.New()
	if err := a.Kinesis().CreateStream("orders", 4); err != nil {
		panic(err)
	}
	return a, kinesisdestination.Open(kinesis.NewFromConfig(a.Config("test")), "orders", options...)
}

func rig(options ...func(*kinesisdestination.Options)) destinationtest.Rig {
	a, s := wired(options...)
	return destinationtest.Rig{
		Destination: s,
		MaxBytes:    destination.MaxKinesisBytes - len("shardId-000000000007"), // the key
		Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
			for _, r := range a.Kinesis().Records("orders") {
				all = append(all, destinationtest.Accepted{Body: r.Data})
			}
			return all
		},
		Refuse: func(*testing.T) func() { return a.Kinesis().RefuseSome(func([]byte) bool { return true }) },
	}
}

func TestStreamIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig { return rig() })
}

func TestLargePayloadsGoToAStore(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
		s := &destinationtest.Shelf{}
		r := rig(func(o *kinesisdestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		s := &destinationtest.Shelf{}
		r := publisherRig(func(o *kinesisdestination.Options) { o.Store, o.Document = s, true })
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
			r := publisherRig(func(o *kinesisdestination.Options) { o.Document = true })
			r.Attributed, r.Nameless = true, false
			return r
		})
	})
	t.Run("Unordered", func(t *testing.T) {
		destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
			r := publisherRig(func(o *kinesisdestination.Options) { o.Unordered = true })
			r.Free = true
			return r
		})
	})
}

func publisherRig(options ...func(*kinesisdestination.Options)) destinationtest.PublisherRig {
	a, s := wired(options...)
	var mu sync.Mutex
	var calls []destinationtest.Call
	a.Trace(func(e awsfake.Exchange) {
		var in struct {
			Records []struct {
				Data         []byte
				PartitionKey string
			}
		}
		if json.Unmarshal(e.Body, &in) != nil {
			return
		}
		call := destinationtest.Call{Records: len(in.Records)}
		for _, r := range in.Records {
			call.Bytes += len(r.Data) + len(r.PartitionKey)
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call)
	})
	return destinationtest.PublisherRig{
		Publisher:  s,
		MaxBytes:   destination.MaxKinesisBytes,
		BatchLimit: 500,
		BatchBytes: destination.MaxKinesisStreamBytes,
		Nameless:   true,
		Calls: func(*testing.T) []destinationtest.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		},
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, r := range a.Kinesis().Records("orders") {
				p := destinationtest.Unwrap(t, destination.FormBytes, r.Data, nil)
				p.Bytes = len(r.Data) + len(r.PartitionKey)
				all = append(all, p)
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() { return a.Kinesis().RefuseSome(refuse) },
		Refuse: func(*testing.T) func() {
			return a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault {
				return awsfake.Fail("ResourceNotFoundException", 400)
			})
		},
	}
}

// A key that Kinesis would not take is hashed, so that its records stay in one
// shard and in order; one that is empty is spread by the records' ids.
func TestKeysAreAsKinesisTakesThem(t *testing.T) {
	long, odd := strings.Repeat("é", 257), "\xff"
	a, s := wired(func(o *kinesisdestination.Options) { o.Key = destination.ByKey })
	for i, key := range []string{"ada", strings.Repeat("é", 256), long, long, odd, ""} {
		if err := s.Publish(t.Context(), []batching.Emitted{{ID: fmt.Sprint("id-", i), Key: key, Data: fmt.Append(nil, i)}}); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[string]string{}
	for _, r := range a.Kinesis().Records("orders") {
		keys[string(r.Data)] = r.PartitionKey
	}
	if keys["0"] != "ada" || keys["1"] != strings.Repeat("é", 256) || len(keys["2"]) != 64 || keys["2"] != keys["3"] || len(keys["4"]) != 64 || keys["5"] != "id-5" {
		t.Errorf("the keys are %q", keys)
	}
	f := destinationtest.Sample(1)
	if err := s.Send(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	all := a.Kinesis().Records("orders")
	if got := all[slices.IndexFunc(all, func(r kinesisfake.Record) bool { return len(r.Data) > 10 })].PartitionKey; got != f.Records[0].PartitionKey {
		t.Errorf("the failure's key is %q, want its record's as asked", got)
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDeniedException":     "the role needs kinesis:PutRecords",
		"ResourceNotFoundException": "there is no such stream",
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
	s := kinesisdestination.Open(nil, "arn:aws:firehose:eu-west-1:1:deliverystream/orders", func(o *kinesisdestination.Options) {
		o.MaxBytes, o.Key = 11<<20, nil
	})
	err := s.Validate()
	for _, want := range []string{
		"the client is nil", `the stream is "arn:aws:firehose:eu-west-1:1:deliverystream/orders", want its name or its ARN, arn:aws:kinesis:`,
		"MaxBytes is 11534336, want 1 to 10485760", "Key is nil",
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
	client := kinesis.New(kinesis.Options{})
	for _, name := range []string{"", "a b", strings.Repeat("x", 129), "arn:aws:kinesis:eu-west-1:1:stream/", "arn:aws:kinesis:eu-west-1:1:stream/a/consumer/b:1"} {
		if kinesisdestination.Open(client, name).Validate() == nil {
			t.Errorf("%q is valid", name)
		}
	}
	for _, name := range []string{"orders", "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/orders"} {
		if err := kinesisdestination.Open(client, name).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOpen() {
	fake := awsfake.New() // in production: kinesis.NewFromConfig(cfg)
	if err := fake.Kinesis().CreateStream("failed", 1); err != nil {
		fmt.Println(err)
		return
	}
	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := kinesisdestination.Open(kinesis.NewFromConfig(fake.Config("worker-1")), "failed")
	if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
		fmt.Println(err)
	}
	for _, r := range fake.Kinesis().Records("failed") {
		e, err := destination.ParseEnvelope(r.Data)
		fmt.Println(r.PartitionKey, e.Failure.Condition, "of", len(e.Failure.Records), "records", err)
	}
	// Output: shardId-000000000007 RetryAttemptsExhausted of 2 records <nil>
}

func ExampleStream_Publish() {
	fake := awsfake.New() // in production: kinesis.NewFromConfig(cfg)
	if err := fake.Kinesis().CreateStream("orders", 1); err != nil {
		fmt.Println(err)
		return
	}
	stream := kinesisdestination.Open(kinesis.NewFromConfig(fake.Config("worker-1")), "orders")

	// Set as where a handler's records go that calls Emit. Here by hand.
	err := stream.Publish(context.Background(), []batching.Emitted{{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)}})
	for _, r := range fake.Kinesis().Records("orders") {
		fmt.Println(r.PartitionKey, string(r.Data), err)
	}
	// Output: alice {"total":12} <nil>
}

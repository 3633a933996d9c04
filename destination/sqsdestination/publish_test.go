package sqsdestination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/queuefake"
)

func TestQueueIsAPublisherOverTheWire(t *testing.T) {
	for _, name := range []string{"emitted", "emitted.fifo"} {
		t.Run(name, func(t *testing.T) {
			destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig { return publisherRig(awsfake.New(), name) })
		})
	}
}

func TestLargeEmittedPayloadsGoToABucketOverTheWire(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		a := awsfake.New()
		if err := a.S3().CreateBucket("payloads"); err != nil {
			t.Fatal(err)
		}
		rig := publisherRig(a, "emitted", func(o *sqsdestination.Options) {
			o.Store = s3destination.Open(s3.NewFromConfig(a.Config("test")), "payloads")
		})
		rig.Load = func(t *testing.T, uri string) []byte {
			o, ok := a.S3().Object("payloads", strings.TrimPrefix(uri, "s3://payloads/"))
			if !ok {
				t.Fatalf("there is no %s", uri)
			}
			return o.Body
		}
		return rig
	})
}

// A standard queue that is filled without regard to keys keeps no order.
func TestUnorderedQueueIsAPublisherOverTheWire(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		rig := publisherRig(awsfake.New(), "emitted", func(o *sqsdestination.Options) { o.Unordered = true })
		rig.Free = true
		return rig
	})
}

func publisherRig(a *awsfake.AWS, name string, options ...func(*sqsdestination.Options)) destinationtest.PublisherRig {
	url := a.SQS().CreateQueue(name)
	var mu sync.Mutex
	var calls []destinationtest.Call
	a.Trace(func(e awsfake.Exchange) {
		var in struct {
			Entries []struct {
				MessageBody       string
				MessageAttributes map[string]struct{ DataType, StringValue string }
			}
		}
		if e.Operation != "SendMessageBatch" || json.Unmarshal(e.Body, &in) != nil {
			return
		}
		call := destinationtest.Call{Records: len(in.Entries)}
		for _, m := range in.Entries {
			call.Bytes += len(m.MessageBody)
			for name, v := range m.MessageAttributes {
				call.Bytes += len(name) + len(v.DataType) + len(v.StringValue)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call)
	})
	return destinationtest.PublisherRig{
		Publisher:  sqsdestination.Open(sqs.NewFromConfig(a.Config("test")), url, options...),
		MaxBytes:   destination.MaxSQSBytes,
		BatchLimit: 10,
		BatchBytes: destination.MaxSQSBytes,
		Attributed: true,
		Once:       strings.HasSuffix(name, ".fifo"),
		Calls: func(*testing.T) []destinationtest.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		},
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, m := range a.SQS().Messages(name) {
				attributes := map[string]string{}
				for name, v := range m.Attributes {
					attributes[name] = v.Text
				}
				all = append(all, published(t, []byte(m.Body), attributes))
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() {
			return a.SQS().RefuseSome(func(m queuefake.Message) bool { return refuse([]byte(m.Body)) })
		},
		Refuse: func(*testing.T) func() {
			return a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail("QueueDoesNotExist", 400) })
		},
	}
}

func published(t *testing.T, body []byte, attributes map[string]string) destinationtest.Published {
	p := destinationtest.Unwrap(t, destination.FormText, body, attributes)
	p.Bytes = len(body)
	for name, v := range attributes {
		p.Bytes += len(name) + len("String") + len(v)
	}
	return p
}

func TestQueueIsAPublisherOnAServer(t *testing.T) {
	client := sqs.NewFromConfig(servertest.Config(t, "aws"))
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("queue"+suffix, func(t *testing.T) {
			destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
				rig := wireRig(t, client, suffix)
				return destinationtest.PublisherRig{
					Publisher:  rig.Destination.(*sqsdestination.Queue),
					MaxBytes:   destination.MaxSQSBytes,
					BatchLimit: 10,
					BatchBytes: destination.MaxSQSBytes,
					Attributed: true,
					Unordered:  suffix == "",
					Once:       suffix != "",
					Published: func(t *testing.T) (all []destinationtest.Published) {
						for _, m := range rig.Accepted(t) {
							all = append(all, published(t, m.Body, m.Attributes))
						}
						return all
					},
				}
			})
		})
	}
}

// TestScopeKeepsApplicationsApart: two applications that emit records of one
// stream give them the same ids.
func TestScopeKeepsApplicationsApart(t *testing.T) {
	for scope, want := range map[string]int{"": 2, "other": 4} {
		a := awsfake.New()
		url := a.SQS().CreateQueue("emitted.fifo")
		client := sqs.NewFromConfig(a.Config("test"))
		for _, s := range []string{"", scope} {
			q := sqsdestination.Open(client, url, func(o *sqsdestination.Options) { o.Scope = s })
			if err := q.Publish(t.Context(), destinationtest.SampleEmitted(2, 2)); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(a.SQS().Messages(url)); got != want {
			t.Errorf("scopes \"\" and %q: the queue holds %d messages, want %d", scope, got, want)
		}
	}
}

// TestOneBadMessageDoesNotStopABatch: the queue takes less than it was told, so
// that it refuses a call as a whole for one of its messages.
func TestOneBadMessageDoesNotStopABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		client := sqs.NewFromConfig(a.Config("test"))
		url := a.SQS().CreateQueue("emitted")
		a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if strings.Contains(string(c.Body), strings.Repeat("x", 5000)) {
				return awsfake.Fail("BatchRequestTooLong", 400)
			}
			return awsfake.Fault{}
		})
		records := destinationtest.SampleEmitted(9, 9)
		records[4].Data = []byte(strings.Repeat("x", 5000))
		err := sqsdestination.Open(client, url).Publish(t.Context(), records)
		var refused *destination.PublishError
		if !errors.As(err, &refused) || len(refused.Rest) != 1 || refused.Rest[0].ID != records[4].ID {
			t.Errorf("error %v, want one that leaves the fifth alone", err)
		}
		if got := len(a.SQS().Messages(url)); got != 8 {
			t.Errorf("the queue holds %d messages, want 8", got)
		}
	})
}

func TestUnorderedIsNotForFIFO(t *testing.T) {
	q := sqsdestination.Open(&queue{}, fifoURL, func(o *sqsdestination.Options) { o.Unordered = true })
	if err := q.Validate(); err == nil || !strings.Contains(err.Error(), "Unordered is set") {
		t.Errorf("error %v", err)
	}
	records := destinationtest.SampleEmitted(2, 1)
	var refused *destination.PublishError
	if err := q.Publish(t.Context(), records); !errors.As(err, &refused) || !errors.Is(err, destination.ErrRefused) || len(refused.Rest) != 2 {
		t.Errorf("Publish: error %v, want ErrRefused and both records left", err)
	}
}

func ExampleQueue_Publish() {
	fake := awsfake.New() // in production: sqs.NewFromConfig(cfg) and the queue's URL
	url := fake.SQS().CreateQueue("orders.fifo")
	queue := sqsdestination.Open(sqs.NewFromConfig(fake.Config("worker-1")), url)

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := queue.Publish(context.Background(), []batching.Emitted{
		{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`), Attributes: map[string]string{"type": "order"}},
	})
	for _, m := range fake.SQS().Messages("orders.fifo") {
		fmt.Println(m.GroupID, m.Body, m.Attributes["type"].Text, m.Attributes["towpath-id"].Text)
	}
	fmt.Println(err)
	// Output:
	// alice {"total":12} order order-1#0
	// <nil>
}

func (q *queue) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, opts ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	return nil, errors.New("not asked for")
}

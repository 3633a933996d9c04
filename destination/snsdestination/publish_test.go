package snsdestination_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/topicfake"
)

func TestTopicIsAPublisherOverTheWire(t *testing.T) {
	for _, name := range []string{"emitted", "emitted.fifo"} {
		t.Run(name, func(t *testing.T) {
			destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig { return publisherRig(awsfake.New(), name) })
		})
	}
}

func TestLargeEmittedPayloadsGoToAStore(t *testing.T) {
	destinationtest.RunPublisher(t, func(*testing.T) destinationtest.PublisherRig {
		s := &destinationtest.Shelf{}
		rig := publisherRig(awsfake.New(), "emitted", func(o *snsdestination.Options) { o.Store = s })
		rig.Load = s.Load
		return rig
	})
}

func publisherRig(a *awsfake.AWS, name string, options ...func(*snsdestination.Options)) destinationtest.PublisherRig {
	arn := a.SNS().CreateTopic(name)
	var mu sync.Mutex
	var calls []destinationtest.Call
	a.Trace(func(e awsfake.Exchange) {
		form, err := url.ParseQuery(string(e.Body))
		if e.Operation != "PublishBatch" || err != nil {
			return
		}
		call := destinationtest.Call{}
		for name := range form {
			entry, last := strings.HasPrefix(name, "PublishBatchRequestEntries.member."), name[strings.LastIndexByte(name, '.')+1:]
			switch {
			case !entry:
			case last == "Message":
				call.Records++
				call.Bytes += len(form.Get(name))
			case last == "Name", last == "DataType", last == "StringValue":
				call.Bytes += len(form.Get(name))
			}
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call)
	})
	return destinationtest.PublisherRig{
		Publisher:  snsdestination.Open(sns.NewFromConfig(a.Config("test")), arn, options...),
		MaxBytes:   destination.MaxSNSBytes,
		BatchLimit: 10,
		BatchBytes: destination.MaxSNSBytes,
		Attributed: true,
		Once:       strings.HasSuffix(name, ".fifo"),
		Calls: func(*testing.T) []destinationtest.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		},
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, m := range a.SNS().Published(arn) {
				attributes := map[string]string{}
				for name, v := range m.Attributes {
					attributes[name] = v.Text
				}
				all = append(all, published(t, []byte(m.Body), attributes))
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() {
			return a.SNS().RefuseSome(func(m topicfake.Message) bool { return refuse([]byte(m.Body)) })
		},
		Refuse: func(*testing.T) func() {
			return a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail("NotFound", 404) })
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

func TestTopicIsAPublisherOnAServer(t *testing.T) {
	config := servertest.Config(t, "aws")
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		rig := wireRig(t, sns.NewFromConfig(config), sqs.NewFromConfig(config))
		return destinationtest.PublisherRig{
			Publisher:  rig.Destination.(*snsdestination.Topic),
			MaxBytes:   destination.MaxSNSBytes,
			BatchLimit: 10,
			BatchBytes: destination.MaxSNSBytes,
			Attributed: true,
			Unordered:  true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				for _, m := range rig.Accepted(t) {
					all = append(all, published(t, m.Body, m.Attributes))
				}
				return all
			},
		}
	})
}

func TestUnorderedIsNotForFIFO(t *testing.T) {
	d := snsdestination.Open(&topic{}, fifoARN, func(o *snsdestination.Options) { o.Unordered = true })
	if err := d.Validate(); err == nil || !strings.Contains(err.Error(), "Unordered is set") {
		t.Errorf("error %v", err)
	}
	if err := d.Publish(t.Context(), destinationtest.SampleEmitted(2, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
}

func ExampleTopic_Publish() {
	fake := awsfake.New() // in production: sns.NewFromConfig(cfg) and the topic's ARN
	arn := fake.SNS().CreateTopic("orders")
	topic := snsdestination.Open(sns.NewFromConfig(fake.Config("worker-1")), arn)

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := topic.Publish(context.Background(), []batching.Emitted{
		{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`), Attributes: map[string]string{"type": "order"}},
	})
	for _, m := range fake.SNS().Published(arn) {
		fmt.Println(m.Body, m.Attributes["type"].Text, m.Attributes["towpath-key"].Text)
	}
	fmt.Println(err)
	// Output:
	// {"total":12} order alice
	// <nil>
}

func (q *topic) PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	return nil, errors.New("not asked for")
}

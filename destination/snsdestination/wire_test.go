package snsdestination_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The service's own client and protocol, in the process; a queue that is
// subscribed is what is read.
func TestTopicIsADestinationOverTheWire(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		a := awsfake.New()
		rig := wireRig(t, sns.NewFromConfig(a.Config("test")), sqs.NewFromConfig(a.Config("test")))
		rig.Refuse = func(*testing.T) func() { return a.Intercept(refused) }
		return rig
	})
}

func TestFIFOTopicIsADestinationOverTheWire(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		a := awsfake.New()
		arn := a.SNS().CreateTopic("failed.fifo")
		return destinationtest.Rig{
			Destination: snsdestination.Open(sns.NewFromConfig(a.Config("test")), arn),
			MaxBytes:    destination.MaxSNSBytes,
			Attributed:  true,
			Once:        true,
			Refuse:      func(*testing.T) func() { return a.Intercept(refused) },
			Accepted: func(*testing.T) (accepted []destinationtest.Accepted) {
				for _, m := range a.SNS().Published(arn) {
					attributes := map[string]string{}
					for name, v := range m.Attributes {
						attributes[name] = v.Text
					}
					accepted = append(accepted, destinationtest.Accepted{ID: m.DeduplicationID, Body: []byte(m.Body), Attributes: attributes})
				}
				return accepted
			},
		}
	})
}

// refused is how a topic that was deleted answers a publisher.
func refused(_ context.Context, c awsfake.Call) awsfake.Fault {
	if c.Operation == "Publish" {
		return awsfake.Fail("NotFound", http.StatusNotFound)
	}
	return awsfake.Fault{}
}

func TestMissingTopicIsReadableOverTheWire(t *testing.T) {
	const arn = "arn:aws:sns:us-east-1:000000000000:there-is-no-such-topic"
	err := snsdestination.Open(sns.NewFromConfig(awsfake.New().Config("test")), arn).Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such topic in this account and region") || !strings.Contains(err.Error(), arn) {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}

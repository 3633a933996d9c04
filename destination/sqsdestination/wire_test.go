package sqsdestination_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The service's own client and protocol, in the process.
func TestQueueIsADestinationOverTheWire(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("queue"+suffix, func(t *testing.T) {
			destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
				a := awsfake.New()
				rig := wireRig(t, sqs.NewFromConfig(a.Config("test")), suffix)
				rig.Refuse = func(*testing.T) func() { return a.Intercept(refused) }
				return rig
			})
		})
	}
}

func TestLargePayloadsGoToABucketOverTheWire(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		a := awsfake.New()
		if err := a.S3().CreateBucket("payloads"); err != nil {
			t.Fatal(err)
		}
		client := sqs.NewFromConfig(a.Config("test"))
		rig := wireRig(t, client, "")
		rig.Destination = sqsdestination.Open(client, rig.Destination.(*sqsdestination.Queue).String(), func(o *sqsdestination.Options) {
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

// refused is how a queue that was deleted answers a sender.
func refused(_ context.Context, c awsfake.Call) awsfake.Fault {
	if c.Operation == "SendMessage" {
		return awsfake.Fail("QueueDoesNotExist", http.StatusBadRequest)
	}
	return awsfake.Fault{}
}

func TestMissingQueueIsReadableOverTheWire(t *testing.T) {
	const url = "https://sqs.us-east-1.amazonaws.com/000000000000/there-is-no-such-queue"
	err := sqsdestination.Open(sqs.NewFromConfig(awsfake.New().Config("test")), url).Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such queue in this account and region") || !strings.Contains(err.Error(), url) {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}

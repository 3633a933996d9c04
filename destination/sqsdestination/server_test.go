package sqsdestination_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/internal/queuetest"
	"github.com/towpath/towpath/internal/servertest"
)

func TestQueueIsADestinationOnAServer(t *testing.T) {
	client := sqs.NewFromConfig(servertest.Config(t, "aws"))
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("queue"+suffix, func(t *testing.T) {
			destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig { return wireRig(t, client, suffix) })
		})
	}
}

func TestMissingQueueIsReadableOnAServer(t *testing.T) {
	url := servertest.Endpoint(t, "aws") + "/000000000000/there-is-no-such-queue"
	client := sqs.NewFromConfig(servertest.Config(t, "aws"))
	err := sqsdestination.Open(client, url).Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such queue in this account and region") || !strings.Contains(err.Error(), url) {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}

// wireRig makes a queue and reads it through the service's own API.
func wireRig(t *testing.T, client *sqs.Client, suffix string) destinationtest.Rig {
	name := fmt.Sprintf("failed-%d%s", time.Now().UnixNano(), suffix)
	attributes := map[string]string{"MaximumMessageSize": fmt.Sprint(destination.MaxSQSBytes)}
	if suffix != "" {
		attributes["FifoQueue"] = "true"
	}
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = client.DeleteQueue(context.WithoutCancel(t.Context()), &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	})
	var received []destinationtest.Accepted
	return destinationtest.Rig{
		Destination: sqsdestination.Open(client, *made.QueueUrl),
		MaxBytes:    destination.MaxSQSBytes,
		Attributed:  true,
		Once:        suffix != "",
		Accepted: func(t *testing.T) []destinationtest.Accepted {
			received = append(received, queuetest.Drain(t, client, *made.QueueUrl, 0)...)
			return slices.Clone(received)
		},
	}
}

package snsdestination_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/internal/queuetest"
	"github.com/towpath/towpath/internal/servertest"
)

func TestTopicIsADestinationOnAServer(t *testing.T) {
	config := servertest.Config(t, "aws")
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		return wireRig(t, sns.NewFromConfig(config), sqs.NewFromConfig(config))
	})
}

func TestMissingTopicIsReadableOnAServer(t *testing.T) {
	const arn = "arn:aws:sns:us-east-1:000000000000:there-is-no-such-topic"
	client := sns.NewFromConfig(servertest.Config(t, "aws"))
	err := snsdestination.Open(client, arn).Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such topic in this account and region") || !strings.Contains(err.Error(), arn) {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}

// wireRig makes a topic with a queue that is subscribed to it, and reads the
// queue: what a subscriber gets is what counts.
func wireRig(t *testing.T, topics *sns.Client, queues *sqs.Client) destinationtest.Rig {
	name := fmt.Sprintf("failed-%d", time.Now().UnixNano())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	topic, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name})
	must(err)
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	must(err)
	attributes, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: queue.QueueUrl, AttributeNames: []types.QueueAttributeName{"QueueArn"},
	})
	must(err)
	_, err = topics.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(attributes.Attributes["QueueArn"]),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	must(err)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx := context.WithoutCancel(t.Context())
		_, _ = topics.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: topic.TopicArn})
		_, _ = queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: queue.QueueUrl})
	})
	var received []destinationtest.Accepted
	return destinationtest.Rig{
		Destination: snsdestination.Open(topics, *topic.TopicArn),
		MaxBytes:    destination.MaxSNSBytes,
		Attributed:  true,
		Accepted: func(t *testing.T) []destinationtest.Accepted {
			// A topic need not have delivered by the time it has accepted.
			received = append(received, queuetest.Drain(t, queues, *queue.QueueUrl, 1)...)
			return slices.Clone(received)
		},
	}
}

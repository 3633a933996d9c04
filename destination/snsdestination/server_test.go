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
			received = append(received, drain(t, queues, queue.QueueUrl)...)
			return slices.Clone(received)
		},
	}
}

// drain receives what is there and deletes it. It waits a second for more: a
// topic need not have delivered by the time it has accepted.
func drain(t *testing.T, client *sqs.Client, url *string) (all []destinationtest.Accepted) {
	t.Helper()
	for {
		got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Messages) == 0 {
			return all
		}
		for _, m := range got.Messages {
			a := destinationtest.Accepted{Body: []byte(*m.Body), Attributes: map[string]string{}}
			for name, v := range m.MessageAttributes {
				a.Attributes[name] = aws.ToString(v.StringValue)
			}
			all = append(all, a)
			if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

package topicfake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The same probe runs against the fake and against a server that others wrote,
// so that what the fake is trusted for is not only its own opinion.

func TestFakeAnswersTheProbe(t *testing.T) {
	config := awsfake.New().Config("probe")
	probe(t, sns.NewFromConfig(config), sqs.NewFromConfig(config))
}

func TestServerAnswersTheProbe(t *testing.T) {
	config := servertest.Config(t, "aws")
	probe(t, sns.NewFromConfig(config), sqs.NewFromConfig(config))
}

func probe(t *testing.T, topics *sns.Client, queues *sqs.Client) {
	ctx := t.Context()
	name := aws.String(fmt.Sprintf("probe-%d", time.Now().UnixNano()))
	made, err := topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.TopicArn
	again, err := topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: name})
	if err != nil || *again.TopicArn != *arn {
		t.Errorf("the topic made again is %v %v, want %s", again, err, *arn)
	}
	if _, err := topics.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: arn}); err != nil {
		t.Error(err)
	}
	var missing *types.NotFoundException
	if _, err := topics.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: aws.String(*arn + "-none")}); !errors.As(err, &missing) {
		t.Errorf("attributes of a topic that is not there: %v", err)
	}
	missing = nil
	if _, err := topics.Publish(ctx, &sns.PublishInput{TopicArn: aws.String(*arn + "-none"), Message: aws.String("x")}); !errors.As(err, &missing) {
		t.Errorf("a message to a topic that is not there: %v", err)
	}

	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = queues.DeleteQueue(context.WithoutCancel(ctx), &sqs.DeleteQueueInput{QueueUrl: queue.QueueUrl})
		_, _ = topics.DeleteTopic(context.WithoutCancel(ctx), &sns.DeleteTopicInput{TopicArn: arn})
	})
	about, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = topics.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: arn, Protocol: aws.String("sqs"), Endpoint: aws.String(about.Attributes["QueueArn"]),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := topics.Publish(ctx, &sns.PublishInput{TopicArn: arn, Message: aws.String("a & b <\u00e9>"), MessageAttributes: map[string]types.MessageAttributeValue{
		"shard": {DataType: aws.String("String"), StringValue: aws.String("shardId-1")},
	}})
	if err != nil || aws.ToString(sent.MessageId) == "" {
		t.Fatalf("publish: %+v %v", sent, err)
	}
	batch, err := topics.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: arn, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
		{Id: aws.String("1"), Message: aws.String("one")}, {Id: aws.String("2"), Message: aws.String("two")},
	}})
	if err != nil || len(batch.Successful) != 2 {
		t.Errorf("a batch of two: %+v %v", batch, err)
	}
	got, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, WaitTimeSeconds: 1})
	if err != nil || len(got.Messages) != 3 {
		t.Fatalf("the queue got %+v %v, want three messages", got, err)
	}
	first := got.Messages[0]
	if *first.Body != "a & b <\u00e9>" || aws.ToString(first.MessageAttributes["shard"].StringValue) != "shardId-1" {
		t.Errorf("the queue got %q with %v", *first.Body, first.MessageAttributes)
	}
}

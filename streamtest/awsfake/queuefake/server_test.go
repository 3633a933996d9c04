package queuefake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The same probe runs against the fake and against a server that others wrote,
// so that what the fake is trusted for is not only its own opinion.

func TestFakeAnswersTheProbe(t *testing.T) {
	probe(t, sqs.NewFromConfig(awsfake.New().Config("probe")))
}

func TestServerAnswersTheProbe(t *testing.T) {
	probe(t, sqs.NewFromConfig(servertest.Config(t, "aws")))
}

func probe(t *testing.T, client *sqs.Client) {
	ctx := t.Context()
	queueOf := func(name string, attributes map[string]string) *string {
		t.Helper()
		out, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			// The test's own context has ended by now.
			_, _ = client.DeleteQueue(context.WithoutCancel(ctx), &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl})
		})
		return out.QueueUrl
	}
	receive := func(url *string) []types.Message {
		t.Helper()
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}
	base := fmt.Sprintf("probe-%d", time.Now().UnixNano())
	url := queueOf(base, nil)

	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &base})
	if err != nil || *found.QueueUrl != *url {
		t.Errorf("GetQueueUrl: %v %v, want %s", found, err, *url)
	}
	var missing *types.QueueDoesNotExist
	if _, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(base + "-none")}); !errors.As(err, &missing) {
		t.Errorf("a queue that is not there: %v", err)
	}

	// The client itself verifies the digests of body and attributes.
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("hello \u00e9"), MessageAttributes: map[string]types.MessageAttributeValue{
		"shard": {DataType: aws.String("String"), StringValue: aws.String("shardId-1")},
		"count": {DataType: aws.String("Number"), StringValue: aws.String("7")},
		"bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	messages := receive(url)
	if len(messages) != 1 || *messages[0].Body != "hello \u00e9" || *messages[0].MessageAttributes["count"].StringValue != "7" {
		t.Fatalf("received %+v", messages)
	}
	if again := receive(url); len(again) != 0 {
		t.Errorf("a message in flight was received: %+v", again)
	}
	if _, err := client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: messages[0].ReceiptHandle, VisibilityTimeout: 0}); err != nil {
		t.Error(err)
	}
	if messages = receive(url); len(messages) != 1 {
		t.Fatalf("a message that was given back came %d times", len(messages))
	}
	if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: messages[0].ReceiptHandle}); err != nil {
		t.Error(err)
	}

	batch, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("A")}, {Id: aws.String("b"), MessageBody: aws.String("B")},
	}})
	if err != nil || len(batch.Successful) != 2 {
		t.Errorf("a batch of two: %+v %v", batch, err)
	}
	if got := len(receive(url)); got != 2 {
		t.Errorf("received %d messages of the batch, want 2", got)
	}
	var twins *types.BatchEntryIdsNotDistinct
	_, err = client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("A")}, {Id: aws.String("a"), MessageBody: aws.String("B")},
	}})
	if !errors.As(err, &twins) {
		t.Errorf("two entries with one id: %v", err)
	}

	fifo := queueOf(base+".fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	for _, body := range []string{"one", "one", "two"} {
		if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: fifo, MessageBody: &body, MessageGroupId: aws.String("g")}); err != nil {
			t.Fatal(err)
		}
	}
	if got := receive(fifo); len(got) != 2 || *got[0].Body != "one" || *got[1].Body != "two" {
		t.Errorf("a FIFO queue gave %+v, want one, two", got)
	}
	if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: fifo, MessageBody: aws.String("x")}); err == nil {
		t.Error("a FIFO queue took a message without a group")
	}
}

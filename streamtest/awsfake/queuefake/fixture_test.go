package queuefake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/queuefake"
)

// world is a queue in a fake, with the SDK's client in front of it.
type world struct {
	t      *testing.T
	client *sqs.Client
	fake   *queuefake.Service
	url    string
}

// inBubble runs f with a queue of that name, in virtual time, and with a client
// that does not try again.
func inBubble(t *testing.T, name string, f func(t *testing.T, w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		config := a.Config("tester")
		config.RetryMaxAttempts = 1
		f(t, world{t, sqs.NewFromConfig(config), a.SQS(), a.SQS().CreateQueue(name)})
	})
}

// send sends a message; change is for the request.
func (w world) send(body string, change ...func(*sqs.SendMessageInput)) (*sqs.SendMessageOutput, error) {
	in := &sqs.SendMessageInput{QueueUrl: &w.url, MessageBody: &body}
	for _, f := range change {
		f(in)
	}
	return w.client.SendMessage(w.t.Context(), in)
}

// inGroup is for a FIFO queue.
func inGroup(group, id string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		in.MessageGroupId = &group
		if id != "" {
			in.MessageDeduplicationId = &id
		}
	}
}

// receive gets up to ten messages with all there is to them.
func (w world) receive() []types.Message {
	w.t.Helper()
	out, err := w.client.ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &w.url, MaxNumberOfMessages: 10,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	w.must(err)
	return out.Messages
}

// drop deletes a message by a receipt.
func (w world) drop(m types.Message) error {
	_, err := w.client.DeleteMessage(w.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.url, ReceiptHandle: m.ReceiptHandle})
	return err
}

// hide changes a message's visibility by a receipt.
func (w world) hide(m types.Message, seconds int32) error {
	_, err := w.client.ChangeMessageVisibility(w.t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &w.url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
	return err
}

// set changes an attribute of the queue.
func (w world) set(name, value string) {
	w.t.Helper()
	_, err := w.client.SetQueueAttributes(w.t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &w.url, Attributes: map[string]string{name: value}})
	w.must(err)
}

func (w world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func bodies(messages []types.Message) []string {
	list := []string{}
	for _, m := range messages {
		list = append(list, aws.ToString(m.Body))
	}
	return list
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// refused wants a code of the older protocol, which is what the client shows,
// without the prefix that most have.
func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || strings.TrimPrefix(api.ErrorCode(), "AWS.SimpleQueueService.") != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

package topicfake_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/topicfake"
)

// world is a topic in a fake, with the SDK's client in front of it.
type world struct {
	t      *testing.T
	client *sns.Client
	aws    *awsfake.AWS
	fake   *topicfake.Service
	arn    string
}

// inBubble runs f with a topic of that name, in virtual time, and with a client
// that does not try again.
func inBubble(t *testing.T, name string, f func(t *testing.T, w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		config := a.Config("tester")
		config.RetryMaxAttempts = 1
		f(t, world{t, sns.NewFromConfig(config), a, a.SNS(), a.SNS().CreateTopic(name)})
	})
}

// publish publishes a message; change is for the request.
func (w world) publish(body string, change ...func(*sns.PublishInput)) (*sns.PublishOutput, error) {
	in := &sns.PublishInput{TopicArn: &w.arn, Message: &body}
	for _, f := range change {
		f(in)
	}
	return w.client.Publish(w.t.Context(), in)
}

// inGroup is for a FIFO topic.
func inGroup(group, id string) func(*sns.PublishInput) {
	return func(in *sns.PublishInput) {
		in.MessageGroupId = &group
		if id != "" {
			in.MessageDeduplicationId = &id
		}
	}
}

// subscribe subscribes a queue, and makes it.
func (w world) subscribe(queue, raw string) error {
	w.aws.SQS().CreateQueue(queue)
	_, err := w.client.Subscribe(w.t.Context(), &sns.SubscribeInput{
		TopicArn: &w.arn, Protocol: aws.String("sqs"), Endpoint: aws.String(w.aws.SQS().ARN(queue)),
		Attributes: map[string]string{"RawMessageDelivery": raw},
	})
	return err
}

// set changes an attribute of the topic.
func (w world) set(name, value string) {
	w.t.Helper()
	_, err := w.client.SetTopicAttributes(w.t.Context(), &sns.SetTopicAttributesInput{TopicArn: &w.arn, AttributeName: &name, AttributeValue: &value})
	w.must(err)
}

func (w world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

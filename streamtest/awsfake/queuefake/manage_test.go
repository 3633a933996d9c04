package queuefake_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestQueuesAreMadeFoundAndDeleted(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		ctx := t.Context()
		create := func(name string, attributes map[string]string) error {
			_, err := w.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
			return err
		}
		w.must(create("failed", map[string]string{"VisibilityTimeout": "30"}))
		refused(t, "another timeout", create("failed", map[string]string{"VisibilityTimeout": "31"}), "QueueAlreadyExists")
		w.must(create("other.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}))
		for _, name := range []string{"", "a b", "a.b", "other2.fifo", strings.Repeat("q", 81)} {
			if name != "" {
				refused(t, name, create(name, nil), "InvalidParameterValue")
			}
			if w.fake.CreateQueue(name) != "" && name != "other2.fifo" {
				t.Errorf("%q is a name", name)
			}
		}
		refused(t, "attribute", create("q", map[string]string{"Size": "1"}), "InvalidAttributeName")
		refused(t, "value", create("q", map[string]string{"MaximumMessageSize": "1023"}), "InvalidAttributeValue")
		refused(t, "FIFO only", create("q", map[string]string{"ContentBasedDeduplication": "true"}), "InvalidAttributeName")
		refused(t, "redrive", create("q", map[string]string{"RedrivePolicy": "{}"}), "UnsupportedOperation")

		found, err := w.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("failed")})
		w.must(err)
		same(t, "URL", *found.QueueUrl, w.url)
		var urls []string
		for p := sqs.NewListQueuesPaginator(w.client, &sqs.ListQueuesInput{MaxResults: aws.Int32(2)}); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			w.must(err)
			urls = append(urls, page.QueueUrls...)
		}
		same(t, "listed", len(urls), 3)

		_, err = w.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &w.url})
		w.must(err)
		_, err = w.send("m")
		refused(t, "gone", err, "NonExistentQueue")
		var gone *types.QueueDoesNotExist
		if !errors.As(err, &gone) {
			t.Errorf("got %v, want a *types.QueueDoesNotExist", err)
		}
		if w.fake.Messages("failed") != nil {
			t.Error("a queue that is gone has messages")
		}
	})
}

func TestAttributesCountMessages(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		for _, delay := range []int32{0, 0, 100} {
			_, err := w.send("m", func(in *sqs.SendMessageInput) { in.DelaySeconds = delay })
			w.must(err)
		}
		_, err := w.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &w.url})
		w.must(err)
		get := func(names ...types.QueueAttributeName) (map[string]string, error) {
			out, err := w.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &w.url, AttributeNames: names})
			if err != nil {
				return nil, err
			}
			return out.Attributes, nil
		}
		all, err := get("All")
		w.must(err)
		for name, want := range map[string]string{
			"ApproximateNumberOfMessages": "1", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1",
			"QueueArn": w.fake.ARN("failed"), "MaximumMessageSize": "1048576", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600",
		} {
			same(t, name, all[name], want)
		}
		one, err := get("QueueArn")
		w.must(err)
		same(t, "one", one, map[string]string{"QueueArn": "arn:aws:sqs:us-east-1:000000000000:failed"})
		_, err = get("Nothing")
		refused(t, "unknown", err, "InvalidAttributeName")
	})
}

func TestPurgeIsOnceAMinute(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		purge := func() error {
			_, err := w.client.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &w.url})
			return err
		}
		_, err := w.send("m")
		w.must(err)
		w.must(purge())
		same(t, "left", bodies(w.receive()), "[]")
		time.Sleep(time.Minute - time.Nanosecond)
		refused(t, "again", purge(), "PurgeQueueInProgress")
		time.Sleep(time.Nanosecond)
		w.must(purge())
	})
}

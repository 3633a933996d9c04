// Package queuetest reads, for tests, what destinations left in a queue of
// Amazon SQS.
package queuetest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/destination/destinationtest"
)

// Drain receives what is in the queue and deletes it, until a request that
// waited so many seconds, 0 to 20, for more found nothing.
func Drain(t *testing.T, client *sqs.Client, url string, seconds int32) (all []destinationtest.Accepted) {
	t.Helper()
	for {
		got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: seconds,
			MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Messages) == 0 {
			return all
		}
		for _, m := range got.Messages {
			a := destinationtest.Accepted{Body: []byte(*m.Body), ID: m.Attributes["MessageDeduplicationId"], Attributes: map[string]string{}}
			for name, v := range m.MessageAttributes {
				a.Attributes[name] = aws.ToString(v.StringValue)
			}
			all = append(all, a)
			if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

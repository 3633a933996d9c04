package queuefake_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// What a program sent is looked at without the protocol, and without receiving.
func ExampleService_Messages() {
	fake := awsfake.New()
	url := fake.SQS().CreateQueue("failed")
	client := sqs.NewFromConfig(fake.Config("worker-1"))
	_, err := client.SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("a failure")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range fake.SQS().Messages("failed") {
		fmt.Println(m.Body, m.Receives)
	}
	// Output: a failure 0
}

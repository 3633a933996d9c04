package topicfake_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// What a program published is looked at without the protocol, and without a
// subscriber.
func ExampleService_Published() {
	fake := awsfake.New()
	arn := fake.SNS().CreateTopic("failed")
	client := sns.NewFromConfig(fake.Config("worker-1"))
	_, err := client.Publish(context.Background(), &sns.PublishInput{TopicArn: &arn, Message: aws.String("a failure")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range fake.SNS().Published(arn) {
		fmt.Println(m.Body)
	}
	// Output: a failure
}

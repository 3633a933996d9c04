package iam_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/towpath/towpath/iam"
)

// The policy of a worker that polls a stream and sends what it gives up to a
// queue.
func ExampleFor() {
	policy, err := iam.For(iam.Scope{
		Stream:       "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
		Application:  "clickstream",
		Destinations: []string{"arn:aws:sqs:eu-west-1:123456789012:letters"},
	}, iam.Polling, iam.Leases, iam.Send)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range policy.Statement {
		text, err := json.Marshal(s.Action)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s\n  %s\n", s.Sid, s.Resource, text)
	}
	// Output:
	// Stream [arn:aws:kinesis:eu-west-1:123456789012:stream/clicks]
	//   ["kinesis:DescribeStreamSummary","kinesis:GetRecords","kinesis:GetShardIterator","kinesis:ListShards"]
	// Leases [arn:aws:dynamodb:eu-west-1:123456789012:table/clickstream]
	//   ["dynamodb:DeleteItem","dynamodb:DescribeTable","dynamodb:GetItem","dynamodb:PutItem","dynamodb:Scan","dynamodb:UpdateItem"]
	// LeasesByOwner [arn:aws:dynamodb:eu-west-1:123456789012:table/clickstream/index/LeaseOwnerToLeaseKeyIndex]
	//   ["dynamodb:Query"]
	// Sessions [arn:aws:dynamodb:eu-west-1:123456789012:table/clickstream-sessions]
	//   ["dynamodb:ConditionCheckItem","dynamodb:DeleteItem","dynamodb:DescribeTable","dynamodb:GetItem","dynamodb:PutItem","dynamodb:Scan","dynamodb:UpdateItem"]
	// Queues [arn:aws:sqs:eu-west-1:123456789012:letters]
	//   ["sqs:SendMessage"]
}

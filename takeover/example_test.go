package takeover_test

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/takeover"
)

// A row that KCL left behind. Facts come from takeover.Look.
func ExampleRead() {
	row := takeover.Row{
		"leaseKey":                    &types.AttributeValueMemberS{Value: "shardId-000000000001"},
		"leaseOwner":                  &types.AttributeValueMemberS{Value: "ip-10-0-0-1:5c2e"},
		"leaseCounter":                &types.AttributeValueMemberN{Value: "812"},
		"checkpoint":                  &types.AttributeValueMemberS{Value: "4960"},
		"checkpointSubSequenceNumber": &types.AttributeValueMemberN{Value: "17"},
		"startingHashKey":             &types.AttributeValueMemberS{Value: "0"},
	}
	rows := []takeover.Row{row}
	report := takeover.Read(takeover.Facts{
		Table: "clickstream", Application: "clickstream", Keys: []string{"leaseKey"}, First: rows, Second: rows,
	})
	fmt.Println(report.Library, report.Version)
	for _, s := range report.Shards {
		fmt.Println(s.ID, s.Fate)
	}
	fmt.Println(report.Next[0].Command)
	// Output:
	// KCL 1.14 or later, or 2.x
	// shardId-000000000001 goes on in the middle of an aggregate, behind its user record 17
	// towpath fork -application clickstream-trial -from clickstream -stream STREAM
}

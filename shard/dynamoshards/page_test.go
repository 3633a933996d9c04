package dynamoshards

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/towpath/towpath/shard"
)

// What does not lie behind the record before it is dropped and counted, the record
// at the cursor among it: nothing is delivered twice or backwards, whatever the
// service repeats.
func TestRecordsThatDoNotLieBehindAreDropped(t *testing.T) {
	var page []types.Record
	for _, n := range []string{"5", "6", "6", "5", "10", "9", "11"} {
		page = append(page, types.Record{EventName: types.OperationTypeInsert, Dynamodb: &types.StreamRecord{SequenceNumber: aws.String(n)}})
	}
	h, err := cursor{last: shard.After("5", 0)}.harvest(page, "arn", "shardId-1")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, r := range h.records {
		got += " " + r.Sequence
	}
	if want := " 6 10 11"; got != want || h.skipped != 4 {
		t.Errorf("behind 5: delivered%s and skipped %d, want%s and 4", got, h.skipped, want)
	}
}

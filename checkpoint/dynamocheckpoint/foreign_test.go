package dynamocheckpoint_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// pages is a table that answers one row a page.
type pages []map[string]string

func (p pages) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	if p == nil {
		return nil, &types.ResourceNotFoundException{}
	}
	at := 0
	if from, ok := in.ExclusiveStartKey["at"].(*types.AttributeValueMemberS); ok {
		at = len(from.Value)
	}
	out := &dynamodb.ScanOutput{}
	if at < len(p) {
		row := map[string]types.AttributeValue{}
		for name, v := range p[at] {
			row[name] = &types.AttributeValueMemberS{Value: v}
		}
		out.Items = append(out.Items, row)
		out.LastEvaluatedKey = map[string]types.AttributeValue{"at": &types.AttributeValueMemberS{Value: strings.Repeat("x", at+1)}}
	}
	return out, nil
}

// The positions of vmware-go-kcl are read as it writes them.
func TestPositionsOfVMwareAreRead(t *testing.T) {
	rows, err := dynamocheckpoint.VMware(pages{
		{"ShardID": "shardId-2", "AssignedTo": "w", "LeaseTimeout": "2026-11-21T10:00:00Z", "Checkpoint": "4959", "ParentShardId": "shardId-0"},
		{"ShardID": "shardId-0", "Checkpoint": "SHARD_END"},
		{"ShardID": "shardId-1", "AssignedTo": "w", "Checkpoint": "", "ClaimRequest": "v"},
		{"ShardID": "shardId-3"},
		{"ShardID": "shardId-4", "Checkpoint": "later"},
	}, "app").List(t.Context())
	if err != nil || len(rows) != 5 {
		t.Fatalf("got %v (%v)", rows, err)
	}
	want := []shard.Position{shard.End(), shard.TrimHorizon(), shard.After("4959", 0), {}}
	for i, at := range want {
		if rows[i].Checkpoint.Compare(at) != 0 || rows[i].Fault != nil || rows[i].Owner != "" {
			t.Errorf("row %d: got %+v, want it at %v", i, rows[i], at)
		}
	}
	if p := rows[2].Parents; len(p) != 1 || p[0] != "shardId-0" {
		t.Errorf("the parents are %v", p)
	}
	if rows[4].Fault == nil || rows[4].Checkpoint.Validate() == nil {
		t.Errorf("a row that says later is believed: %+v", rows[4])
	}
}

// The table of harlow/kinesis-consumer holds many applications and streams, of
// which one is wanted.
func TestPositionsOfHarlowAreRead(t *testing.T) {
	rows, err := dynamocheckpoint.Harlow(pages{
		{"namespace": "app-clicks", "shard_id": "shardId-1", "sequence_number": "4960"},
		{"namespace": "app-orders", "shard_id": "shardId-1", "sequence_number": "1"},
		{"namespace": "other-clicks", "shard_id": "shardId-0", "sequence_number": "2"},
		{"namespace": "app-clicks", "shard_id": "shardId-0", "sequence_number": "4959"},
	}, "checkpoints", "app", "clicks").List(t.Context())
	if err != nil || len(rows) != 2 || rows[0].Checkpoint.Sequence != "4959" || rows[1].Checkpoint.Sequence != "4960" {
		t.Errorf("got %v (%v)", rows, err)
	}
	if _, err := dynamocheckpoint.Harlow(pages(nil), "gone", "app", "clicks").List(t.Context()); !errors.Is(err, checkpoint.ErrNoTable) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got %v, want it to say that table gone does not exist", err)
	}
}

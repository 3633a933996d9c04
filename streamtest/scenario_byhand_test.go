package streamtest_test

import (
	"testing"

	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// What an operator does to the lease table by hand, and how it is read here.

// leaseItem is the row of a shard as it stands in the table, nil if there is
// none.
func leaseItem(rig *streamtest.Rig, shardID string) dynamofake.Item {
	row, _ := rig.AWS.DynamoDB().Item(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(shardID)})
	return row
}

// leaseAt is the checkpoint in the row of a shard, empty if there is no row.
func leaseAt(rig *streamtest.Rig, shardID string) string {
	return leaseItem(rig, shardID)["checkpoint"].Text()
}

// leaseHolder is who may write a shard's position, empty if nobody may.
func leaseHolder(rig *streamtest.Rig, shardID string) string {
	row := leaseItem(rig, shardID)
	if holder := row["checkpointOwner"].Text(); holder != "" {
		return holder
	}
	return row["leaseOwner"].Text()
}

// deleteLease deletes the row of a shard.
func deleteLease(t *testing.T, rig *streamtest.Rig, shardID string) {
	t.Helper()
	if err := rig.AWS.DynamoDB().Delete(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(shardID)}); err != nil {
		t.Fatalf("delete the row of %s: %v", shardID, err)
	}
}

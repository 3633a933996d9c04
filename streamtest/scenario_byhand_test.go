package streamtest_test

import (
	"testing"

	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/tablefake"
)

// What an operator does to the lease table by hand, and how it is read here.

// leaseItem is the row of a shard as it stands in the table, nil if there is
// none.
func leaseItem(rig *streamtest.Rig, shardID string) tablefake.Item {
	row, _ := rig.AWS.DynamoDB().Item(streamtest.Application, tablefake.Item{"leaseKey": tablefake.S(shardID)})
	return row
}

// leaseAt is the checkpoint in the row of a shard, empty if there is no row.
func leaseAt(rig *streamtest.Rig, shardID string) string {
	return leaseItem(rig, shardID)["checkpoint"].Text()
}

// deleteLease deletes the row of a shard.
func deleteLease(t *testing.T, rig *streamtest.Rig, shardID string) {
	t.Helper()
	if err := rig.AWS.DynamoDB().Delete(streamtest.Application, tablefake.Item{"leaseKey": tablefake.S(shardID)}); err != nil {
		t.Fatalf("delete the row of %s: %v", shardID, err)
	}
}

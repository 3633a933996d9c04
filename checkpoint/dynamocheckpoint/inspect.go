package dynamocheckpoint

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

// LeaseOf reads a row of a lease table as it stands there, for whoever looks at
// tables and changes nothing. It is false for a row that KCL keeps in the table for
// other purposes. A row that cannot be believed has its Fault.
func LeaseOf(row map[string]types.AttributeValue) (shard.Lease, bool) {
	l := leaseOf(row)
	return l, !errors.Is(l.Fault, errNotLease)
}

// Writer is the library that an attribute of a lease row comes from.
type Writer string

const (
	// WriterKCL is every version of the Kinesis Client Library, and this library,
	// which writes these attributes as KCL does.
	WriterKCL Writer = "KCL"
	// WriterKCL3 is KCL 3, and this library.
	WriterKCL3 Writer = "KCL 3"
	// WriterTowpath is this library alone.
	WriterTowpath Writer = "towpath"
)

// attributes are those of a lease row. KCL's are those of its lease serializers,
// 1.x to 3.5.
var attributes = map[string]Writer{
	"leaseKey": WriterKCL, "leaseOwner": WriterKCL, "leaseCounter": WriterKCL, "checkpoint": WriterKCL,
	"checkpointSubSequenceNumber": WriterKCL, "ownerSwitchesSinceCheckpoint": WriterKCL, "parentShardId": WriterKCL,
	"pendingCheckpoint": WriterKCL, "pendingCheckpointSubSequenceNumber": WriterKCL, "pendingCheckpointState": WriterKCL,
	"childShardIds": WriterKCL, "startingHashKey": WriterKCL, "endingHashKey": WriterKCL, "streamName": WriterKCL, "shardId": WriterKCL,
	"checkpointOwner": WriterKCL3, "throughputKBps": WriterKCL3, "entityType": WriterKCL3,
	"seekGen": WriterTowpath, "streamEpoch": WriterTowpath, "lastArrivalMs": WriterTowpath, "readUpToMs": WriterTowpath,
	"startAtMs": WriterTowpath, "createdFrom": WriterTowpath, "lost": WriterTowpath, "marks": WriterTowpath,
	"suspect": WriterTowpath, "suspectSub": WriterTowpath, "suspectCrashes": WriterTowpath, "suspectHandler": WriterTowpath,
}

// WriterOf says which library an attribute of a lease row comes from; empty for
// one that is none of theirs. Such an attribute is left as it is by all of them.
func WriterOf(attribute string) Writer { return attributes[attribute] }

// Claimed says which stream the tables belong to: its ARN and when it was created,
// as the first start wrote them. The zero Stream is nobody's yet.
func (t *Table) Claimed(ctx context.Context) (shard.Stream, error) {
	row, err := t.get(ctx, t.sessions, "id", controlRow)
	if err != nil {
		return shard.Stream{}, err
	}
	r := &reading{row: row}
	s := shard.Stream{ARN: r.text("streamArn"), CreatedAt: r.instant("streamEpoch")}
	return s, r.fault
}

// TableRole is what a table is for.
type TableRole string

const (
	// RoleLeases is the table of the positions and owners of shards.
	RoleLeases TableRole = "lease table"
	// RoleSessions is that of the workers' signs of life.
	RoleSessions TableRole = "session table"
	// RoleStates is that of what handlers keep beside a lease.
	RoleStates TableRole = "state table"
	// RoleParked is that of the records of parked keys.
	RoleParked TableRole = "table of parked records"
)

// Fits says why a table that is there cannot have a role for this application; nil
// if it can.
func (t *Table) Fits(table *types.TableDescription, as TableRole) error {
	return t.layoutOf(as).fits(table)
}

// NameOf is the name of the table that has a role, and how one is made by hand.
func (t *Table) NameOf(as TableRole) (name, made string) {
	l := t.layoutOf(as)
	return l.name, l.inWords()
}

func (t *Table) layoutOf(as TableRole) layout {
	switch as {
	case RoleLeases:
		return t.layouts()[0]
	case RoleSessions:
		return t.layouts()[1]
	case RoleStates:
		return t.stateLayout()
	}
	return t.parkedLayout()
}

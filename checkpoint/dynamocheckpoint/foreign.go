package dynamocheckpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// ForeignClient is what a Foreign asks of DynamoDB. *dynamodb.Client satisfies it.
type ForeignClient interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Foreign is the table in which another library keeps its positions, for an
// application that is to begin at them (reposition.Mover.Fork). It is only read,
// and its fleet has to be stopped first: what a live one goes on to write is not
// seen. What such a table does not say of a shard, its parents and its range, the
// listing of the stream does.
type Foreign struct {
	client ForeignClient
	table  string
	// lease is the row of a shard; false is one of something else, or of another
	// application.
	lease func(*reading) (shard.Lease, bool)
}

// VMware is the table of vmware-go-kcl, version 1 or 2, which is named after the
// application. A shard that it notes without a position, because none of its
// records has been finished, begins at its oldest record.
//
// It notes the sequence number of an aggregated record and no index in it: of one
// that was finished in part, all records but the first come again.
func VMware(client ForeignClient, table string) *Foreign {
	return &Foreign{client: client, table: table, lease: func(r *reading) (shard.Lease, bool) {
		l := shard.Lease{Shard: r.text("ShardID")}
		if l.Shard == "" {
			r.wrong("ShardID", "is missing")
		}
		if parent := r.text("ParentShardId"); parent != "" {
			l.Parents = []string{parent}
		}
		l.Checkpoint = r.foreignPosition("Checkpoint")
		return l, true
	}}
}

// Harlow is the table of harlow/kinesis-consumer's DynamoDB store, in which every
// application has rows of its own for every stream. It does not note the end of
// a shard: one that was read to its end is read on from its last record, and
// ends.
func Harlow(client ForeignClient, table, application, stream string) *Foreign {
	return &Foreign{client: client, table: table, lease: func(r *reading) (shard.Lease, bool) {
		if r.text("namespace") != application+"-"+stream {
			return shard.Lease{}, false
		}
		l := shard.Lease{Shard: r.text("shard_id")}
		if l.Shard == "" {
			r.wrong("shard_id", "is missing")
		}
		l.Checkpoint = r.foreignPosition("sequence_number")
		return l, true
	}}
}

// foreignPosition is a sequence number or SHARD_END; the oldest record where there
// is none, or an empty one.
func (r *reading) foreignPosition(name string) shard.Position {
	if s, ok := r.row[name].(*types.AttributeValueMemberS); ok && s.Value == "" {
		return shard.TrimHorizon()
	}
	p := shard.Position{Sequence: r.text(name)}
	if err := p.Validate(); err != nil || p.IsLatest() {
		r.wrong(name, "is no position: want a sequence number or SHARD_END")
	}
	return p
}

// List reads every row, as a lease that nobody holds. A row that cannot be
// understood has a Fault.
func (f *Foreign) List(ctx context.Context) ([]shard.Lease, error) {
	var all []shard.Lease
	in, consistent := &dynamodb.ScanInput{TableName: &f.table}, true
	in.ConsistentRead = &consistent
	for {
		page, err := f.client.Scan(ctx, in)
		var gone *types.ResourceNotFoundException
		if errors.As(err, &gone) {
			return nil, fmt.Errorf("read the positions in table %s: %w: %w", f.table, checkpoint.ErrNoTable, err)
		}
		if err != nil {
			return nil, fmt.Errorf("read the positions in table %s: %w", f.table, err)
		}
		for _, row := range page.Items {
			r := &reading{row: row}
			l, ok := f.lease(r)
			if !ok {
				continue
			}
			l.Key = l.Shard
			if r.fault != nil {
				l.Checkpoint = shard.Position{Sequence: unbelieved}
				l.Fault = fmt.Errorf("row %q: %w", shorten(l.Key), r.fault)
			}
			all = append(all, l)
		}
		if in.ExclusiveStartKey = page.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			slices.SortFunc(all, func(a, b shard.Lease) int { return cmp.Compare(a.Key, b.Key) })
			return all, nil
		}
	}
}

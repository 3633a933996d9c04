package takeover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// Client is what is asked of DynamoDB. *dynamodb.Client satisfies it.
type Client interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Config says what is looked at. Client and Table are required.
type Config struct {
	// Client is where the table is.
	Client Client
	// Table is the table, opened as an application's: its lease table is looked at,
	// and KCL's own beside it.
	Table *dynamocheckpoint.Table
	// Application is the application's name, which a table of several has rows for;
	// empty is that of the table.
	Application string
	// Source is the stream; nil leaves out what its listing would tell.
	Source shard.Source
	// Watch is the time between the looks, at least KCL's failoverTimeMillis to be
	// sure. Default 10 s.
	Watch time.Duration
}

// Row is a row as it stands.
type Row = map[string]types.AttributeValue

// Facts are what was seen.
type Facts struct {
	// Table and Application are the names.
	Table, Application string
	// Keys are the names of the key attributes, and Indexes those of the indexes.
	Keys, Indexes []string
	// Misfit says why towpath cannot work on the table itself; nil if it can.
	Misfit error
	// First and Second are the rows, Apart from one another.
	First, Second []Row
	Apart         time.Duration
	// Before and After are what KCL 3 keeps beside its leases, at the same times.
	Before, After []checkpoint.Neighbour
	// Stream and Shards are what the stream lists; Listed is false if nobody asked.
	Stream shard.Stream
	Shards []shard.Shard
	Listed bool
	// Now is this host's clock at the second look.
	Now time.Time
}

// Look gathers the facts. A table that is not there is checkpoint.ErrNoTable.
func Look(ctx context.Context, cfg Config) (Facts, error) {
	if cfg.Client == nil || cfg.Table == nil {
		return Facts{}, errors.New("takeover: Config.Client or Config.Table is missing")
	}
	name, _ := cfg.Table.NameOf(dynamocheckpoint.RoleLeases)
	f := Facts{Table: name, Application: cmp.Or(cfg.Application, name), Apart: cmp.Or(cfg.Watch, 10*time.Second)}
	out, err := cfg.Client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return f, fmt.Errorf("table %s: %w: %w", name, checkpoint.ErrNoTable, err)
	case err != nil:
		return f, fmt.Errorf("describe table %s: %w", name, err)
	}
	for _, e := range out.Table.KeySchema {
		f.Keys = append(f.Keys, aws.ToString(e.AttributeName))
	}
	for _, x := range out.Table.GlobalSecondaryIndexes {
		f.Indexes = append(f.Indexes, aws.ToString(x.IndexName))
	}
	f.Misfit = cfg.Table.Fits(out.Table, dynamocheckpoint.RoleLeases)
	if cfg.Source != nil {
		if f.Stream, err = cfg.Source.Describe(ctx); err != nil {
			return f, err
		}
		if f.Shards, err = cfg.Source.List(ctx); err != nil {
			return f, err
		}
		f.Listed = true
	}
	look := func() (rows []Row, beside []checkpoint.Neighbour, err error) {
		if rows, err = scan(ctx, cfg.Client, name); err != nil || !slices.Contains(f.Keys, "leaseKey") {
			return rows, nil, err
		}
		beside, err = cfg.Table.Neighbours(ctx)
		return rows, beside, err
	}
	if f.First, f.Before, err = look(); err != nil {
		return f, err
	}
	if err := clock.Sleep(ctx, f.Apart); err != nil {
		return f, err
	}
	f.Second, f.After, err = look()
	f.Now = time.Now()
	return f, err
}

func scan(ctx context.Context, client Client, table string) (rows []Row, err error) {
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	for {
		page, err := client.Scan(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read table %s: %w", table, err)
		}
		rows = append(rows, page.Items...)
		if in.ExclusiveStartKey = page.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return rows, nil
		}
	}
}

// word is a text attribute of a row, or a number's digits; empty if it has
// neither.
func word(row Row, name string) string {
	switch v := row[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

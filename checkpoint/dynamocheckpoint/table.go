package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
)

// Client is what a Table asks of DynamoDB. *dynamodb.Client satisfies it.
type Client interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Options are what can be changed about a Table. The zero value of each field
// is the default.
type Options struct {
	// TableName is the lease table. Default: the application's name, as KCL
	// has it.
	TableName string
	// SessionTable holds the workers' sessions. Default: the application's
	// name with -sessions behind it.
	SessionTable string
	// StateTable holds what handlers keep beside a lease. It is asked for only
	// if something keeps a state. Default: the application's name with -state
	// behind it.
	StateTable string
	// ParkedTable holds the records of keys that are parked. It is asked for only
	// by consumers that park keys. Default: the application's name with -parked
	// behind it.
	ParkedTable string
	// Overflow takes states that are too large for an item of DynamoDB, such as
	// S3Overflow. Default: none, and such a state is an error.
	Overflow Overflow
	// CreateTables lets Prepare create the tables that are missing, billed by
	// request. Default: a missing table is an error.
	CreateTables bool
	// Tags are put on tables that Prepare creates.
	Tags map[string]string
	// Timeout bounds one call to DynamoDB with the client's own retries.
	// Default 5 s. A heartbeat is bounded by its caller's context alone. Too
	// short, and writes of unknown outcome are read back again and again; too
	// long, and a worker learns late that DynamoDB does not answer.
	Timeout time.Duration
}

// Table is a checkpoint.Leases and a checkpoint.States in DynamoDB. It remembers
// nothing that a write depends on, and all its methods may be called at once.
type Table struct {
	client      Client
	application string
	leases      string
	sessions    string
	states      string
	parked      string
	options     Options
	objects     objects
}

var (
	_ checkpoint.Leases   = (*Table)(nil)
	_ checkpoint.States   = (*Table)(nil)
	_ checkpoint.Controls = (*Table)(nil)
)

// Open names the tables of an application. It does no I/O; Prepare does.
// What is wrong with its arguments, Validate says.
func Open(client Client, application string, options ...func(*Options)) *Table {
	o := Options{
		TableName:    application,
		SessionTable: application + "-sessions",
		StateTable:   application + "-state",
		ParkedTable:  application + "-parked",
	}
	for _, set := range options {
		set(&o)
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	return &Table{client: client, application: application, leases: o.TableName, sessions: o.SessionTable, states: o.StateTable, parked: o.ParkedTable, options: o}
}

// bounded is a context for one call.
func (t *Table) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.options.Timeout)
}

// item is a row as DynamoDB has it.
type item = map[string]types.AttributeValue

// get reads one row, strongly consistent; nil if there is none.
func (t *Table) get(ctx context.Context, table, keyName, key string) (item, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	yes := true
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: &yes, Key: item{keyName: text(key)},
	})
	if err != nil {
		return nil, t.failed("read", key, table, err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	return out.Item, nil
}

// pagePatience is for how long one page of a scan is asked for while the table
// is throttled. A scan that gave up at the first refusal would begin with the
// first page for ever: a large table is read by a whole fleet at once when one of
// it dies.
const (
	pagePatience = 20 * time.Second
	pageWait     = 50 * time.Millisecond
	pageMost     = 2 * time.Second
)

// scan reads a whole table, page by page, each page within the timeout. It goes
// on from the page that was throttled.
func (t *Table) scan(ctx context.Context, table string, consistent bool, each func(item)) error {
	var from item
	for {
		page, err := t.patientPage(ctx, &dynamodb.ScanInput{TableName: &table, ConsistentRead: &consistent, ExclusiveStartKey: from})
		if err != nil {
			return t.failed("scan", "all rows", table, err)
		}
		for _, row := range page.Items {
			each(row)
		}
		if from = page.LastEvaluatedKey; len(from) == 0 {
			return nil
		}
	}
}

func (t *Table) patientPage(ctx context.Context, in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
	began := time.Now()
	for most := pageWait; ; most = min(2*most, pageMost) {
		page, err := t.page(ctx, in)
		if err == nil || !isThrottling(err) || time.Since(began) > pagePatience {
			return page, err
		}
		if sleepErr := clock.Sleep(ctx, most/2+dice.From(ctx).N(most/2, "list leases")); sleepErr != nil {
			return nil, fmt.Errorf("%w: %w", sleepErr, err)
		}
	}
}

func (t *Table) page(ctx context.Context, in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	return t.client.Scan(ctx, in)
}

// failed is the error of a call that was not refused by its condition: what was
// done to which row of which table, ErrNoTable if the table is gone, and ErrDenied if
// a permission is missing, which the service names.
func (t *Table) failed(did, key, table string, err error) error {
	var gone *types.ResourceNotFoundException
	switch {
	case errors.As(err, &gone):
		return fmt.Errorf("%s %s in table %s: %w: %w", did, key, table, checkpoint.ErrNoTable, err)
	case isDenied(err):
		return fmt.Errorf("%s %s in table %s: %w: %w", did, key, table, checkpoint.ErrDenied, err)
	}
	return fmt.Errorf("%s %s in table %s: %w", did, key, table, err)
}

// Package dynamoonce keeps in a DynamoDB table which effects have happened.
//
// The table has the partition key id, a string, and no sort key; time to live is
// on the attribute expiration. Its attributes have the names that Powertools for
// AWS Lambda gives them (status, expiration, in_progress_expiration,
// validation), with the tenure beside them: shard_id, fence_stream, fence_counter
// and attempt.
//
// An effect costs two writes, and the capacity of a transaction if effects are
// attached. The permissions are dynamodb:DescribeTable, PutItem, UpdateItem and
// those of the attached writes.
package dynamoonce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/once"
)

// Client is what a Table asks of DynamoDB. *dynamodb.Client satisfies it.
type Client interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Table is a once.Store in DynamoDB. It keeps no state, and all its methods may
// be called at once. Its effects are types.TransactWriteItem.
type Table struct {
	client Client
	name   string
}

var _ once.Store = (*Table)(nil)

// tableName is what DynamoDB allows, see
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html.
var tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

// Open names the table. It does no I/O; Prepare does. What is wrong with its
// arguments, Validate says.
func Open(client Client, table string) *Table { return &Table{client: client, name: table} }

// Validate says what is wrong with the arguments of Open, all at once; once.Each
// calls it.
func (t *Table) Validate() error {
	var problems []error
	if t == nil || t.client == nil {
		problems = append(problems, errors.New("the client is nil, want a *dynamodb.Client"))
	}
	if t != nil && !tableName.MatchString(t.name) && !strings.HasPrefix(t.name, "arn:") {
		problems = append(problems, fmt.Errorf("the table is %q, want 3 to 255 letters, digits, '_', '-' and '.', or an ARN", t.name))
	}
	return errors.Join(problems...)
}

// String is the table's name.
func (t *Table) String() string { return t.name }

// Prepare checks that the table is there and has the right key.
func (t *Table) Prepare(ctx context.Context) error {
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	if err != nil {
		return fmt.Errorf("describe table %s: %w", t.name, err)
	}
	keys := out.Table.KeySchema
	if len(keys) != 1 || keys[0].AttributeName == nil || *keys[0].AttributeName != "id" || keys[0].KeyType != types.KeyTypeHash {
		return fmt.Errorf("table %s is another kind of table: it needs the partition key id of type string and no sort key", t.name)
	}
	return nil
}

// claimable is when an attempt may claim an id: nobody has it, its entry is
// over, or it is in progress with a tenure of this shard that is not later, or
// with another shard's claim that has run out.
const claimable = `attribute_not_exists(id) OR expiration <= :seconds OR (#status = :begun AND %s` +
	` AND ((shard_id = :shard AND (fence_stream < :stream OR (fence_stream = :stream AND fence_counter <= :counter)))` +
	` OR (shard_id <> :shard AND in_progress_expiration <= :now)))`

const (
	statusBegun = "INPROGRESS"
	statusDone  = "COMPLETED"
)

// Begin implements once.Store.
func (t *Table) Begin(ctx context.Context, c once.Claim) (once.State, error) {
	row := map[string]types.AttributeValue{
		"id": text(keyOf(c.ID)), "status": text(statusBegun), "attempt": text(c.Attempt), "shard_id": text(c.Shard),
		"fence_stream": number(c.Fence.Stream), "fence_counter": number(c.Fence.Counter),
		"expiration": number(c.Expires.Unix()), "in_progress_expiration": number(c.Until.UnixMilli()),
	}
	values := map[string]types.AttributeValue{
		":seconds": number(c.Now.Unix()), ":now": number(c.Now.UnixMilli()), ":begun": text(statusBegun), ":shard": text(c.Shard),
		":stream": number(c.Fence.Stream), ":counter": number(c.Fence.Counter),
	}
	samePayload := "attribute_not_exists(validation)"
	if c.Payload != "" {
		samePayload = "validation = :payload"
		row["validation"], values[":payload"] = text(c.Payload), text(c.Payload)
	}
	condition := fmt.Sprintf(claimable, samePayload)
	out, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: row, ConditionExpression: &condition,
		ExpressionAttributeNames: map[string]string{"#status": "status"}, ExpressionAttributeValues: values,
		ReturnValues:                        types.ReturnValueAllOld,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		was := entryOf(out.Attributes)
		if len(out.Attributes) > 0 && was.attempt != c.Attempt && c.Now.Unix() < was.expires {
			return once.Maybe, nil
		}
		return once.New, nil
	}
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return 0, fmt.Errorf("claim in table %s: %w", t.name, err)
	}
	was := entryOf(refused.Item)
	switch {
	case was.payload != c.Payload:
		return 0, once.ErrOtherPayload
	case was.status == statusDone:
		return once.Done, nil
	case was.shard == c.Shard:
		return 0, once.ErrFenced
	}
	return 0, &once.InProgressError{Until: was.until}
}

// mostEffects is what a transaction of 100 items leaves beside the entry, see
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html.
const mostEffects = 99

// Complete implements once.Store.
func (t *Table) Complete(ctx context.Context, c once.Claim, effects []any) error {
	if len(effects) > mostEffects {
		return fmt.Errorf("%d effects in one transaction, want at most %d: %w", len(effects), mostEffects, checkpoint.ErrEffect)
	}
	done := types.Update{
		TableName: &t.name, Key: map[string]types.AttributeValue{"id": text(keyOf(c.ID))},
		UpdateExpression:         ptr("SET #status = :done, expiration = :expires REMOVE in_progress_expiration"),
		ConditionExpression:      ptr("attempt = :attempt AND #status = :begun"),
		ExpressionAttributeNames: map[string]string{"#status": "status"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":done": text(statusDone), ":begun": text(statusBegun), ":attempt": text(c.Attempt), ":expires": number(c.Expires.Unix()),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	items := []types.TransactWriteItem{{Update: &done}}
	for i, e := range effects {
		item, ok := e.(types.TransactWriteItem)
		if !ok {
			return fmt.Errorf("effect %d is a %T, want a types.TransactWriteItem: %w", i, e, checkpoint.ErrEffect)
		}
		items = append(items, item)
	}
	if len(effects) == 0 {
		return t.completeAlone(ctx, c, done)
	}
	_, err := t.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		if err != nil {
			return fmt.Errorf("complete in table %s: %w", t.name, err)
		}
		return nil
	}
	for i, reason := range cancelled.CancellationReasons {
		if reason.Code == nil || *reason.Code != "ConditionalCheckFailed" {
			continue // another transaction was met, or it was throttled: nothing was written
		}
		if i == 0 {
			return completed(reason.Item, c)
		}
		return &checkpoint.EffectError{Index: i - 1, Err: err}
	}
	return fmt.Errorf("complete in table %s: %w", t.name, err)
}

// completeAlone is Complete without effects, at the price of a single write.
func (t *Table) completeAlone(ctx context.Context, c once.Claim, done types.Update) error {
	_, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: done.TableName, Key: done.Key, UpdateExpression: done.UpdateExpression, ConditionExpression: done.ConditionExpression,
		ExpressionAttributeNames: done.ExpressionAttributeNames, ExpressionAttributeValues: done.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: done.ReturnValuesOnConditionCheckFailure,
	})
	var refused *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &refused):
		return completed(refused.Item, c)
	case err != nil:
		return fmt.Errorf("complete in table %s: %w", t.name, err)
	}
	return nil
}

// completed is what it means that an entry was not as a completion wants it:
// success if this attempt has completed it before.
func completed(row map[string]types.AttributeValue, c once.Claim) error {
	if was := entryOf(row); was.attempt == c.Attempt && was.status == statusDone {
		return nil
	}
	return once.ErrFenced
}

// entry is what is read of a row.
type entry struct {
	status, attempt, shard, payload string
	until                           time.Time
	expires                         int64 // in seconds
}

func entryOf(row map[string]types.AttributeValue) entry {
	word := func(name string) string {
		if s, ok := row[name].(*types.AttributeValueMemberS); ok {
			return s.Value
		}
		return ""
	}
	count := func(name string) int64 {
		if n, ok := row[name].(*types.AttributeValueMemberN); ok {
			v, _ := strconv.ParseInt(n.Value, 10, 64) // 0 where somebody wrote something else: over already
			return v
		}
		return 0
	}
	return entry{
		status: word("status"), attempt: word("attempt"), shard: word("shard_id"), payload: word("validation"),
		until: time.UnixMilli(count("in_progress_expiration")), expires: count("expiration"),
	}
}

// longestKey is below DynamoDB's limit of 2,048 bytes for a partition key.
const longestKey = 1024

// keyOf is an id as a key: itself, or its hash if it is too long.
func keyOf(id string) string {
	if len(id) <= longestKey {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func ptr(s string) *string { return &s }

package dynamocheckpoint_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard"
)

// TestServerKeepsTheContract runs the suite against real servers, such as
// DynamoDB Local.
func TestServerKeepsTheContract(t *testing.T) {
	for _, name := range []string{"dynamodb", "aws"} {
		t.Run(name, func(t *testing.T) {
			table := open(t, dynamodb.NewFromConfig(servertest.Config(t, name)))
			claimsOnce(t, table)
			usesAnEpochOnce(t, table)
			emptied := func(t *testing.T) checkpoint.Leases {
				table.empty(t)
				return table
			}
			checkpointtest.RunLeases(t, emptied)
			checkpointtest.RunRenewer(t, emptied)
			checkpointtest.RunStates(t, emptied)
			checkpointtest.RunParking(t, emptied)
		})
	}
}

// claimsOnce wants that a worker which looked before another one claimed the
// tables, and claims them after, finds out.
func claimsOnce(t *testing.T, table *editable) {
	t.Helper()
	clicks, orders := shard.Stream{ARN: "arn:clicks"}, shard.Stream{ARN: "arn:orders"}
	if err := table.Prepare(t.Context(), clicks); err != nil {
		t.Fatal(err)
	}
	late := dynamocheckpoint.Open(&lookedBefore{Client: table.client, reads: 1}, table.name)
	if err := late.Prepare(t.Context(), orders); !errors.Is(err, checkpoint.ErrOtherStream) {
		t.Errorf("got error %v, want %v", err, checkpoint.ErrOtherStream)
	}
	if err := table.Prepare(t.Context(), clicks); err != nil {
		t.Errorf("the tables went to the late one: %v", err)
	}
}

// usesAnEpochOnce wants that a worker which read the epoch before another one
// put a row back does not begin its own row's counter from the same.
func usesAnEpochOnce(t *testing.T, table *editable) {
	t.Helper()
	putBack := func(table *dynamocheckpoint.Table, worker string) int64 {
		t.Helper()
		if err := table.Register(t.Context(), shard.Session{ID: worker}); err != nil {
			t.Fatal(err)
		}
		l, err := table.PutBack(t.Context(), shard.Lease{Key: "shard of " + worker}, worker)
		if err != nil {
			t.Fatal(err)
		}
		return l.Counter
	}
	first := putBack(table.Table, "anna")
	late := dynamocheckpoint.Open(&lookedBefore{Client: table.client, reads: 1}, table.name)
	if second := putBack(late, "bert"); second <= first {
		t.Errorf("the counters of two rows put back are %d and %d", first, second)
	}
}

// lookedBefore is a client whose first reads were before there was any row.
type lookedBefore struct {
	dynamocheckpoint.Client
	reads int
}

func (c *lookedBefore) GetItem(ctx context.Context, in *dynamodb.GetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if c.reads--; c.reads >= 0 {
		return &dynamodb.GetItemOutput{}, nil
	}
	return c.Client.GetItem(ctx, in, options...)
}

// open is a table of its own for a test, deleted when the test ends.
func open(t *testing.T, client *dynamodb.Client) *editable {
	t.Helper()
	name := fmt.Sprintf("towpath-test-%d", time.Now().UnixNano())
	table := dynamocheckpoint.Open(client, name, func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	servertest.Drop(t, client, name, name+"-sessions", name+"-state", name+"-parked")
	return &editable{Table: table, client: client, name: name}
}

// editable is a Table whose rows the suite can edit by hand.
type editable struct {
	*dynamocheckpoint.Table
	client dynamocheckpoint.Client
	name   string
}

// empty deletes every row, which takes less than to make the tables anew.
func (e *editable) empty(t *testing.T) {
	t.Helper()
	for table, keys := range map[string][]string{e.name: {"leaseKey"}, e.name + "-sessions": {"id"}, e.name + "-state": {"leaseKey", "part"}, e.name + "-parked": {"place", "part"}} {
		out, err := e.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range out.Items {
			at := map[string]types.AttributeValue{}
			for _, key := range keys {
				at[key] = row[key]
			}
			if _, err := e.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// MakeEffect implements checkpointtest.EffectMaker: items of the session table,
// which has a key of the right form, under names that no worker has.
func (e *editable) MakeEffect(name string, refused bool) any {
	batch := &batching.Batch{}
	update := types.Update{
		TableName: aws.String(e.name + "-sessions"), Key: effectKey(name),
		UpdateExpression:          aws.String("ADD applied :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}
	if refused {
		update.ConditionExpression = aws.String("attribute_exists(nobodysAttribute)")
	}
	dynamocheckpoint.Tx(batch).Update(update)
	return batch.Call.Effects()[0]
}

// Applied implements checkpointtest.EffectMaker.
func (e *editable) Applied(t testing.TB, name string) int {
	t.Helper()
	out, err := e.client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(e.name + "-sessions"), Key: effectKey(name), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	applied, ok := out.Item["applied"].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(applied.Value)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func effectKey(name string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "effect " + name}}
}

// SetAttribute implements checkpointtest.Editor.
func (e *editable) SetAttribute(ctx context.Context, key, name, value string) error {
	_, err := e.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &e.name, Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: key}},
		UpdateExpression:          aws.String("SET #n = :v"),
		ExpressionAttributeNames:  map[string]string{"#n": name},
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberS{Value: value}},
	})
	return err
}

// Attribute implements checkpointtest.Editor.
func (e *editable) Attribute(ctx context.Context, key, name string) (string, error) {
	out, err := e.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &e.name, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil {
		return "", err
	}
	if s, ok := out.Item[name].(*types.AttributeValueMemberS); ok {
		return s.Value, nil
	}
	return "", nil
}

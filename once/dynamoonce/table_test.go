package dynamoonce_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/once"
	"github.com/towpath/towpath/once/dynamoonce"
	"github.com/towpath/towpath/once/oncetest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestTableKeepsTheContract(t *testing.T) {
	oncetest.RunStore(t, func(t *testing.T) oncetest.Rig {
		return rig(t, dynamodb.NewFromConfig(awsfake.New().Config("test")), "once")
	})
}

func TestServerKeepsTheContract(t *testing.T) {
	client := dynamodb.NewFromConfig(servertest.Config(t, "dynamodb"))
	tables := 0
	oncetest.RunStore(t, func(t *testing.T) oncetest.Rig {
		tables++
		name := fmt.Sprint("once-", tables, "-", time.Now().UnixNano())
		servertest.Drop(t, client, name, name+"-effects")
		return rig(t, client, name)
	})
}

// rig makes a store, and a table of counters for its effects.
func rig(t *testing.T, client *dynamodb.Client, name string) oncetest.Rig {
	t.Helper()
	effects := name + "-effects"
	for _, table := range []string{name, effects} {
		makeTable(t, client, table, "id")
	}
	store := dynamoonce.Open(client, name)
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return oncetest.Rig{
		Store: store,
		Effect: func(id string, refuse bool) any {
			item := count(effects, id)
			if refuse {
				item.Update.ConditionExpression = aws.String("attribute_exists(never)")
			}
			return item
		},
		Applied: func(id string) int { return counted(t, client, effects, id) },
	}
}

func makeTable(t *testing.T, client *dynamodb.Client, name, key string) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}},
	})
	if err == nil {
		err = dynamodb.NewTableExistsWaiter(client).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// count is the effect that adds one to a counter.
func count(table, id string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}},
		UpdateExpression:          aws.String("ADD n :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
}

func counted(t *testing.T, client *dynamodb.Client, table, id string) int {
	t.Helper()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}},
	})
	if err != nil {
		t.Fatal(err)
	}
	n, ok := out.Item["n"].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	v, err := strconv.Atoi(n.Value)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPrepareRefusesWhatIsNoTableOfItsKind(t *testing.T) {
	client := dynamodb.NewFromConfig(awsfake.New().Config("test"))
	makeTable(t, client, "other", "leaseKey")
	for name, want := range map[string]string{"other": "another kind of table", "missing": "missing"} {
		if err := dynamoonce.Open(client, name).Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("prepare %s: error %v, want %q", name, err, want)
		}
	}
}

// A payment that is sent twice by its producer is applied once: the second
// record has another sequence number and the same order.
func Example() {
	ctx := context.Background()
	client := dynamodb.NewFromConfig(awsfake.New().Config("worker"))
	for _, table := range []string{"once", "balances"} {
		if _, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
			TableName: &table, BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		}); err != nil {
			fmt.Println(err)
			return
		}
	}
	handler, err := once.Each(dynamoonce.Open(client, "once"),
		func(_ context.Context, e *once.Effect) error {
			e.Attach(count("balances", e.Record.PartitionKey)) // written with the mark that it was
			return nil
		},
		func(o *once.Options) {
			o.ID = func(r *shard.Record) (string, error) { return string(r.Data), nil }
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := &batching.Batch{Records: []shard.Record{
		{Sequence: "1", PartitionKey: "ada", Data: []byte("order-17")},
		{Sequence: "2", PartitionKey: "ada", Data: []byte("order-17")},
		{Sequence: "3", PartitionKey: "ada", Data: []byte("order-18")},
	}}
	fmt.Println(handler.Handle(ctx, batch))
	fmt.Println(handler.Handle(ctx, batch)) // the batch again, after a crash
	out, err := client.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("balances")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Items[0]["n"].(*types.AttributeValueMemberN).Value)
	// Output:
	// <nil>
	// <nil>
	// 2
}

// What cannot be a table is told when the handler is made, not by its first
// record.
func TestWhatCannotBeATableIsToldByEach(t *testing.T) {
	_, err := once.Each(dynamoonce.Open(nil, "on ce"), func(context.Context, *once.Effect) error { return nil })
	for _, want := range []string{"store: the client is nil", `the table is "on ce"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

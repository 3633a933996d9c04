package dynamoshards_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/shardtest"
)

// DynamoDB Local has AWS's own lineage; its control port rolls shards over.
func TestSourceKeepsItsPromisesOnServer(t *testing.T) {
	cfg := servertest.Config(t, "dynamodb")
	control := servertest.StreamControl(t)
	tables, streams := dynamodb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)
	shardtest.RunSource(t, func(t *testing.T) shardtest.Rig {
		name := serverTable(t, tables)
		puts := 0
		r := shardtest.Rig{
			Source:  dynamoshards.Open(streams, name),
			Missing: dynamoshards.Open(streams, name+"-missing"),
			Put: func(t *testing.T, _, key string, data []byte) {
				t.Helper()
				puts++
				putItem(t, tables, name, key+"#", puts, data)
			},
			Unwrap: unwrap, Unranged: true, Shards: 1, Children: 1,
			Rounding: time.Minute, // which is what it cuts times to
			Largest:  300 << 10,
		}
		if control != nil {
			r.Split = func(t *testing.T, _ string) { control.Rollover(t) }
		}
		return r
	})
}

// What retention passed on DynamoDB Local is a loss with its window, and a shard
// that was read to its tip before has lost nothing.
func TestTrimmedRecordsAreALossOnServer(t *testing.T) {
	cfg := servertest.Config(t, "dynamodb")
	control := servertest.StreamControl(t)
	if control == nil {
		return
	}
	tables, streams := dynamodb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)
	name := serverTable(t, tables)
	source := dynamoshards.Open(streams, name)
	stream, err := source.Describe(t.Context())
	must(t, err)
	shards, err := source.List(t.Context())
	must(t, err)
	id := shards[0].ID
	for i := range 4 {
		putItem(t, tables, name, fmt.Sprint(i, "#"), i, []byte("old"))
	}
	start := shard.Start{Stream: stream, Shard: id}
	old := read(t, source.Open(start), 4).records
	control.Age(t, 3)
	for i := range 2 {
		putItem(t, tables, name, fmt.Sprint(i, "#"), i, []byte("new"))
	}
	control.Age(t, 22)
	start.After, start.LastArrival = old[1].Position(), old[1].ArrivedAt.Add(-25*time.Hour)
	got := read(t, source.Open(start), 2)
	if len(got.losses) != 1 || got.losses[0].After != old[1].Position() || got.losses[0].Until != got.records[0].Position() {
		t.Errorf("got the losses %v, want one from %s to %s", got.losses, old[1].Position(), got.records[0].Position())
	}
	start.After, start.ReadUpTo = old[3].Position(), stream.Now
	if got := read(t, source.Open(start), 2); len(got.losses) != 0 {
		t.Errorf("all was read an hour ago, and there are the losses %v", got.losses)
	}
}

// serverTable makes a table with a stream on a server, and removes it.
func serverTable(t *testing.T, client *dynamodb.Client) string {
	t.Helper()
	name := "towpath-" + strings.ToLower(rand.Text()[:12])
	createTable(t, client, name)
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if _, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	})
	must(t, dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, time.Minute))
	return name
}

func putItem(t *testing.T, client *dynamodb.Client, name, id string, n int, data []byte) {
	t.Helper()
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: id}, "n": &types.AttributeValueMemberN{Value: fmt.Sprint(n)},
		"data": &types.AttributeValueMemberB{Value: append([]byte{}, data...)},
	}})
	must(t, err)
}

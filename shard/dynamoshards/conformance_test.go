package dynamoshards_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

const table = "orders"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// createTable makes a table whose stream carries both images.
func createTable(t testing.TB, client *dynamodb.Client, name string) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	must(t, err)
}

// cloud is an AWS in the process with a table whose stream has two shards.
type cloud struct {
	*awsfake.AWS
	fake    *dynamofake.Service
	streams *dynamodbstreams.Client
	puts    int
}

func newCloud(t testing.TB, partitions int) *cloud {
	a := awsfake.New()
	a.DynamoDB().Partitions(partitions)
	createTable(t, dynamodb.NewFromConfig(a.Config("tester")), table)
	return &cloud{
		AWS: a, fake: a.DynamoDB(),
		streams: dynamodbstreams.NewFromConfig(a.Config("tester"), func(o *dynamodbstreams.Options) { o.RetryMaxAttempts = 1 }),
	}
}

func (c *cloud) source(options ...func(*dynamoshards.Options)) *dynamoshards.Source {
	return dynamoshards.Open(c.streams, c.fake.StreamARN(table), options...)
}

// put changes an item whose key begins with key and is such that the change goes
// to the shard.
func (c *cloud) put(t testing.TB, shardID, key string, data []byte) {
	t.Helper()
	for salt := range 1000 {
		id := dynamofake.Item{"id": dynamofake.S(fmt.Sprint(key, "#", salt))}
		at, err := c.fake.ShardFor(table, id)
		must(t, err)
		if at != shardID {
			continue
		}
		c.puts++
		id["n"], id["data"] = dynamofake.N(int64(c.puts)), dynamofake.B(data)
		must(t, c.fake.Put(table, id))
		return
	}
	t.Fatalf("no item goes to shard %s", shardID)
}

// unwrap is what put was given.
func unwrap(r shard.Record) (key string, data []byte) {
	c, err := dynamoshards.Decode(&r)
	if err != nil {
		return err.Error(), nil
	}
	key, _, _ = strings.Cut(c.Keys["id"].(*types.AttributeValueMemberS).Value, "#")
	return key, c.NewImage["data"].(*types.AttributeValueMemberB).Value
}

func rig(t *testing.T) shardtest.Rig {
	c := newCloud(t, 2)
	failures := 0
	c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
		if failures == 0 || call.Operation != "GetRecords" {
			return awsfake.Fault{}
		}
		failures--
		return awsfake.Fail("InternalServerError", 500)
	})
	return shardtest.Rig{
		Source:  c.source(),
		Missing: dynamoshards.Open(c.streams, "no-such-table"),
		Put:     func(t *testing.T, shardID, key string, data []byte) { c.put(t, shardID, key, data) },
		Split:   func(t *testing.T, shardID string) { must(t, c.fake.SplitShard(table, shardID)) },
		Trim:    func(t *testing.T, shardID string, n int) { must(t, c.fake.TrimStream(table, shardID, n)) },
		Fail:    func(_ *testing.T, n int) { failures = n },
		Unwrap:  unwrap, Unranged: true, Rounding: time.Second,
		Largest: 300 << 10, // an item has 400 KB at most
	}
}

func TestSourceKeepsItsPromisesOnTheFake(t *testing.T) {
	shardtest.RunSourceInBubble(t, rig)
}

// A shard that rolls over has one child, and a stream may have one shard only.
func TestSourceKeepsItsPromisesWhenShardsRollOver(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig {
		r := rig(t)
		c := newCloud(t, 1)
		r.Source, r.Fail, r.Shards, r.Children = dynamoshards.Open(c.streams, table), nil, 1, 1
		r.Put = func(t *testing.T, shardID, key string, data []byte) { c.put(t, shardID, key, data) }
		r.Split = func(t *testing.T, _ string) { must(t, c.fake.Rollover(table)) }
		r.Trim = func(t *testing.T, shardID string, n int) { must(t, c.fake.TrimStream(table, shardID, n)) }
		return r
	})
}

// listed are the ids of a listing.
func listed(shards []shard.Shard) (ids []string) {
	for _, d := range shards {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}

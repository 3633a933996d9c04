package streamtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// Table is the table of every rig over a DynamoDB stream. Its items have a key,
// id, and what was put, data.
const Table = "orders"

// NewTable is New over the stream of a DynamoDB table that begins with so many
// shards. Put changes an item; what the table has is done to it through
// AWS.DynamoDB: Rollover, SplitShard, TrimStream, and so on.
func NewTable(t testing.TB, partitions int, options ...Option) *Rig {
	t.Helper()
	r := newRig(t, options)
	r.table = Table
	r.AWS.DynamoDB().Partitions(partitions)
	r.AWS.DynamoDB().OnStream(func(c dynamofake.StreamRecord) { r.changes.add(r, c) })
	_, err := dynamodb.NewFromConfig(r.AWS.Config("streamtest")).CreateTable(context.Background(), &dynamodb.CreateTableInput{
		TableName: aws.String(Table), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatalf("create the table: %v", err)
	}
	return r
}

// source is what a worker of the rig reads.
func (r *Rig) source(cfg aws.Config) shard.Source {
	if r.table != "" {
		return dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), r.table)
	}
	return kinesisshards.Open(kinesis.NewFromConfig(cfg), Stream, r.reading...)
}

// write puts one record and tells where it went.
func (r *Rig) write(key, data string) (shardID, sequence string, err error) {
	if r.table == "" {
		return r.AWS.Kinesis().Put(Stream, key, []byte(data))
	}
	before := len(r.changes.all())
	item := dynamofake.Item{"id": dynamofake.S(key), "data": dynamofake.S(data), "n": dynamofake.N(int64(before))}
	if err := r.AWS.DynamoDB().Put(r.table, item); err != nil {
		return "", "", err
	}
	all := r.changes.all()
	if len(all) == before {
		return "", "", fmt.Errorf("the stream of table %s is not enabled", r.table)
	}
	last := all[len(all)-1]
	return last.ShardID, last.SequenceNumber, nil
}

// records is everything that was ever put.
func (r *Rig) records() []kinesisfake.Record {
	if r.table != "" {
		return r.changes.all()
	}
	return r.AWS.Kinesis().Records(Stream)
}

// count is how many records there are.
func (r *Rig) count() int {
	if r.table != "" {
		return len(r.changes.all())
	}
	return r.AWS.Kinesis().Count(Stream)
}

// changes notes the records of a table's stream, which forgets them after a day.
type changes struct {
	mu      sync.Mutex
	records []kinesisfake.Record // only appended to
	above   map[string][]string  // parents by shard
}

func (c *changes) add(rig *Rig, r dynamofake.StreamRecord) {
	if r.Table != Table {
		return
	}
	key, _ := r.Key.MarshalJSON() // an item always marshals
	c.parents(rig, r.Shard)       // while it is listed
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records = append(c.records, kinesisfake.Record{
		ShardID: r.Shard, SequenceNumber: r.Sequence, PartitionKey: string(key), Keyed: true, Arrival: r.At,
	})
}

func (c *changes) all() []kinesisfake.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clip(c.records)
}

// parents are those of a shard, which may be gone by now.
func (c *changes) parents(r *Rig, shardID string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if above, known := c.above[shardID]; known {
		return above
	}
	if c.above == nil {
		c.above = map[string][]string{}
	}
	for _, s := range r.AWS.DynamoDB().StreamShards(r.table) {
		c.above[s.ID] = nil
		if s.Parent != "" {
			c.above[s.ID] = []string{s.Parent}
		}
	}
	return c.above[shardID]
}

// isListed reports whether a shard is still there.
func (c *changes) isListed(r *Rig, shardID string) bool {
	return slices.ContainsFunc(r.AWS.DynamoDB().StreamShards(r.table), func(s dynamofake.StreamShard) bool { return s.ID == shardID })
}

// isTrimmed reports whether a record cannot be read any more.
func (c *changes) isTrimmed(r *Rig, i *prooftest.Item) bool {
	readable := 0
	for _, s := range r.AWS.DynamoDB().StreamShards(r.table) {
		if s.ID == i.Shard {
			readable = s.Records
		}
	}
	behind := 0 // it, and what came after it
	for _, rec := range c.all() {
		if rec.ShardID == i.Shard && (behind > 0 || rec.SequenceNumber == i.Sequence) {
			behind++
		}
	}
	return behind > readable
}

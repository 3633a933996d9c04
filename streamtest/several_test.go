package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// several is many streams over one rig: its own, of which the checker knows every
// record, and others, whose records are counted here.
type several struct {
	rig *streamtest.Rig

	mu      sync.Mutex
	put     map[string][]string // payloads by stream and key, in order
	handled map[string]map[string]bool
	broken  []string
	calls   map[string]bool // what batches said: shard in stream
}

func newSeveral(t *testing.T) *several {
	t.Helper()
	s := &several{rig: streamtest.New(t, 2), put: map[string][]string{}, handled: map[string]map[string]bool{}, calls: map[string]bool{}}
	if err := s.rig.AWS.Kinesis().CreateStream(theirClicks, 2); err != nil {
		t.Fatal(err)
	}
	s.rig.AWS.DynamoDB().Partitions(2)
	_, err := dynamodb.NewFromConfig(s.rig.AWS.Config("streamtest")).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sources are all three streams, as a worker reads them.
func (s *several) sources(worker string) []shard.Source {
	cfg := s.rig.AWS.Config(worker)
	client := kinesis.NewFromConfig(cfg)
	return []shard.Source{
		kinesisshards.Open(client, streamtest.Stream),
		kinesisshards.Open(client, theirClicks),
		dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), table),
	}
}

// write puts n records over seven keys into the other two.
func (s *several) write(t *testing.T, n int) {
	t.Helper()
	for range n {
		for _, stream := range []string{theirClicks, table} {
			s.mu.Lock()
			i := len(s.put[stream])
			s.put[stream] = append(s.put[stream], fmt.Sprint(i))
			s.mu.Unlock()
			key := fmt.Sprint("key-", i%7)
			var err error
			if stream == table {
				err = s.rig.AWS.DynamoDB().Put(table, dynamofake.Item{"id": dynamofake.S(key), "n": dynamofake.N(int64(i))})
			} else {
				_, _, err = s.rig.AWS.Kinesis().Put(stream, key, fmt.Append(nil, i))
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// handle is the handler of one worker, around what it does.
func (s *several) handle(worker string, do func(context.Context, *batching.Batch) error) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
		err := do(ctx, b)
		if s.rig.Dead(worker) {
			return errors.New("dead")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls[b.Shard+" in "+b.Stream] = true
		if err != nil {
			return err
		}
		for i := range b.Records {
			r := &b.Records[i]
			stream, number := r.Stream, string(r.Data)
			if strings.Contains(stream, ":table/") {
				_, number, _ = strings.Cut(number, `"n":{"N":"`)
				number, _, _ = strings.Cut(number, `"`)
				stream = table
			}
			if s.handled[stream] == nil {
				s.handled[stream] = map[string]bool{}
			}
			n := 0
			fmt.Sscan(number, &n)
			if before := fmt.Sprint(n - 7); stream != s.rig.AWS.Kinesis().ARN(streamtest.Stream) && n >= 7 && !s.handled[stream][before] {
				s.broken = append(s.broken, fmt.Sprintf("%s of %s was handled before %s of the same key", number, stream, before))
			}
			s.handled[stream][number] = true
		}
		return nil
	})
}

// done reports whether all of the other two is handled.
func (s *several) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for stream, all := range s.put {
		for _, one := range all {
			if !s.handled[stream][one] {
				return false
			}
		}
	}
	return true
}

func (s *several) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.broken {
		t.Error(b)
	}
}

// rowsAreKCLs looks at the rows as they stand in the table.
func (s *several) rowsAreKCLs(t *testing.T) {
	t.Helper()
	items := s.rig.AWS.DynamoDB().Items(streamtest.Application)
	if len(items) < 10 {
		t.Errorf("there are %d rows, want those of three streams with their children", len(items))
	}
	for _, it := range items {
		key := it["leaseKey"].Text()
		stream, plain, many := shard.SplitID(key)
		if !many || it["streamName"].Text() != stream.String() || it["shardId"].Text() != plain {
			t.Errorf("row %s has the stream %q and the shard %q", key, it["streamName"].Text(), it["shardId"].Text())
		}
		for _, name := range []string{"parentShardId", "childShardIds"} {
			if v, there := it[name]; there && strings.Contains(fmt.Sprint(v), stream.Account+":") {
				t.Errorf("row %s has %s %v, want the service's own ids", key, name, v)
			}
		}
	}
}

package dynamocheckpoint

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// How long a table takes to be made, and how long after that was asked for it
// is still said not to exist: DescribeTable is eventually consistent.
const (
	takesToMake = 5 * time.Second
	seenLate    = time.Second
)

// tables is a control plane, and says of a control row what it was told first.
type tables struct {
	Client
	mu        sync.Mutex // protects what follows
	ready     map[string]time.Time
	described *types.TableDescription // what every table looks like, if not nil
	refuse    func(action string) error
	created   int
	control   item
	rows      []item // of the lease table
}

func (c *tables) DescribeTable(_ context.Context, in *dynamodb.DescribeTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refused("DescribeTable"); err != nil {
		return nil, err
	}
	if c.described != nil {
		return &dynamodb.DescribeTableOutput{Table: c.described}, nil
	}
	at, there := c.ready[*in.TableName]
	if !there || time.Until(at) > takesToMake-seenLate {
		return nil, &types.ResourceNotFoundException{Message: in.TableName}
	}
	status := types.TableStatusCreating
	if !time.Now().Before(at) {
		status = types.TableStatusActive
	}
	key := "id"
	if !strings.HasSuffix(*in.TableName, "-sessions") {
		key = "leaseKey"
	}
	return &dynamodb.DescribeTableOutput{Table: describe(key, status)}, nil
}

func (c *tables) refused(action string) error {
	if c.refuse == nil {
		return nil
	}
	return c.refuse(action)
}

func describe(key string, status types.TableStatus) *types.TableDescription {
	return describeLayout(layout{key: key}, status)
}

func describeLayout(l layout, status types.TableStatus) *types.TableDescription {
	in := l.creation(nil)
	return &types.TableDescription{TableStatus: status, KeySchema: in.KeySchema, AttributeDefinitions: in.AttributeDefinitions}
}

func (c *tables) CreateTable(_ context.Context, in *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refused("CreateTable"); err != nil {
		return nil, err
	}
	if _, there := c.ready[*in.TableName]; there {
		return nil, &types.ResourceInUseException{}
	}
	c.created++
	c.ready[*in.TableName] = time.Now().Add(takesToMake)
	return &dynamodb.CreateTableOutput{}, nil
}

func (c *tables) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &dynamodb.GetItemOutput{Item: c.control}, c.refused("GetItem")
}

func (c *tables) Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &dynamodb.ScanOutput{Items: c.rows}, nil
}

func (c *tables) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.control != nil {
		return nil, &types.ConditionalCheckFailedException{Item: c.control}
	}
	c.control = item{"id": text(controlRow), "streamArn": in.ExpressionAttributeValues[":arn"], "streamEpoch": in.ExpressionAttributeValues[":created"]}
	return &dynamodb.UpdateItemOutput{Attributes: c.control}, nil
}

func apiError(code string) error { return &smithy.GenericAPIError{Code: code, Message: "no"} }

var clicks = shard.Stream{ARN: "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks", CreatedAt: time.Unix(1_700_000_000, 0)}

func creating(o *Options) { o.CreateTables = true }

// Two workers start with no table at the same moment, and DescribeTable is
// throttled: both come up.
func TestWorkersThatStartTogetherWithoutTablesBothComeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := &tables{ready: map[string]time.Time{}, refuse: func(action string) error {
			if calls++; action == "DescribeTable" && calls%3 != 0 {
				return apiError("ThrottlingException")
			}
			return nil
		}}
		began := time.Now()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := Open(c, "clicks", creating).Prepare(t.Context(), clicks); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		if c.created != 2 {
			t.Errorf("%d tables were made, want 2", c.created)
		}
	})
}

// The state table is made when something asks for it, and looked at as the others
// are.
func TestStateTableIsPreparedWhenItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &tables{ready: map[string]time.Time{}}
		table := Open(c, "clicks", creating, func(o *Options) { o.StateTable = "kept" })
		if err := table.Prepare(t.Context(), clicks); err != nil || !c.ready["kept"].IsZero() {
			t.Fatalf("got %v, and the state table is made: %v", err, !c.ready["kept"].IsZero())
		}
		c.described = describeLayout(table.stateLayout(), types.TableStatusActive)
		if err := table.PrepareStates(t.Context()); err != nil {
			t.Errorf("a table of the right form: %v", err)
		}
		c.described = nil
		if err := Open(c, "clicks").PrepareStates(t.Context()); !errors.Is(err, checkpoint.ErrNoTable) || !strings.Contains(err.Error(), "sort key part") {
			t.Errorf("got error %v, want %v and what the table needs", err, checkpoint.ErrNoTable)
		}
		replicated := describeLayout(table.stateLayout(), types.TableStatusActive)
		replicated.Replicas = []types.ReplicaDescription{{}}
		sorted := describeLayout(layout{key: "leaseKey", sort: "sort"}, types.TableStatusActive)
		for want, d := range map[string]*types.TableDescription{
			"replicated over Regions": replicated, "sort key part of type string": sorted,
			"partition key leaseKey": describe("leaseKey", types.TableStatusActive),
		} {
			c.described = d
			if err := table.PrepareStates(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "table kept") {
				t.Errorf("got error %v, want one that says %q", err, want)
			}
		}
		c.refuse = func(string) error { return apiError("AccessDeniedException") }
		if err := table.PrepareStates(t.Context()); err == nil || !strings.Contains(err.Error(), "dynamodb:DescribeTable") {
			t.Errorf("got error %v, want one that names the permission", err)
		}
	})
}

func TestPrepareSaysWhatIsWrong(t *testing.T) {
	replicated := func(c types.MultiRegionConsistency) *types.TableDescription {
		d := describe("leaseKey", types.TableStatusActive)
		d.Replicas, d.MultiRegionConsistency = []types.ReplicaDescription{{}, {}}, c
		return d
	}
	sorted := describe("leaseKey", types.TableStatusActive)
	sorted.KeySchema = append(sorted.KeySchema, types.KeySchemaElement{})
	numeric := describe("leaseKey", types.TableStatusActive)
	numeric.AttributeDefinitions[0].AttributeType = types.ScalarAttributeTypeN
	denied := func(what string) func(string) error {
		return func(action string) error {
			if action == what {
				return apiError("AccessDeniedException")
			}
			return nil
		}
	}
	for _, c := range []struct {
		name   string
		tables *tables
		create bool
		says   []string
		is     error
	}{
		{"no table", &tables{}, false, []string{"table clicks", "Options.CreateTables", "leaseKey"}, checkpoint.ErrNoTable},
		{"may not describe", &tables{refuse: denied("DescribeTable")}, true, []string{"table clicks", "dynamodb:DescribeTable"}, checkpoint.ErrDenied},
		{"may not create", &tables{refuse: denied("CreateTable")}, true, []string{"table clicks", "dynamodb:CreateTable"}, checkpoint.ErrDenied},
		{"another key", &tables{described: describe("id", types.TableStatusActive)}, true, []string{"table clicks", "partition key leaseKey"}, nil},
		{"a sort key", &tables{described: sorted}, true, []string{"no sort key"}, nil},
		{"a key of another type", &tables{described: numeric}, true, []string{"of type string"}, nil},
		{"replicated, eventually", &tables{described: replicated(types.MultiRegionConsistencyEventual)}, false, []string{"replicated over Regions", "conditional write"}, nil},
		{"replicated, unsaid", &tables{described: replicated("")}, false, []string{"replicated over Regions", "conditional write"}, nil},
		{"replicated, strongly", &tables{described: replicated(types.MultiRegionConsistencyStrong)}, false, []string{"replicated over Regions", "transactions"}, nil},
		{"archived", &tables{described: describe("leaseKey", types.TableStatusArchived)}, false, []string{"ARCHIVED"}, errNotActive},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.tables.ready = map[string]time.Time{}
				err := Open(c.tables, "clicks", func(o *Options) { o.CreateTables = c.create }).Prepare(t.Context(), clicks)
				if err == nil {
					t.Fatal("the table was accepted")
				}
				for _, word := range c.says {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("error %q does not say %q", err, word)
					}
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("got error %v, want %v", err, c.is)
				}
			})
		})
	}
}

// A table that never becomes active is given up, and a context that ends sooner
// ends the wait.
func TestPrepareDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &tables{described: describe("leaseKey", types.TableStatusCreating)}
		began := time.Now()
		if err := Open(c, "clicks").Prepare(t.Context(), clicks); !errors.Is(err, errNotActive) {
			t.Errorf("got error %v, want %v", err, errNotActive)
		}
		if took := time.Since(began); took > patience+longestPoll {
			t.Errorf("it waited for %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Open(c, "clicks").Prepare(ctx, clicks); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// A table that KCL has filled for many streams is not taken for one, nor the
// other way round: the keys of the one mean nothing to the other.
func TestTablesOfManyStreamsAreNotTakenForOne(t *testing.T) {
	const single, many = "shardId-000000000000", "123456789012:clicks:1700000000:shardId-000000000000"
	all := shard.Stream{ARN: shard.ManyStreams}
	lease := func(key string) item {
		return item{"leaseKey": text(key), "leaseCounter": number(1), "checkpoint": text("TRIM_HORIZON")}
	}
	leader := item{"leaseKey": text("Leader"), "entityType": text("LEADER")}
	for _, c := range []struct {
		rows   []item
		stream shard.Stream
		says   string
	}{
		{nil, all, ""},
		{nil, clicks, ""},
		{[]item{leader, lease(single)}, clicks, ""},
		{[]item{leader, lease(many)}, all, ""},
		{[]item{leader, lease(many)}, clicks, "reads many streams"},
		{[]item{leader, lease(single)}, all, "reads a single stream"},
	} {
		fake := &tables{described: nil, rows: c.rows}
		fake.ready = map[string]time.Time{"clickstream": {}, "clickstream-sessions": {}}
		err := Open(fake, "clickstream").Prepare(t.Context(), c.stream)
		if c.says == "" && err != nil {
			t.Errorf("%d rows, %s: %v", len(c.rows), c.stream.ARN, err)
		}
		if c.says != "" && (!errors.Is(err, checkpoint.ErrOtherStream) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v, %s: got %v, want it refused with %q", c.rows, c.stream.ARN, err, c.says)
		}
	}
}

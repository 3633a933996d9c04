package iam_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/once"
	"github.com/towpath/towpath/once/dynamoonce"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
)

// The ARNs of what every rig has.
const (
	clicks = "arn:aws:kinesis:" + here + ":stream/" + streamtest.Stream
	orders = "arn:aws:dynamodb:" + here + ":table/" + streamtest.Table
)

// kclTables are asked for by every worker, which takes a refusal for an answer.
var kclTables = []asked{
	{"dynamodb:Scan", tableARN(streamtest.Application + "-CoordinatorState")},
	{"dynamodb:Scan", tableARN(streamtest.Application + "-WorkerMetricStats")},
}

// fleet is a rig whose workers and tables are behind guards.
type fleet struct {
	*streamtest.Rig
	t     *testing.T
	guard *guard
	scope iam.Scope
	b     *streamtest.Worker // of the tests of operators
}

// newFleet makes the tables under the policies for that, and guards the workers
// with those of their modes.
func newFleet(t *testing.T, rig *streamtest.Rig, s iam.Scope, making []iam.Mode, modes ...iam.Mode) *fleet {
	t.Helper()
	s.Application = streamtest.Application
	f := &fleet{Rig: rig, t: t, scope: s}
	operator := guarded(t, rig.AWS, s, making...)
	cfg := operator.config(rig.AWS, "operator")
	source := f.source(cfg, nil)
	stream, err := source.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rig.AWS.DynamoDB().CreationTakes(time.Second)
	table := f.table(cfg, true)
	if err := table.Prepare(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	for _, m := range making {
		switch m {
		case iam.BootstrapState:
			err = table.PrepareStates(t.Context())
		case iam.BootstrapParking:
			err = table.PrepareParking(t.Context())
		case iam.BootstrapFanOut:
			_, err = kinesis.NewFromConfig(cfg).RegisterStreamConsumer(t.Context(), &kinesis.RegisterStreamConsumerInput{
				StreamARN: aws.String(clicks), ConsumerName: aws.String(streamtest.Application),
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	operator.agrees(t)
	f.guard = guarded(t, rig.AWS, s, modes...)
	return f
}

func (f *fleet) source(cfg aws.Config, fanOut *kinesisshards.FanOut) shard.Source {
	if f.scope.Stream == clicks {
		return kinesisshards.Open(kinesis.NewFromConfig(cfg), clicks, func(o *kinesisshards.Options) { o.FanOut = fanOut })
	}
	return dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), streamtest.Table)
}

func (f *fleet) table(cfg aws.Config, create bool) *dynamocheckpoint.Table {
	return dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), streamtest.Application, func(o *dynamocheckpoint.Options) {
		o.CreateTables = create
		if create && f.scope.Tags {
			o.Tags = map[string]string{"team": "clicks"}
		}
		if f.scope.Overflow != "" {
			o.Overflow = dynamocheckpoint.S3Overflow(s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), "states", "clickstream")
		}
	})
}

// start starts a worker behind the guard.
func (f *fleet) start(name string, change ...func(*consumer.Config)) *streamtest.Worker {
	cfg := f.guard.config(f.AWS, name)
	var fanOut *kinesisshards.FanOut
	if f.fansOut() {
		fanOut = &kinesisshards.FanOut{Consumer: streamtest.Application, Existing: true}
	}
	set := func(c *consumer.Config) {
		c.Source, c.Leases = f.source(cfg, fanOut), f.table(cfg, false)
		c.LeaseDuration, c.CheckpointInterval = 5*time.Second, time.Second
	}
	return f.Start(name, append([]func(*consumer.Config){set}, change...)...)
}

func (f *fleet) fansOut() bool {
	return slices.ContainsFunc(f.guard.policy.Statement, func(s iam.Statement) bool { return s.Sid == "FanOutConsumer" })
}

// replaceConsumer has somebody make the fan-out consumer anew, under another ARN.
// Workers ask about the ARN that they know, and then look for the name again.
func (f *fleet) replaceConsumer() {
	f.t.Helper()
	operator := kinesis.NewFromConfig(f.AWS.Config("operator"))
	_, err := operator.DeregisterStreamConsumer(f.t.Context(), &kinesis.DeregisterStreamConsumerInput{
		StreamARN: aws.String(clicks), ConsumerName: aws.String(streamtest.Application),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	time.Sleep(20 * time.Second)
	_, err = operator.RegisterStreamConsumer(f.t.Context(), &kinesis.RegisterStreamConsumerInput{
		StreamARN: aws.String(clicks), ConsumerName: aws.String(streamtest.Application),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	time.Sleep(30 * time.Second)
}

// live has a fleet live through all that makes it write: workers come, are
// killed and stop, a shard is split, and its row outlives it and is deleted.
func (f *fleet) live(change ...func(*consumer.Config)) {
	f.PutN(40, 10)
	a := f.start("a", change...)
	f.Await("everything handled", f.AllDone)
	f.start("b", change...)
	time.Sleep(15 * time.Second) // b gets its part by hand-over
	f.PutN(40, 10)
	f.Await("everything handled", f.AllDone)
	a.Kill()
	time.Sleep(15 * time.Second)
	f.start("c", change...).Stop()
	f.replaceShards()
	f.PutN(40, 10)
	f.Await("everything handled", f.AllDone)
	f.forgetShards()
	time.Sleep(3 * time.Minute) // a maintenance run, and one more
	if f.fansOut() {
		f.replaceConsumer()
	}
	f.PutN(10, 10)
	f.Await("everything handled", f.AllDone)
	f.Close()
}

func (f *fleet) replaceShards() {
	f.t.Helper()
	if f.scope.Stream != clicks {
		if err := f.AWS.DynamoDB().Rollover(streamtest.Table); err != nil {
			f.t.Fatal(err)
		}
		return
	}
	if _, _, err := f.AWS.Kinesis().Split(streamtest.Stream, "shardId-000000000000"); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) forgetShards() {
	f.t.Helper()
	if f.scope.Stream == clicks {
		if err := f.AWS.Kinesis().SetRetention(streamtest.Stream, 30*time.Second); err != nil {
			f.t.Fatal(err)
		}
		return
	}
	dynamo := f.AWS.DynamoDB()
	for _, s := range dynamo.StreamShards(streamtest.Table) {
		if !s.Closed.IsZero() {
			if err := dynamo.DropShard(streamtest.Table, s.ID); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

func TestWorkersAskForWhatTheirPolicyAllows(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope iam.Scope
		read  iam.Mode
		make  []iam.Mode
	}{
		{"polling", iam.Scope{Stream: clicks, Tags: true}, iam.Polling, []iam.Mode{iam.Bootstrap}},
		{"fan-out", iam.Scope{Stream: clicks}, iam.FanOut, []iam.Mode{iam.Bootstrap, iam.BootstrapFanOut}},
		{"changes of a table", iam.Scope{Stream: orders}, iam.Changes, []iam.Mode{iam.Bootstrap}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := newRig(t, c.scope)
				f := newFleet(t, rig, c.scope, c.make, c.read, iam.Leases)
				f.live()
				f.guard.agrees(t, kclTables...)
			})
		})
	}
}

func newRig(t *testing.T, s iam.Scope) *streamtest.Rig {
	if s.Stream == clicks {
		return streamtest.New(t, 2)
	}
	return streamtest.NewTable(t, 2)
}

// Beside a KCL whose tables it may read, a worker asks for nothing more than
// leases and those.
func TestWorkersBesideKCLAskForItsTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := iam.Scope{Stream: clicks}
		f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap}, iam.Polling, iam.Leases, iam.BesideKCL)
		f.live()
		f.guard.agrees(t)
	})
}

// tally keeps a state of n bytes.
type tally struct{ n int }

func (tally) Handle(context.Context, *batching.Batch) error    { return nil }
func (tally) Restore(context.Context, batching.Restored) error { return nil }
func (h tally) State(string) ([]byte, error)                   { return []byte(strings.Repeat("s", h.n)), nil }

func TestStatesAskForWhatTheirPolicyAllows(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope iam.Scope
		size  int
		modes []iam.Mode
	}{
		{"in the table", iam.Scope{Stream: clicks}, 100, []iam.Mode{iam.Polling, iam.Leases, iam.State}},
		{"in a bucket", iam.Scope{Stream: clicks, Overflow: "arn:aws:s3:::states/clickstream"}, 500_000, []iam.Mode{iam.Polling, iam.Leases, iam.State, iam.Overflow}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := newRig(t, c.scope)
				if err := rig.AWS.S3().CreateBucket("states"); err != nil {
					t.Fatal(err)
				}
				f := newFleet(t, rig, c.scope, []iam.Mode{iam.Bootstrap, iam.BootstrapState}, c.modes...)
				f.live(func(cfg *consumer.Config) { cfg.Handler = tally{c.size} })
				f.guard.agrees(t, kclTables...)
			})
		})
	}
}

func TestParkingAsksForWhatItsPolicyAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := iam.Scope{Stream: clicks}
		f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap, iam.BootstrapParking}, iam.Polling, iam.Leases, iam.Parking)
		well := time.Now().Add(time.Minute)
		f.Put("poison", "poison")
		f.live(func(c *consumer.Config) {
			c.BisectBatchOnError = true
			c.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{time.Second}}
			c.Park = consumer.Park{Keys: 5, RetryEvery: 10 * time.Second}
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				for i := range b.Records {
					if b.Records[i].PartitionKey == "poison" && time.Now().Before(well) {
						return batching.FailFrom(&b.Records[i], errors.New("poison"))
					}
				}
				return nil
			})
		})
		f.guard.agrees(t, kclTables...)
	})
}

// An effect that is kept once asks for the table of effects alone.
func TestOnceAsksForWhatItsPolicyAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		_, err := dynamodb.NewFromConfig(rig.AWS.Config("operator")).CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: aws.String("effects"), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		})
		if err != nil {
			t.Fatal(err)
		}
		g := guarded(t, rig.AWS, iam.Scope{Once: tableARN("effects")}, iam.Once)
		table := dynamoonce.Open(dynamodb.NewFromConfig(g.config(rig.AWS, "w")), "effects")
		if err := table.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		done := 0
		h, err := once.Each(table, func(context.Context, *once.Effect) error {
			mu.Lock()
			defer mu.Unlock()
			done++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		rig.PutN(20, 5)
		rig.Start("w", func(c *consumer.Config) { c.Handler = h })
		rig.Await("everything handled", rig.AllDone)
		rig.Close()
		if mu.Lock(); done != 20 {
			t.Errorf("%d effects, want 20", done)
		}
		mu.Unlock()
		g.agrees(t)
	})
}

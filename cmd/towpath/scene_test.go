package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// scene is what a script plays in.
type scene struct {
	aws *awsfake.AWS

	fleets map[string]*sceneFleet
	heals  []func()
	flows  []func()
	put    map[string]int // records of each stream
}

func newScene() *scene {
	a := awsfake.New()
	a.Kinesis().Set(kinesisfake.WithReadLimits(false)) // a script reads one shard with many commands
	// No network answers within microseconds, before the client has noticed that its
	// request is written: of such an answer the SDK closes the connection when it
	// closes the request, and letters that are in it stay hidden.
	a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Service == "sqs" {
			return awsfake.DelayAnswer(20 * time.Millisecond)
		}
		return awsfake.Fault{}
	})
	return &scene{aws: a, fleets: map[string]*sceneFleet{}, put: map[string]int{}}
}

// end ends what the scene started.
func (s *scene) end() {
	for _, stop := range s.flows {
		stop()
	}
	for _, f := range s.fleets {
		f.halt()
	}
}

var errScene = errors.New("wrong words for the scene: see TestScripts")

func streamScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 2 {
		return errScene
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return s.aws.Kinesis().CreateStream(args[0], n)
}

func putScene(_ context.Context, s *scene, args []string) error {
	if len(args) < 2 {
		return errScene
	}
	n, err := strconv.Atoi(args[1])
	for i := range n {
		key := fmt.Sprintf("k%d", i)
		if len(args) == 3 {
			key = args[2]
		}
		if _, _, err := s.aws.Kinesis().Put(args[0], key, fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			return err
		}
	}
	s.put[args[0]] += n
	return err
}

func flowScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 2 {
		return errScene
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return errScene
	}
	flow, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(n))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
				_, _, _ = s.aws.Kinesis().Put(args[0], fmt.Sprintf("k%d", i), []byte("{}"))
			case <-flow.Done():
				return
			}
		}
	})
	s.flows = append(s.flows, func() { stop(); ended.Wait() })
	return nil
}

func splitScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 2 {
		return errScene
	}
	_, _, err := s.aws.Kinesis().Split(args[0], args[1])
	return err
}

func mergeScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 3 {
		return errScene
	}
	_, err := s.aws.Kinesis().Merge(args[0], args[1], args[2])
	return err
}

func queueScene(ctx context.Context, s *scene, args []string) error {
	if len(args) != 1 {
		return errScene
	}
	_, err := sqs.NewFromConfig(s.aws.Config("scene")).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &args[0]})
	return err
}

func bucketScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 1 {
		return errScene
	}
	return s.aws.S3().CreateBucket(args[0])
}

// rowsScene makes the tables that a fleet would have made, and a row a shard.
func rowsScene(ctx context.Context, s *scene, args []string) error {
	if len(args) < 2 {
		return errScene
	}
	at := map[string]shard.Position{}
	for _, a := range args[2:] {
		id, text, _ := strings.Cut(a, "=")
		p, err := placeOf("to", text)
		if err != nil {
			return err
		}
		at[id] = p
	}
	cfg := s.aws.Config("scene")
	table := dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), args[0], func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	source := kinesisshards.Open(kinesis.NewFromConfig(cfg), args[1])
	stream, err := source.Describe(ctx)
	if err != nil {
		return err
	}
	if err := table.Prepare(ctx, stream); err != nil {
		return err
	}
	listed, err := source.List(ctx)
	if err != nil {
		return err
	}
	var rows []shard.Lease
	for _, d := range listed {
		rows = append(rows, shard.Lease{
			Key: d.ID, Shard: d.ID, Parents: d.Parents, Hashes: d.Hashes, Checkpoint: at[d.ID],
			StreamCreated: stream.CreatedAt, CreatedFrom: "initial",
		})
	}
	epoch, err := table.Begin(ctx)
	if err != nil {
		return err
	}
	return table.Create(ctx, epoch, rows)
}

func itemScene(ctx context.Context, s *scene, args []string) error {
	if len(args) < 2 {
		return errScene
	}
	client := dynamodb.NewFromConfig(s.aws.Config("scene"))
	row, key := map[string]types.AttributeValue{}, ""
	for _, a := range args[1:] {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return errScene
		}
		var v types.AttributeValue = &types.AttributeValueMemberS{Value: value}
		if number, isNumber := strings.CutPrefix(name, "N:"); isNumber {
			name, v = number, &types.AttributeValueMemberN{Value: value}
		} else if list, isList := strings.CutPrefix(name, "SS:"); isList {
			name, v = list, &types.AttributeValueMemberSS{Value: strings.Split(value, ",")}
		}
		if key == "" {
			key = name
		}
		row[name] = v
	}
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &args[0], BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}},
	})
	var there *types.ResourceInUseException
	if err != nil && !errors.As(err, &there) {
		return err
	}
	_, err = client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &args[0], Item: row})
	return err
}

// tableScene makes a table that is not one of an application.
func tableScene(ctx context.Context, s *scene, args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errScene
	}
	in := &dynamodb.CreateTableInput{TableName: &args[0], BillingMode: types.BillingModePayPerRequest}
	for i, kind := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[:len(args)-1] {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &args[1+i], AttributeType: types.ScalarAttributeTypeS})
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &args[1+i], KeyType: kind})
	}
	_, err := dynamodb.NewFromConfig(s.aws.Config("scene")).CreateTable(ctx, in)
	return err
}

func denyScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 2 {
		return errScene
	}
	s.heals = append(s.heals, s.aws.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Caller == "test" && c.Service == args[0] && c.Operation == args[1] {
			return awsfake.Fail("AccessDeniedException", 400)
		}
		return awsfake.Fault{}
	}))
	return nil
}

func downScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 1 {
		return errScene
	}
	s.heals = append(s.heals, s.aws.Cut("test", args[0]))
	return nil
}

func healScene(_ context.Context, s *scene, _ []string) error {
	for _, heal := range s.heals {
		heal()
	}
	s.heals = nil
	return nil
}

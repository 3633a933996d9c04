package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// sceneFleet is a fleet in the process of the test.
type sceneFleet struct {
	stream string
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex
	handled int
	moved   chan struct{} // a place for one: handled has grown
	failed  error
}

func (f *sceneFleet) halt() {
	f.cancel()
	f.ended.Wait()
}

// Handle implements consumer.Handler: it counts, and refuses keys that begin with
// bad.
func (f *sceneFleet) Handle(_ context.Context, b *batching.Batch) error {
	for i := range b.Records {
		if strings.HasPrefix(b.Records[i].PartitionKey, "bad") {
			return batching.FailFrom(&b.Records[i], errors.New("a bad record"))
		}
		f.mu.Lock()
		f.handled++
		f.mu.Unlock()
	}
	select {
	case f.moved <- struct{}{}:
	default:
	}
	return nil
}

func fleetScene(ctx context.Context, s *scene, args []string) error {
	if len(args) < 3 {
		return errScene
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx)
	f := &sceneFleet{stream: args[1], cancel: cancel, moved: make(chan struct{}, 1)}
	s.fleets[args[0]] = f
	failing := len(args) == 4 && args[3] == "failing"
	for i := range n {
		cfg := s.aws.Config(fmt.Sprintf("w%d", i+1))
		config := consumer.Config{
			Name:               args[0],
			WorkerPrefix:       fmt.Sprintf("w%d", i+1),
			Source:             kinesisshards.Open(kinesis.NewFromConfig(cfg), args[1]),
			Leases:             dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), args[0], func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
			Handler:            f,
			Logger:             slog.New(slog.DiscardHandler),
			StartingPosition:   shard.TrimHorizon(),
			CheckpointInterval: 10 * time.Millisecond,
		}
		if failing {
			out, err := sqs.NewFromConfig(cfg).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: new("letters")})
			if err != nil {
				return err
			}
			config.OnFailure = sqsdestination.Open(sqs.NewFromConfig(cfg), *out.QueueUrl)
			config.MaximumRetryAttempts, config.BisectBatchOnError = batching.AtMost(0), true
		}
		c, err := consumer.New(config)
		if err != nil {
			return err
		}
		f.ended.Go(func() {
			if err := c.Run(run); err != nil && run.Err() == nil {
				f.mu.Lock()
				f.failed = err
				f.mu.Unlock()
			}
		})
	}
	if failing {
		return nil // what is refused does not count: handled waits for the rest
	}
	if err := f.wait(s.put[args[1]]); err != nil {
		return err
	}
	return s.settled(ctx, args[0], args[1], n)
}

func handledScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 2 || s.fleets[args[0]] == nil {
		return errScene
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return s.fleets[args[0]].wait(n)
}

// patience is for how long a script waits for a fleet, on any machine.
const patience = 2 * time.Minute

// wait waits until so many records are handled.
func (f *sceneFleet) wait(n int) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		f.mu.Lock()
		handled, failed := f.handled, f.failed
		f.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case handled >= n:
			return nil
		}
		select {
		case <-f.moved:
		case <-late.C:
			return fmt.Errorf("%d of %d records are handled after %s", handled, n, patience)
		}
	}
}

// settled waits until every worker has registered and every row that a record was
// put for stands at its last, so that what a script reads does not move.
func (s *scene) settled(ctx context.Context, app, stream string, workers int) error {
	last := map[string]string{}
	for _, r := range s.aws.Kinesis().Records(stream) {
		last[r.ShardID] = r.SequenceNumber
	}
	table := dynamocheckpoint.Open(dynamodb.NewFromConfig(s.aws.Config("scene")), app)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < patience; <-tick.C {
		rows, err := table.List(ctx)
		if err != nil {
			return err
		}
		sessions, err := table.Sessions(ctx)
		if err != nil {
			return err
		}
		open := max(0, workers-len(sessions))
		for _, row := range rows {
			if want, ok := last[row.Shard]; ok && row.Checkpoint.Sequence != want && !row.Finished() || row.Holder() == "" && !row.Finished() {
				open++
			}
		}
		if open == 0 && len(rows) > 0 {
			return nil
		}
	}
	return errors.New("the rows do not come to rest")
}

func haltScene(_ context.Context, s *scene, args []string) error {
	if len(args) != 1 || s.fleets[args[0]] == nil {
		return errScene
	}
	s.fleets[args[0]].halt()
	return nil
}

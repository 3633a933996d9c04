package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// canary stands in every payload, every key and every error of the stage's
// handlers, and nowhere on a page.
const canary = "canary-4f1c9a7e"

// stage is a real fleet on an AWS in the process: three workers, five shards of
// which one is split and two are merged, users whose records fail.
type stage struct {
	aws      *awsfake.AWS
	recorder dashboard.Recorder
	before   *overview.Fleet

	running []*consumer.Consumer
	done    sync.WaitGroup
	stop    context.CancelFunc
}

const stream, application = "clicks", "clickstream"

// slow is a shard whose records take long, so that it falls behind.
const slow = "shardId-000000000002"

func newStage(ctx context.Context) (*stage, error) {
	s := &stage{aws: awsfake.New()}
	if err := s.aws.Kinesis().CreateStream(stream, 5); err != nil {
		return nil, err
	}
	ctx, s.stop = context.WithCancel(ctx)
	for _, name := range []string{"checkout-7d9f4", "checkout-b21kx", "checkout-q8zzm"} {
		cfg := s.aws.Config(name)
		c, err := consumer.New(consumer.Config{
			Name:   application,
			Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), stream),
			Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), application, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
			Handler: consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				each := time.Millisecond
				if b.Shard == slow {
					each *= 34
				}
				select {
				case <-time.After(4*time.Millisecond + time.Duration(len(b.Records))*each):
				case <-ctx.Done():
				}
				var rejected []error
				for i := range b.Records {
					if r := &b.Records[i]; len(r.Data) > 0 && r.Data[0] == '!' {
						rejected = append(rejected, batching.Reject(r, &clickError{fmt.Sprintf("cannot read %s of %s", r.Data, r.PartitionKey)}))
					}
				}
				return errors.Join(rejected...)
			}),
			OnFailure:             letters{},
			ParallelizationFactor: 4, BatchSize: 50, MaximumInFlight: 400, WorkerPrefix: name, LeaseDuration: 6 * time.Second, CheckpointInterval: time.Second,
			Logger: slog.New(slog.DiscardHandler), Hooks: s.recorder.Hooks(consumer.Hooks{}),
		})
		if err != nil {
			return nil, err
		}
		s.running = append(s.running, c)
		s.done.Go(func() { _ = c.Run(ctx) }) // its shards are seen or not seen on the page
		time.Sleep(700 * time.Millisecond)   // one after the other, so that shards change hands
	}
	s.done.Go(func() { s.produce(ctx) })
	return s, nil
}

// letters accepts what is given up.
type letters struct{}

func (letters) Send(context.Context, destination.Failure) error { return nil }
func (letters) String() string                                  { return "failed-clicks" }

// clickError is an error of a handler that quotes what it should not.
type clickError struct{ text string }

func (e *clickError) Error() string { return e.text }

// produce puts records, more on some shards than on others, and reshards.
func (s *stage) produce(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	began, resharded := time.Now(), 0
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		many := 6 + (n/100)%5*2
		for i := range many {
			data := fmt.Sprintf("click %d of %s", n, canary)
			if n%170 == 0 && i == 0 {
				data = "!" + data
			}
			_, _, _ = s.aws.Kinesis().Put(stream, fmt.Sprintf("%s-%d", canary, (n*7+i*i)%97), []byte(data))
		}
		switch past := time.Since(began); {
		case resharded == 0 && past > 2*time.Second:
			_, _, _ = s.aws.Kinesis().Split(stream, "shardId-000000000001")
			resharded++
		case resharded == 1 && past > 4*time.Second:
			_, _ = s.aws.Kinesis().Merge(stream, "shardId-000000000003", "shardId-000000000004")
			resharded++
		case resharded == 2 && past > 7*time.Second:
			_, _, _ = s.aws.Kinesis().Split(stream, "shardId-000000000005")
			resharded++
		}
	}
}

// end stops the fleet and waits for it.
func (s *stage) end() {
	s.stop()
	s.done.Wait()
}

// source is the stage as the dashboard shows it.
func (s *stage) source() dashboard.Source {
	cfg := s.aws.Config("operator")
	tables := dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), application)
	var from shard.Source = kinesisshards.Open(kinesis.NewFromConfig(cfg), stream)
	one := dashboard.Source{Name: application, Recorder: &s.recorder, Tables: func(ctx context.Context) (*overview.Fleet, error) {
		f, err := overview.Look(ctx, overview.Config{Tables: tables, Source: from, Before: s.before, Silence: 6 * time.Second})
		if f != nil {
			s.before = f
		}
		return f, err
	}}
	for _, c := range s.running {
		one.Statuses = append(one.Statuses, c.Status)
	}
	return one
}

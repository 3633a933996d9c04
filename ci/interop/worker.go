package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// failover is KCL's failoverTimeMillis and towpath's LeaseDuration: the shortest
// that towpath allows. KclWorker.java has the same.
const failover = 3 * time.Second

// perRecord is what a towpath worker takes over a record, so that stops and kills
// find it in the middle of something.
const perRecord = time.Millisecond

// workerMain is one towpath worker, in a process of its own. Status 3 is that it
// refused to start, or met a row that it could not believe.
func workerMain(args []string) int {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	kinesisURL := flags.String("kinesis", "", "endpoint of Kinesis")
	dynamoURL := flags.String("dynamodb", "", "endpoint of DynamoDB")
	application := flags.String("application", "", "name of the application and its lease table")
	stream := flags.String("stream", "", "name of the stream")
	name := flags.String("name", "", "of this worker")
	path := flags.String("ledger", "", "file that every record handled is entered into")
	beside := flags.Bool("beside", false, "share the stream with workers of KCL 2.x")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	file, err := os.OpenFile(*path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Println("open the ledger:", err)
		return 2
	}
	defer file.Close()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	w := &worker{name: *name, ledger: file, began: time.Now(), end: end}
	cfg := consumer.Config{
		Name:   *application,
		Source: kinesisshards.Open(kinesis.NewFromConfig(awsfake.LoopbackConfig("test", *kinesisURL)), *stream),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(awsfake.LoopbackConfig("test", *dynamoURL)), *application,
			func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler:            w,
		BatchSize:          10, // no divisor of an aggregate's size, so that batches end inside of them
		LeaseDuration:      failover,
		BesideKCL2:         *beside,
		CheckpointInterval: 200 * time.Millisecond,
		WorkerPrefix:       *name,
		Logger:             slog.New(slog.NewTextHandler(os.Stdout, nil)),
		Hooks: consumer.Hooks{
			RowQuarantined: func(e consumer.RowEvent) { w.fail(fmt.Errorf("a row cannot be believed: %+v", e)) },
			Loss:           func(e consumer.LossEvent) { w.fail(fmt.Errorf("records were trimmed: %+v", e)) },
		},
	}
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println("refused:", err)
		return 3
	}
	fmt.Println("running")
	if err := c.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Println("refused:", err)
		return 3
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Println("refused:", err)
		return 3
	}
	fmt.Println("stopped gracefully: true")
	return 0
}

// worker enters each record into the ledger, as the Java workers do.
type worker struct {
	name   string
	ledger *os.File
	began  time.Time
	end    context.CancelCauseFunc // of the whole process
}

var errNotMine = errors.New("the shard is no longer this worker's")

// Handle enters the records of a batch, each with one write.
func (w *worker) Handle(ctx context.Context, b *batching.Batch) error {
	tenure := b.Shard + "@" + strconv.FormatInt(b.Fence().Counter, 10)
	for i := range b.Records {
		r := &b.Records[i]
		time.Sleep(perRecord)
		if ctx.Err() != nil || !b.Valid() {
			return batching.FailFrom(r, errNotMine)
		}
		line := ledger.Line(w.name, tenure, r.Shard, r.Sequence, r.Sub, r.PartitionKey, string(r.Data), time.Since(w.began))
		if _, err := w.ledger.WriteString(line); err != nil {
			w.fail(fmt.Errorf("write the ledger: %w", err))
			return batching.FailFrom(r, err)
		}
	}
	return nil
}

// fail ends the process, as nothing that it does from here on could be judged.
func (w *worker) fail(err error) { w.end(err) }

package traffic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Worker is a worker of towpath in a process of its own, which enters each record
// that it handles into a ledger.
type Worker struct {
	Application string // and its lease table
	Stream      string // its name
	Name        string // of the worker, as it stands in the ledger
	Ledger      string // the file
	Kinesis     string // endpoint
	DynamoDB    string // endpoint
	Caller      string // whose credentials its calls have

	PerRecord time.Duration                    // what it takes over one
	Now       func() time.Duration             // the time that it enters
	Refuse    func(record *shard.Record) error // why one is not handled; nil: all are

	ledger *os.File
	end    context.CancelCauseFunc // of the whole process
}

// Bind has flags say what a worker is told.
func (w *Worker) Bind(flags *flag.FlagSet) {
	flags.StringVar(&w.Kinesis, "kinesis", "", "endpoint of Kinesis")
	flags.StringVar(&w.DynamoDB, "dynamodb", "", "endpoint of DynamoDB")
	flags.StringVar(&w.Application, "application", "", "name of the application and its lease table")
	flags.StringVar(&w.Stream, "stream", "", "name of the stream")
	flags.StringVar(&w.Name, "name", "", "of this worker")
	flags.StringVar(&w.Ledger, "ledger", "", "file that every record handled is entered into")
}

// Config is the worker's, with what a program need not choose.
func (w *Worker) Config() consumer.Config {
	return consumer.Config{
		Name:   w.Application,
		Source: kinesisshards.Open(kinesis.NewFromConfig(awsfake.LoopbackConfig(w.Caller, w.Kinesis)), w.Stream),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(awsfake.LoopbackConfig(w.Caller, w.DynamoDB)), w.Application,
			func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler:      w,
		WorkerPrefix: w.Name,
		Logger:       slog.New(slog.NewTextHandler(os.Stdout, nil)),
		Hooks: consumer.Hooks{
			RowQuarantined: func(e consumer.RowEvent) { w.fail(fmt.Errorf("a row cannot be believed: %+v", e)) },
			Loss:           func(e consumer.LossEvent) { w.fail(fmt.Errorf("records were trimmed: %+v", e)) },
			HandlerStuck:   func(e consumer.HandlerStuckEvent) { w.fail(fmt.Errorf("a handler is stuck: %+v", e)) },
		},
	}
}

// Run works until ctx ends, and returns nil then. Whatever the worker meets that
// may not be is an error.
func (w *Worker) Run(ctx context.Context, cfg consumer.Config) error {
	var err error
	if w.ledger, err = os.OpenFile(w.Ledger, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	defer w.ledger.Close()
	ctx, w.end = context.WithCancelCause(ctx)
	defer w.end(nil)
	c, err := consumer.New(cfg)
	if err != nil {
		return err
	}
	err = c.Run(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return errors.Join(err, cause)
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

var errNotMine = errors.New("the shard is no longer this worker's")

// Handle enters the records of a batch, each with one write.
func (w *Worker) Handle(ctx context.Context, b *batching.Batch) error {
	tenure := b.Shard + "@" + strconv.FormatInt(b.Fence().Counter, 10)
	for i := range b.Records {
		r := &b.Records[i]
		if w.Refuse != nil {
			if err := w.Refuse(r); err != nil {
				return batching.FailFrom(r, err)
			}
		}
		time.Sleep(w.PerRecord)
		line := ledger.Line(w.Name, tenure, r.Shard, r.Sequence, r.Sub, r.PartitionKey, string(r.Data), w.Now())
		if ctx.Err() != nil || !b.Valid() {
			return batching.FailFrom(r, errNotMine)
		}
		if _, err := w.ledger.WriteString(line); err != nil {
			w.fail(fmt.Errorf("write the ledger: %w", err))
			return batching.FailFrom(r, err)
		}
	}
	return nil
}

// fail ends the process, as nothing that it does from here on could be judged.
func (w *Worker) fail(err error) { w.end(err) }

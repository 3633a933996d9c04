package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// perRecord is what a worker takes over a record, so that what happens finds it in
// the middle of something.
const perRecord = 2 * time.Millisecond

// betweenSamples is how often a worker enters what it uses.
const betweenSamples = 15 * time.Second

// gaveUp is the status of a worker that could not go on, or not end properly.
const gaveUp = 3

// workerMain is one towpath worker, in a process of its own. It ends with
// SIGTERM, or when its standard input does.
func workerMain(args []string) int {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	kinesisURL := flags.String("kinesis", "", "endpoint of Kinesis")
	dynamoURL := flags.String("dynamodb", "", "endpoint of DynamoDB")
	sqsURL := flags.String("sqs", "", "endpoint of SQS")
	queue := flags.String("queue", "", "URL of the queue for what is given up")
	application := flags.String("application", "", "name of the application and its lease table")
	stream := flags.String("stream", "", "name of the stream")
	name := flags.String("name", "", "of this worker")
	path := flags.String("ledger", "", "file that every record handled is entered into")
	samples := flags.String("samples", "", "file that what this process uses is entered into")
	lanes := flags.Int("lanes", 2, "of a shard")
	checkpointEvery := flags.Duration("checkpoint", 0, "how often a position is written at most")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	file, err := os.OpenFile(*path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Println("open the ledger:", err)
		return 2
	}
	defer file.Close()
	go func() { // ends with the process: nobody is there any more to judge it
		io.Copy(io.Discard, os.Stdin)
		os.Exit(4)
	}()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if *samples != "" {
		go sample(ctx, *name, *samples) // ends with the process
	}
	w := &worker{name: *name, ledger: file, end: end}
	cfg := consumer.Config{
		Name:   *application,
		Source: kinesisshards.Open(kinesis.NewFromConfig(awsfake.LoopbackConfig(*name, *kinesisURL)), *stream),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(awsfake.LoopbackConfig(*name, *dynamoURL)), *application,
			func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler:               w,
		OnFailure:             sqsdestination.Open(sqs.NewFromConfig(awsfake.LoopbackConfig(*name, *sqsURL)), *queue),
		MaximumRetryAttempts:  batching.AtMost(1),
		BisectBatchOnError:    true, // or what follows a poisoned record would be given up with it
		ParallelizationFactor: *lanes,
		CheckpointInterval:    *checkpointEvery,
		WorkerPrefix:          *name,
		Logger:                slog.New(slog.NewTextHandler(os.Stdout, nil)),
		Hooks: consumer.Hooks{
			RowQuarantined: func(e consumer.RowEvent) { w.fail(fmt.Errorf("a row cannot be believed: %+v", e)) },
			Loss:           func(e consumer.LossEvent) { w.fail(fmt.Errorf("records were trimmed: %+v", e)) },
			HandlerStuck:   func(e consumer.HandlerStuckEvent) { w.fail(fmt.Errorf("a handler is stuck: %+v", e)) },
		},
	}
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println("gave up:", err)
		return gaveUp
	}
	err = c.Run(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	} else if errors.Is(err, context.Canceled) {
		err = nil
	}
	if err != nil {
		fmt.Println("gave up:", err)
		return gaveUp
	}
	return 0
}

// worker enters each record into the ledger.
type worker struct {
	name   string
	ledger *os.File
	end    context.CancelCauseFunc // of the whole process
}

var (
	errNotMine = errors.New("the shard is no longer this worker's")
	errPoison  = errors.New("this record is poison")
)

// Handle enters the records of a batch, each with one write, and refuses poison.
func (w *worker) Handle(ctx context.Context, b *batching.Batch) error {
	tenure := b.Shard + "@" + strconv.FormatInt(b.Fence().Counter, 10)
	for i := range b.Records {
		r := &b.Records[i]
		if strings.HasSuffix(string(r.Data), poisonMark) {
			return batching.FailFrom(r, errPoison)
		}
		time.Sleep(perRecord)
		line := ledger.Line(w.name, tenure, r.Shard, r.Sequence, r.Sub, r.PartitionKey, string(r.Data), now())
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
func (w *worker) fail(err error) { w.end(err) }

// sample enters what this process uses until ctx ends.
func sample(ctx context.Context, name, path string) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Println("open the samples:", err)
		return
	}
	defer file.Close()
	tick := time.NewTicker(betweenSamples)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return // no Linux
		}
		file.WriteString(sampleLine(name, now(), residentKiB(), int(m.HeapAlloc>>10), runtime.NumGoroutine(), len(fds))) // a full disk shows in the ledger too
	}
}

// sampleLine is what a process uses at one time; memory is in KiB.
func sampleLine(name string, at time.Duration, rss, heap, goroutines, fds int) string {
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d\n", name, int64(at), rss, heap, goroutines, fds)
}

// residentKiB is the memory that the process has, in KiB; 0 where it cannot be
// told.
func residentKiB() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[0]) // a kernel that writes something else tells 0
	return n
}

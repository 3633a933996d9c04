package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/ci/traffic"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
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
	w := &traffic.Worker{PerRecord: perRecord, Now: now, Refuse: refuse}
	w.Bind(flags)
	sqsURL := flags.String("sqs", "", "endpoint of SQS")
	queue := flags.String("queue", "", "URL of the queue for what is given up")
	samples := flags.String("samples", "", "file that what this process uses is entered into")
	lanes := flags.Int("lanes", 2, "of a shard")
	checkpointEvery := flags.Duration("checkpoint", 0, "how often a position is written at most")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	go func() { // ends with the process: nobody is there any more to judge it
		io.Copy(io.Discard, os.Stdin)
		os.Exit(4)
	}()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	w.Caller = w.Name
	if *samples != "" {
		go sample(ctx, w.Name, *samples) // ends with the process
	}
	cfg := w.Config()
	cfg.OnFailure = sqsdestination.Open(sqs.NewFromConfig(awsfake.LoopbackConfig(w.Caller, *sqsURL)), *queue)
	cfg.MaximumRetryAttempts = batching.AtMost(1)
	cfg.BisectBatchOnError = true // or what follows a poisoned record would be given up with it
	cfg.ParallelizationFactor, cfg.CheckpointInterval = *lanes, *checkpointEvery
	if err := w.Run(ctx, cfg); err != nil {
		fmt.Println("gave up:", err)
		return gaveUp
	}
	return 0
}

// refuse refuses poison.
func refuse(r *shard.Record) error {
	if strings.HasSuffix(string(r.Data), poisonMark) {
		return errors.New("this record is poison")
	}
	return nil
}

// sample enters what this process uses until ctx ends.
func sample(ctx context.Context, name, path string) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Println("open the samples:", err)
		return
	}
	defer file.Close()
	// What the last collection found to be in use: what leaks is in it, and how
	// far the next collection is away is not.
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(betweenSamples)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return // no Linux
		}
		file.WriteString(sampleLine(name, now(), residentKiB(), int(live[0].Value.Uint64()>>10), runtime.NumGoroutine(), len(fds))) // a full disk shows in the ledger too
	}
}

// sampleLine is what a process uses at one time; memory is in KiB.
func sampleLine(name string, at time.Duration, rss, live, goroutines, fds int) string {
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d\n", name, int64(at), rss, live, goroutines, fds)
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

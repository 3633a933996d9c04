package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/towpath/towpath/ci/traffic"
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
	began := time.Now()
	w := &traffic.Worker{Caller: "test", PerRecord: perRecord, Now: func() time.Duration { return time.Since(began) }}
	w.Bind(flags)
	beside := flags.Bool("beside", false, "share the stream with workers of KCL 2.x")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	cfg := w.Config()
	cfg.BatchSize = 10 // no divisor of an aggregate's size, so that batches end inside of them
	cfg.LeaseDuration, cfg.BesideKCL2, cfg.CheckpointInterval = failover, *beside, 200*time.Millisecond
	if err := w.Run(ctx, cfg); err != nil {
		fmt.Println("refused:", err)
		return 3
	}
	return 0
}

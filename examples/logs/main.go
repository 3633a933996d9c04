// Logs keeps the logs that pass on a stream in a bucket, an object an hour and a
// while: a worked example of a service that collects.
//
// On the stream are what CloudWatch Logs sends to a subscription, and lines of
// web servers' access logs. Read it in this order:
//
//	record.go        what stands on the stream, and how much of it is believed
//	subscription.go  what CloudWatch Logs sends
//	access.go        a line of an access log
//	archive.go       many records into one object for each hour
//	worker.go        the config of a worker
//	serve.go         one worker on a stream in AWS
//	play.go          several on a stream in the process, one of which is killed
//
// and beside it feed.go for what is put there, verify.go for what is found in the
// bucket, flags.go for the command line and report.go for what you see.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main without the process: it gives the exit status. It is 0 if what was
// put is in the bucket, 1 if not or if something could not be done, 2 if the
// command line means nothing.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stdout)
	if err != nil {
		status := flagStatus(err)
		if status != 0 {
			fmt.Fprintf(stderr, "logs: %v\nlogs -h lists the flags\n", err)
		}
		return status
	}
	if o.Stream != "" {
		if err := serve(ctx, o, stderr); err != nil {
			fmt.Fprintf(stderr, "logs: %v\n", err)
			return 1
		}
		return 0
	}
	r, err := play(ctx, o, stderr)
	if err == nil {
		write := r.writeTable
		if o.JSON {
			write = r.writeJSON
		}
		err = write(stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "logs: %v\n", err)
		return 1
	}
	return r.exitStatus()
}

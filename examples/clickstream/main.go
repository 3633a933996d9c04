// Clickstream counts the sessions in a log of clicks: a worked example of a
// service that lives on a stream.
//
// Read it in this order:
//
//	event.go     what stands on the stream
//	worker.go    who reads it: the config of a worker, its handler, its hooks
//	sessions.go  what the handler does with it, once, however often it is told
//	serve.go     one worker on a stream in AWS
//	play.go      many on a stream in the process, with a log played onto it
//	chaos.go     what happens to that stream and its workers meanwhile
//	page.go      the dashboard that shows it
//
// and beside it input.go, rows.go, times.go and feed.go for the log that is
// played, flags.go for the command line, progress.go and report.go for what you
// see.
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

// run is main without the process: it gives the exit status. It is 0 if every
// record came to its end in order, 1 if not or if the log could not be read, 2 if
// the command line means nothing.
func run(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	o, err := parseFlags(args, stdout)
	if err != nil {
		status := flagStatus(err)
		if status != 0 {
			fmt.Fprintf(stderr, "clickstream: %v\nclickstream -h lists the flags\n", err)
		}
		return status
	}
	do := demonstrate
	if o.Stream != "" {
		do = serve
	}
	r, err := do(ctx, o, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "clickstream: %v\n", err)
		return 1
	}
	write := r.writeTable
	if o.JSON {
		write = r.writeJSON
	}
	if err := write(stdout); err != nil {
		fmt.Fprintf(stderr, "clickstream: %v\n", err)
		return 1
	}
	return r.exitStatus()
}

// demonstrate plays a log onto a stream in the process.
func demonstrate(ctx context.Context, o options, stderr *os.File) (report, error) {
	f, err := load(o)
	if err != nil {
		return report{}, err
	}
	warn(stderr, f.Bad)
	return play(ctx, o, f, stderr)
}

// load reads the log the options name and puts the poison in.
func load(o options) (feed, error) {
	r, name, err := openLog(o.Input)
	if err != nil {
		return feed{}, err
	}
	defer r.Close()
	f, err := loadFeed(name, r, o.Columns)
	if err != nil {
		return feed{}, err
	}
	f.addPoison(o.Poison, o.Seed)
	return f, nil
}

// warn says which rows did not parse: the first few, then how many more.
func warn(w io.Writer, bad []error) {
	const most = 5
	for i, err := range bad {
		if i == most {
			fmt.Fprintf(w, "and %s more\n", thousands(len(bad)-most))
			break
		}
		fmt.Fprintln(w, err)
	}
	if len(bad) > 0 {
		fmt.Fprintf(w, "%s did not parse; put on the stream as read, to end in the failure destination\n", count(len(bad), "row"))
	}
}

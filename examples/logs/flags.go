package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// options is a command line, checked.
type options struct {
	Records int // to put, rubbish not counted
	Rubbish int // records that are no log
	Seed    uint64
	JSON    bool
	Workers int
	Shards  int

	// Stream is the stream to serve. Empty means the demonstration.
	Stream string
	Bucket string
	Table  string
	Create bool
	// MaxAge is how long a record waits for its object.
	MaxAge time.Duration
}

// onlyDemo and onlyService name the flags that mean nothing in the other mode.
var (
	onlyDemo    = []string{"records", "rubbish", "seed", "json", "workers", "shards"}
	onlyService = []string{"bucket", "table", "create-tables", "age"}
)

// parseFlags reads a command line without its program name. The error of -h is
// flag.ErrHelp, with the usage written to help.
func parseFlags(args []string, help io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("logs", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.IntVar(&o.Records, "records", 3000, "put `N` records of logs on the stream, 1 to 1,000,000")
	fs.IntVar(&o.Rubbish, "rubbish", 7, "and `N` that are none, 0 to 10,000")
	fs.Uint64Var(&o.Seed, "seed", 1, "what is put, and what happens when, follows from this `number`")
	fs.BoolVar(&o.JSON, "json", false, "print one JSON object at the end instead of a table")
	fs.IntVar(&o.Workers, "workers", 3, "start with `N` workers, 2 to 16")
	fs.IntVar(&o.Shards, "shards", 2, "start with `N` shards, 1 to 16")
	fs.StringVar(&o.Stream, "stream", "", "be a service: work on the stream called `NAME` until SIGTERM, with the AWS configuration of the environment")
	fs.StringVar(&o.Bucket, "bucket", "", "with -stream: `name` of the bucket; the logs go below logs/, what is none below failed/")
	fs.StringVar(&o.Table, "table", "logs", "with -stream: `name` of the DynamoDB table for the leases")
	fs.BoolVar(&o.Create, "create-tables", false, "with -stream: make the lease tables if they are not there")
	fs.DurationVar(&o.MaxAge, "age", 5*time.Minute, "with -stream: how long a record waits for others of its object at most")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(help, usageHead)
			fs.SetOutput(help)
			fs.PrintDefaults()
		}
		return options{}, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	errs := []error{
		between("-records", o.Records, 1, 1_000_000),
		between("-rubbish", o.Rubbish, 0, 10_000),
		between("-workers", o.Workers, 2, 16),
		between("-shards", o.Shards, 1, 16),
	}
	if arg := fs.Arg(0); arg != "" {
		errs = append(errs, fmt.Errorf("%q stands there without a flag", arg))
	}
	wrong, why := onlyService, "needs -stream"
	if given["stream"] {
		wrong, why = onlyDemo, "has no meaning with -stream; leave one of the two out"
		if o.Stream == "" || o.Bucket == "" || o.Table == "" {
			errs = append(errs, errors.New("-stream, -bucket and -table each need a name"))
		}
		if o.MaxAge < time.Second || o.MaxAge > time.Hour {
			errs = append(errs, fmt.Errorf("-age %v is out of range; choose 1s to 1h", o.MaxAge))
		}
	}
	for _, name := range wrong {
		if given[name] {
			errs = append(errs, fmt.Errorf("-%s %s", name, why))
		}
	}
	return o, errors.Join(errs...)
}

const usageHead = `Keeps the logs that pass on a stream in a bucket, through a split of a shard and
the death of a worker.

  logs                               show it; needs nothing but itself
  logs -stream NAME -bucket BUCKET   be a worker on a stream in AWS, until SIGTERM

`

// flagStatus is the exit status for an error of parseFlags: 0 for -h, 2 for a
// command line that means nothing.
func flagStatus(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	return 2
}

func between(name string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s %d is out of range; choose %d to %d", name, n, least, most)
	}
	return nil
}

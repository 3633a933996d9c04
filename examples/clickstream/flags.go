package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// options is a command line, checked.
type options struct {
	Input   string // path of a log; empty for the one inside the program
	Columns columns
	Poison  int // undecodable records to put among the events
	Seed    uint64
	// Aggregate puts what a key does at about the same time as one record.
	Aggregate bool
	JSON      bool
	// Dashboard serves a page that shows the fleet. The demonstration then goes on
	// until it is interrupted.
	Dashboard bool
	Workers   int
	Shards    int

	// Stream is the stream to serve. Empty means the demonstration: a stream of
	// our own in the process, with a log played onto it.
	Stream   string
	Table    string   // the DynamoDB table of the leases
	Create   bool     // make the tables if they are not there
	Failures failures // where failed records go; the zero value is a file
}

// failures is a place for failed records.
type failures struct {
	Kind   string // "sqs", "sns", "s3", or empty for failuresFile
	Target string // the queue's URL, the topic's ARN, or the bucket's name
	Prefix string // of the objects' keys, for "s3"
}

// failuresFile is where a service puts failed records that was given no other
// place. They are then at least not in the way and not gone; a machine that does
// not outlive its worker wants a queue.
const failuresFile = "clickstream-failures.ndjson"

// defaultPoison is a handful: enough to fall into several shards and batches.
const defaultPoison = 5

// onlyDemo and onlyService name the flags that mean nothing in the other mode. A
// flag that is accepted and does nothing is a trap, so they are refused there.
var (
	onlyDemo    = []string{"input", "key", "time", "event", "poison", "seed", "aggregate", "workers", "shards"}
	onlyService = []string{"table", "create-tables", "failures"}
)

// parseFlags reads a command line without its program name. The error of -h is
// flag.ErrHelp, with the usage written to help; every other says what to do.
func parseFlags(args []string, help io.Writer) (options, error) {
	var o options
	var key, to string
	fs := flag.NewFlagSet("clickstream", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are returned, not printed on the way
	fs.Usage = func() {}     // nor is the usage, which would bury them
	fs.StringVar(&o.Input, "input", "", "play the log in `FILE`, CSV with a header or NDJSON, gzip or not (default: a shop's log of 31,106 events, inside the program)")
	fs.StringVar(&key, "key", "user_id", "`column` that says who did it; several, separated by commas, make one key")
	fs.StringVar(&o.Columns.Time, "time", "timestamp", "`column` that says when: RFC 3339, 2006-01-02 15:04:05, Unix seconds or milliseconds")
	fs.StringVar(&o.Columns.Event, "event", "event", "`column` that says what was done")
	fs.IntVar(&o.Poison, "poison", 0, fmt.Sprintf("put `N` records among the events that cannot be decoded (default %d, or 0 with -input)", defaultPoison))
	fs.Uint64Var(&o.Seed, "seed", 1, "what happens when, and where the poison goes, follow from this `number`")
	fs.BoolVar(&o.Aggregate, "aggregate", false, "put what one key does within a few milliseconds as one aggregated record, as the Kinesis Producer Library would")
	fs.BoolVar(&o.JSON, "json", false, "print one JSON object at the end instead of a table")
	fs.BoolVar(&o.Dashboard, "dashboard", false, "serve a page on this host that shows the fleet, and go on until interrupted")
	fs.IntVar(&o.Workers, "workers", 3, "start with `N` workers, 1 to 32")
	fs.IntVar(&o.Shards, "shards", 4, "start with `N` shards, 1 to 64")
	fs.StringVar(&o.Stream, "stream", "", "be a service: work on the stream called `NAME` until SIGTERM, with the AWS configuration of the environment")
	fs.StringVar(&o.Table, "table", "clickstream", "with -stream: `name` of the DynamoDB table for the leases; beside it stands NAME-sessions")
	fs.BoolVar(&o.Create, "create-tables", false, "with -stream: make the two tables if they are not there")
	fs.StringVar(&to, "failures", "", "with -stream: `where` failed records go, as an SQS queue's URL, an SNS topic's ARN or s3://bucket/prefix (default: the file "+failuresFile+" here)")
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
	if o.Input == "" && !given["poison"] {
		o.Poison = defaultPoison
	}

	var errs []error
	if arg := fs.Arg(0); arg != "" { // flags after it are taken for arguments too
		errs = append(errs, fmt.Errorf("%q stands there without a flag; to play a log, write -input %[1]s", arg))
	}
	if given["input"] && o.Input == "" {
		errs = append(errs, errors.New("-input is empty; name a file, or leave the flag out to play the log inside the program"))
	}
	var err error
	if o.Columns.Key, err = parseKey(key); err != nil {
		errs = append(errs, err)
	}
	if o.Columns.Time == "" || o.Columns.Event == "" {
		errs = append(errs, errors.New("-time and -event each need the name of a column"))
	}
	errs = append(errs,
		between("-poison", o.Poison, 0, 10_000),
		between("-workers", o.Workers, 1, 32),
		between("-shards", o.Shards, 1, 64))
	if o.Failures, err = parseFailures(to); err != nil {
		errs = append(errs, err)
	}
	if given["stream"] && o.Stream == "" {
		errs = append(errs, errors.New("-stream is empty; name a Kinesis data stream"))
	}
	if o.Table == "" {
		errs = append(errs, errors.New("-table is empty; name a DynamoDB table"))
	}
	wrong, why := onlyService, "needs -stream"
	if given["stream"] {
		wrong, why = onlyDemo, "has no meaning with -stream; leave one of the two out"
	}
	for _, name := range wrong {
		if given[name] {
			errs = append(errs, fmt.Errorf("-%s %s", name, why))
		}
	}
	return o, errors.Join(errs...)
}

const usageHead = `Counts the sessions in a log of clicks, through a stream, while the stream is
resharded and workers come and go.

  clickstream                      play a shop's log; needs nothing but itself
  clickstream -input clicks.csv    play your own
  clickstream -dashboard           watch it in a browser meanwhile
  clickstream -stream NAME         be a worker on a stream in AWS, until SIGTERM

`

// flagStatus is the exit status for an error of parseFlags: 0 for -h, as help was
// asked for and given, 2 for a command line that means nothing.
func flagStatus(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	return 2
}

func parseKey(text string) ([]string, error) {
	names := strings.Split(text, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if names[i] == "" {
			return nil, fmt.Errorf("-key %q names an empty column; write one name, or several like user,device", text)
		}
		if slices.Contains(names[:i], names[i]) {
			return nil, fmt.Errorf("-key %q names column %q twice", text, names[i])
		}
	}
	return names, nil
}

func between(name string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s %d is out of range; choose %d to %d", name, n, least, most)
	}
	return nil
}

// parseFailures tells the kinds of destination apart by how they are written.
func parseFailures(text string) (failures, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return failures{}, nil
	case strings.HasPrefix(text, "arn:") && strings.Contains(text, ":sns:"):
		return failures{Kind: "sns", Target: text}, nil
	case err == nil && u.Scheme == "s3" && u.Host != "":
		return failures{Kind: "s3", Target: u.Host, Prefix: strings.Trim(u.Path, "/")}, nil
	case err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.Trim(u.Path, "/") != "":
		return failures{Kind: "sqs", Target: text}, nil
	}
	return failures{}, fmt.Errorf("-failures %q is not a place; write an SQS queue's URL, an SNS topic's ARN or s3://bucket/prefix", text)
}

// Command chaos has worker processes work on a stream while they are killed,
// stopped, cut off from one service or another, and restarted, while shards are
// split and merged and rows are deleted by hand. A producer numbers the records
// of each key, every worker enters what it handles into one ledger, and nothing
// may be missing, no key out of order, and no position before what it tells of.
//
// The services are the in-process AWS in a process of its own, or, with -aws
// emulators, the servers of ci/servers.sh, or others that are named. Each worker
// reaches each of them over a link of its own, so that a cut is as one-sided as
// cuts are.
//
// With -kind kcl the workers are those of the Kinesis Client Library at the
// settings that it is shipped with, on the same schedule and judged by the same
// ledger: what it loses and how long it takes is told. It needs -aws emulators,
// as the in-process AWS does not know the parameters of old that it calls
// DynamoDB with.
//
// The last line of its output is a JSON object; the status is 1 if anything was
// lost, out of order or otherwise not as promised. How long things took is told
// and not judged, as machines differ.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are what the command line says.
type settings struct {
	duration                      time.Duration
	seed                          int64
	kind                          string // of worker
	jars                          string // where servers.sh and interop.sh have put what they installed
	workers, shards               int
	climate                       climate
	checkpointEvery               time.Duration
	poison                        bool
	soak                          bool
	immortals                     int // workers that are neither killed nor restarted
	folder                        string
	aws                           string // process or emulators
	kinesisURL, dynamoURL, sqsURL string // of servers that run already
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			os.Exit(workerMain(os.Args[2:]))
		case "aws":
			os.Exit(awsMain(os.Args[2:]))
		}
	}
	s := settings{}
	minutes := flag.Float64("minutes", 2, "how long things happen, before all that was put is waited for")
	flag.Int64Var(&s.seed, "seed", time.Now().UnixNano()%1e6, "of what happens when")
	flag.StringVar(&s.kind, "kind", "towpath", "of the workers: towpath, or kcl for the Kinesis Client Library at its own settings, to be held against it")
	flag.StringVar(&s.jars, "jars", ".emulators", "folder with what ci/interop.sh install has put there, for -kind kcl")
	flag.IntVar(&s.workers, "workers", 8, "how many processes")
	flag.IntVar(&s.shards, "shards", 0, "of the stream at the start; default 64, of emulators 8")
	flag.StringVar(&s.aws, "aws", "process", "process: the in-process AWS in a process of its own; emulators: the servers of ci/servers.sh")
	flag.BoolVar(&s.soak, "soak", false, "things happen at a low rate, and what the workers use is held against what they used at first")
	flag.IntVar(&s.immortals, "immortals", -1, "workers that are neither killed nor restarted (default none, with -soak 3)")
	flag.DurationVar(&s.climate.kill, "kill-every", 12*time.Second, "on average; 0 is never, here and below")
	flag.DurationVar(&s.climate.stop, "stop-every", 20*time.Second, "SIGSTOP, with SIGCONT up to 30 s later")
	flag.DurationVar(&s.climate.cut, "cut-every", 10*time.Second, "one worker's way to one service")
	flag.DurationVar(&s.climate.reshard, "reshard-every", 40*time.Second, "a split or a merge")
	flag.DurationVar(&s.climate.restart, "restart-every", 30*time.Second, "SIGTERM of a worker whose replacement is there")
	flag.DurationVar(&s.climate.outage, "outage-every", 60*time.Second, "of the queue, for all")
	flag.DurationVar(&s.climate.rows, "rows-every", 45*time.Second, "a row of a session or a lease is deleted by hand")
	flag.DurationVar(&s.checkpointEvery, "checkpoint", 2*time.Second, "the workers' CheckpointInterval; 0 is its default")
	flag.BoolVar(&s.poison, "poison", true, "some records are refused by every handler, and are to come to the queue")
	flag.StringVar(&s.folder, "folder", "", "for ledgers and logs; default a new one, which is removed if all is well")
	flag.StringVar(&s.kinesisURL, "kinesis", "", "endpoint of Kinesis; with those of DynamoDB and SQS in the place of the in-process AWS")
	flag.StringVar(&s.dynamoURL, "dynamodb", "", "endpoint of DynamoDB")
	flag.StringVar(&s.sqsURL, "sqs", "", "endpoint of SQS")
	flag.Parse()
	s.duration = time.Duration(*minutes * float64(time.Minute))
	if s.soak {
		s.climate = s.climate.calmer(10)
	}
	if s.immortals < 0 {
		s.immortals = 0
		if s.soak {
			s.immortals = 3
		}
	}
	if s.shards == 0 {
		s.shards = 64
		if s.aws == "emulators" {
			s.shards = 8
		}
	}
	if s.aws != "process" && s.aws != "emulators" || kinds[s.kind] == nil || s.immortals >= s.workers || s.shards < 1 {
		fmt.Fprintln(os.Stderr, "chaos: -aws or -kind is not known, or -workers or -shards are too few")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, s)
	if err != nil {
		fmt.Println("FAILED:", err)
	}
	line, _ := json.Marshal(r) // numbers: it cannot fail
	fmt.Println(string(line))
	if err != nil {
		os.Exit(1)
	}
}

// calmer is a climate in which everything is rarer.
func (c climate) calmer(by time.Duration) climate {
	return climate{kill: by * c.kill, stop: by * c.stop, cut: by * c.cut, reshard: by * c.reshard, restart: by * c.restart, outage: by * c.outage, rows: by * c.rows}
}

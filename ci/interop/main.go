// Command interop proves that towpath and the Kinesis Client Library (KCL) read
// and write one lease table: fleets of the real library and of towpath take turns
// at one stream, stopped and killed half-way, and then share it. A producer
// numbers the records of each key, every worker enters what it handles into one
// ledger, and at the end nothing may be missing and no key out of order.
//
// ci/interop.sh installs the library, starts the servers and runs it. The last
// line of its output is a JSON object; the status is 1 if anything was lost, out
// of order or unreadable.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are what the command line says.
type settings struct {
	kinesis, dynamodb string        // endpoints
	jars              string        // folder of kcl-VERSION/lib
	folder            string        // for ledgers and logs; it holds the Java workers' classes in kcl-VERSION
	versions          []string      // of the library, one run after another
	switches          int           // each way
	mixed             time.Duration // of a fleet of both, with 2.x only
	kills             int           // in that time
	plain             bool          // no record is aggregated
	seed              int64
}

// result is the last line.
type result struct {
	Switches             int     `json:"switches"`               // from one kind of fleet to the other, both ways
	Kills                int     `json:"kills"`                  // SIGKILLs, at switches and in the mixed fleet
	Records              int     `json:"records"`                // user records that the stream accepted
	Aggregated           int     `json:"aggregated"`             // of these, those that travelled in aggregated records
	Lost                 int     `json:"lost"`                   // never handled
	OrderViolations      int     `json:"order_violations"`       // handled before one of the same key that precedes it
	Repeated             int     `json:"repeated"`               // handled again
	RepeatedAfterRelease int     `json:"repeated_after_release"` // of these, at a switch for which towpath let go by itself
	MidAggregate         int     `json:"mid_aggregate"`          // checkpoints inside an aggregated record, seen at switches
	Reshards             int     `json:"reshards"`               // splits and merges
	Refused              int     `json:"refused"`                // starts of towpath beside a live fleet of the library, each refused
	RowsRead             int     `json:"rows_read"`              // rows that both sides read without a fault, added up over the switches
	KCLVersion           string  `json:"kcl_version"`
	Seconds              float64 `json:"seconds"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(workerMain(os.Args[2:]))
	}
	var s settings
	var versions string
	flag.StringVar(&s.kinesis, "kinesis", "", "endpoint of Kinesis")
	flag.StringVar(&s.dynamodb, "dynamodb", "", "endpoint of DynamoDB")
	flag.StringVar(&s.jars, "jars", "", "folder that holds the library in kcl-VERSION/lib")
	flag.StringVar(&s.folder, "folder", "", "folder for ledgers and logs, which holds the classes of the library's workers in kcl-VERSION")
	flag.StringVar(&versions, "kcl", "2.7.2,3.5.1", "versions of the library, one run after another")
	flag.IntVar(&s.switches, "switches", 2, "switches each way")
	flag.DurationVar(&s.mixed, "mixed", 2*time.Minute, "how long a fleet of both shares the stream, with versions 2.x")
	flag.IntVar(&s.kills, "kills", 10, "how many of that fleet's workers are killed")
	flag.BoolVar(&s.plain, "plain", false, "put no aggregated records")
	flag.Int64Var(&s.seed, "seed", time.Now().UnixNano()%1e6, "of what happens when")
	flag.Parse()
	s.versions = strings.Split(versions, ",")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	total, err := runAll(ctx, s)
	if err != nil {
		fmt.Println("FAILED:", err)
	}
	line, _ := json.Marshal(total) // numbers and one string: it cannot fail
	fmt.Println(string(line))
	if err != nil {
		os.Exit(1)
	}
}

// runAll proves one version after another, and goes on to the next whatever came
// of the one before.
func runAll(ctx context.Context, s settings) (result, error) {
	began := time.Now()
	var total result
	var problems []error
	for i, version := range s.versions {
		r, err := runVersion(ctx, s, version, s.seed+int64(i))
		if err != nil {
			problems = append(problems, fmt.Errorf("KCL %s: %w", version, err))
		}
		total.add(r)
		if ctx.Err() != nil {
			break
		}
	}
	total.KCLVersion = strings.Join(s.versions, ",")
	total.Seconds = time.Since(began).Round(time.Second).Seconds()
	return total, errors.Join(problems...)
}

func (r *result) add(o result) {
	r.Switches += o.Switches
	r.Kills += o.Kills
	r.Records += o.Records
	r.Aggregated += o.Aggregated
	r.Lost += o.Lost
	r.OrderViolations += o.OrderViolations
	r.Repeated += o.Repeated
	r.RepeatedAfterRelease += o.RepeatedAfterRelease
	r.MidAggregate += o.MidAggregate
	r.Reshards += o.Reshards
	r.Refused += o.Refused
	r.RowsRead += o.RowsRead
}

// faults is why the run did not prove what it was to prove; nil if it did.
func (r result) faults() error {
	var problems []error
	if r.Lost > 0 {
		problems = append(problems, fmt.Errorf("%d records were lost", r.Lost))
	}
	if r.OrderViolations > 0 {
		problems = append(problems, fmt.Errorf("%d records were out of order", r.OrderViolations))
	}
	if r.RepeatedAfterRelease > 0 {
		problems = append(problems, fmt.Errorf("%d keys went back although towpath had let go by itself", r.RepeatedAfterRelease))
	}
	return errors.Join(problems...)
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/ci/traffic"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

const (
	applicationName = "chaos"
	streamName      = "chaos-stream"
	// leaseDuration is the workers': consumer.Config's default.
	leaseDuration = 10 * time.Second
	// longestDrain is how long the end of a run may take: a lease runs out, a
	// row that was deleted is made again, what has gathered meanwhile is handled,
	// and machines are busy.
	longestDrain = 8 * time.Minute
)

// stage is what one run plays on: the services, the fleet, and those who watch.
type stage struct {
	settings
	began time.Time

	stream    traffic.Stream
	dynamoAPI *dynamodb.Client
	sqsAPI    *sqs.Client
	services  *exec.Cmd // nil if the services run elsewhere
	awsInput  *os.File
	emulators *emulators // nil if there are none

	fleet    *fleet
	producer *producer
	queue    string

	lines, rows *ledger.Tail // rows is nil if nobody writes them
	audit       *ledger.Audit
	rowAudit    *rowAudit
	watch       *watch
	result      result
	givenUp     map[string]int // by shard and sequence number: how often it came to the queue
}

func newStage(ctx context.Context, s settings) (g *stage, err error) {
	g = &stage{settings: s, began: time.Now(), givenUp: map[string]int{}}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	g.watch = newWatch(g.sayf)
	skipped := isPoison
	if !s.poison {
		skipped = nil
	}
	g.audit = ledger.NewAudit(skipped)
	g.rowAudit = newRowAudit(g.audit)
	if s.kind == "kcl" {
		if err = compileKCL(s); err != nil {
			return g, err
		}
	}
	switch {
	case g.kinesisURL != "":
	case g.aws == "process":
		err = g.startAWS()
	default:
		g.emulators, g.kinesisURL, g.dynamoURL, g.sqsURL, err = startEmulators(s.folder)
	}
	if err != nil {
		return g, err
	}
	g.stream = traffic.Open(streamName, g.kinesisURL)
	g.dynamoAPI = dynamodb.NewFromConfig(awsfake.LoopbackConfig("producer", g.dynamoURL))
	g.sqsAPI = sqs.NewFromConfig(awsfake.LoopbackConfig("producer", g.sqsURL))
	if g.queue, err = g.makeStream(ctx); err != nil {
		return g, err
	}
	g.fleet = &fleet{settings: g.settings, order: order{
		Queue: g.queue, Application: applicationName, Stream: streamName,
		Ledger: filepath.Join(s.folder, "ledger"), Samples: filepath.Join(s.folder, "samples"),
	}}
	for i, address := range []string{g.kinesisURL, g.dynamoURL, g.sqsURL} {
		u, err := url.Parse(address)
		if err != nil {
			return g, fmt.Errorf("endpoint %q: %w", address, err)
		}
		g.fleet.targets[i] = u.Host
	}
	if g.lines, err = ledger.Follow(g.fleet.order.Ledger); err != nil {
		return g, err
	}
	g.producer, err = newProducer(g.stream, s, filepath.Join(s.folder, "puts"))
	return g, err
}

// startAWS starts the services in a process of their own.
func (g *stage) startAWS() error {
	path := filepath.Join(g.folder, "rows")
	g.services = exec.Command(os.Args[0], "aws", "-rows", path, "-table", applicationName)
	input, held, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the services: %w", err)
	}
	defer input.Close()
	g.awsInput = held
	g.services.Stdin, g.services.Stderr = input, os.Stderr
	output, err := g.services.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the services: %w", err)
	}
	if err := g.services.Start(); err != nil {
		return fmt.Errorf("start the services: %w", err)
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start the services: %w", err)
	}
	address = strings.TrimSpace(address)
	g.kinesisURL, g.dynamoURL, g.sqsURL = address, address, address
	g.rows, err = ledger.Follow(path)
	return err
}

// close ends every process.
func (g *stage) close() {
	if g.fleet != nil {
		g.fleet.close()
	}
	if g.services != nil && g.services.Process != nil {
		g.awsInput.Close()
		g.services.Wait() // it ends with its input
	}
	if g.emulators != nil {
		if err := g.emulators.ask("down"); err != nil {
			g.sayf("%v", err)
		}
	}
	for _, t := range []*ledger.Tail{g.lines, g.rows} {
		if t != nil {
			t.Close()
		}
	}
}

func (g *stage) sayf(format string, args ...any) {
	fmt.Printf("%7.1fs %s\n", time.Since(g.began).Seconds(), fmt.Sprintf(format, args...))
}

// read gives those who watch what has been entered since.
func (g *stage) read() error {
	var rows []row
	if g.rows != nil { // before the ledger: what a row tells of stands there by then
		if err := g.rows.Read(func(line string) error { rows = append(rows, parseRow(line)); return nil }); err != nil {
			return err
		}
	}
	err := g.lines.Read(func(line string) error {
		e, err := ledger.Parse(line)
		if err == nil {
			g.watch.enter(e, g.audit.Enter(e))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range g.producer.news() {
		if g.rows != nil {
			g.rowAudit.stored(p)
		}
	}
	if g.kind == "kcl" {
		return g.fleet.tend() // its rows follow other rules, and it keeps others beside them
	}
	for _, r := range rows {
		g.rowAudit.enter(r)
		g.watch.row(r)
	}
	return g.fleet.tend()
}

// receive takes what was given up from the queue.
func (g *stage) receive(ctx context.Context) error {
	box := sqsdestination.OpenMailbox(g.sqsAPI, g.queue)
	for {
		letters, err := box.Receive(ctx, 10)
		if err != nil {
			return fmt.Errorf("read the queue: %w", err)
		}
		if len(letters) == 0 {
			return nil
		}
		for _, l := range letters {
			envelope, err := destination.ParseEnvelope(l.Body)
			if err != nil {
				return fmt.Errorf("a letter of the queue: %w", err)
			}
			if envelope.BatchSize != 1 {
				return fmt.Errorf("a letter of the queue has %d records, want one", envelope.BatchSize)
			}
			g.givenUp[envelope.Failure.Shard+"/"+envelope.First]++
			if err := box.Remove(ctx, l); err != nil {
				return fmt.Errorf("remove a letter: %w", err)
			}
		}
	}
}

// judgeGivenUp holds the queue against what was poison: all of that, and nothing
// else, is to have come there.
func (g *stage) judgeGivenUp() error {
	var problems []error
	poison := g.producer.refusals()
	for at, name := range poison {
		if g.givenUp[at] == 0 {
			g.result.Lost++
			problems = append(problems, fmt.Errorf("%s (%s) was poison and is not on the queue", name, at))
		}
	}
	for at, times := range g.givenUp {
		if _, ok := poison[at]; !ok {
			problems = append(problems, fmt.Errorf("%s was given up and is no poison", at))
		}
		g.result.GivenUp++
		g.result.GivenUpAgain += times - 1
	}
	return errors.Join(problems...)
}

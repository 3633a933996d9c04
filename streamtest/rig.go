package streamtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// Names of the stream and the application of every rig.
const (
	Stream      = "clicks"
	Application = "clickstream"
)

// Rig is a fleet over an AWS in the process.
type Rig struct {
	// AWS is where it all lives; faults are set on it.
	AWS *awsfake.AWS
	// Ledger notes what handlers were given.
	Ledger *Ledger
	// Failed is OnFailure of the workers, unless a test sets another.
	Failed *destinationtest.Recorder
	// Log gets the workers' logs; default io.Discard.
	Log io.Writer

	t       testing.TB
	table   string // whose stream it is; empty for a stream of Kinesis
	reading []func(*kinesisshards.Options)
	clients []func(worker string, cfg *aws.Config)
	checker *checker
	leaks   leaks
	// witness is set if what a destination accepts is told by somebody who saw it.
	witness bool
	// contexts change what each worker runs with.
	contexts []func(ctx context.Context, worker string) context.Context

	mu      sync.Mutex
	workers []*Worker
	put     int
	changes changes
}

// Option changes a rig while New makes it.
type Option func(*Rig, *[]awsfake.Option)

// WithAWS passes options on to the in-process AWS.
func WithAWS(options ...awsfake.Option) Option {
	return func(_ *Rig, all *[]awsfake.Option) { *all = append(*all, options...) }
}

// WithFanOut has the workers read a stream of Kinesis by enhanced fan-out, with
// the application as the consumer.
func WithFanOut(change ...func(*kinesisshards.FanOut)) Option {
	return func(r *Rig, _ *[]awsfake.Option) {
		fanOut := &kinesisshards.FanOut{Consumer: Application}
		for _, f := range change {
			f(fanOut)
		}
		r.reading = append(r.reading, func(o *kinesisshards.Options) { o.FanOut = fanOut })
	}
}

// WithLog has the workers' logs written to w.
func WithLog(w io.Writer) Option { return func(r *Rig, _ *[]awsfake.Option) { r.Log = w } }

// WithReading changes how the workers read a stream of Kinesis.
func WithReading(options ...func(*kinesisshards.Options)) Option {
	return func(r *Rig, _ *[]awsfake.Option) { r.reading = append(r.reading, options...) }
}

// WithClients changes what the SDK's clients of a worker are made from: how they
// retry, what they sign with. The name is the worker's.
func WithClients(change func(worker string, cfg *aws.Config)) Option {
	return func(r *Rig, _ *[]awsfake.Option) { r.clients = append(r.clients, change) }
}

// Clients is what the SDK's clients of a worker are made from, for a destination
// or another client of its own that goes through the rig's faults.
func (r *Rig) Clients(worker string) aws.Config {
	cfg := r.AWS.Config(worker)
	for _, f := range r.clients {
		f(worker, &cfg)
	}
	return cfg
}

// Latency is how long each call to the in-process AWS takes, so that virtual
// time moves and calls of different workers interleave.
const Latency = 5 * time.Millisecond

// New makes a stream of so many shards, and nobody that reads it. Call it inside
// a synctest bubble, and Close at its end.
func New(t testing.TB, shards int, options ...Option) *Rig {
	t.Helper()
	r := newRig(t, options)
	if err := r.AWS.Kinesis().CreateStream(Stream, shards); err != nil {
		t.Fatalf("create the stream: %v", err)
	}
	return r
}

// newRig is a rig without a stream.
func newRig(t testing.TB, options []Option) *Rig {
	t.Helper()
	r := &Rig{t: t, Failed: &destinationtest.Recorder{}, Log: io.Discard}
	all := []awsfake.Option{awsfake.WithLatency(Latency)}
	for _, o := range options {
		o(r, &all)
	}
	r.AWS = awsfake.New(all...)
	r.checker = newChecker(r)
	r.AWS.DynamoDB().OnWrite(r.checker.wrote)
	return r
}

// Put puts one record and returns the shard and sequence number it got.
func (r *Rig) Put(key, data string) (shardID, sequence string) {
	r.t.Helper()
	shardID, sequence, err := r.write(key, data)
	if err != nil {
		r.t.Fatalf("put a record: %v", err)
	}
	r.mu.Lock()
	r.put++
	r.mu.Unlock()
	return shardID, sequence
}

// PutN puts n records over the given number of keys, numbered on from those put
// before.
func (r *Rig) PutN(n, keys int) {
	r.t.Helper()
	for range n {
		r.mu.Lock()
		i := r.put
		r.mu.Unlock()
		r.Put(putKey+strconv.Itoa(i%keys), strconv.Itoa(i))
	}
}

// Config is a worker's config over this rig: source, leases, a handler that
// accepts everything, the rig's recorder as OnFailure. The worker's name is what
// faults are aimed at.
func (r *Rig) Config(worker string) consumer.Config {
	cfg := r.Clients(worker)
	return consumer.Config{
		Name:         Application,
		Source:       r.source(cfg),
		Leases:       dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), Application, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler:      Accept,
		OnFailure:    r.Failed,
		WorkerPrefix: worker,
		Logger:       slog.New(slog.NewTextHandler(r.Log, &slog.HandlerOptions{Level: slog.LevelInfo})).With("w", worker),
	}
}

// Start starts a worker. Its handler is wrapped so that the ledger notes what it
// is given, so set whichever handler the test is about.
func (r *Rig) Start(name string, change ...func(*consumer.Config)) *Worker {
	r.t.Helper()
	return r.start(Clock{}, name, change)
}

func (r *Rig) start(clock Clock, name string, change []func(*consumer.Config)) *Worker {
	r.t.Helper()
	cfg := r.Config(name)
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Logger != nil {
		cfg.Logger = r.watched(cfg.Logger)
	}
	w := newWorker(r, clock, name, &cfg)
	c, err := consumer.New(cfg)
	if err != nil {
		r.t.Fatalf("worker %s: %v", name, err)
	}
	w.Consumer = c
	r.mu.Lock()
	r.workers = append(r.workers, w)
	r.mu.Unlock()
	go w.run() // ends with the worker; awaited by Close
	return w
}

// awaitLimit is how much virtual time Await gives.
const awaitLimit = 10 * time.Minute

// Await lets virtual time pass until cond holds, and fails the test if it does
// not within ten minutes.
func (r *Rig) Await(what string, cond func() bool) {
	r.t.Helper()
	for began := time.Now(); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > awaitLimit {
			r.t.Fatalf("after %v of virtual time, still not: %s\n%s", awaitLimit, what, r.state())
		}
	}
}

// AllDone reports whether every record that was put has been handled, accepted
// by the destination, or lies in a declared loss.
func (r *Rig) AllDone() bool { return r.checker.Complete() }

// Rows are the rows of the lease table as they were last written, by shard; those
// of shards that have been deleted since are among them.
func (r *Rig) Rows() []shard.Lease { return r.checker.Rows() }

// Table are the rows of the lease table as they stand, by shard.
func (r *Rig) Table() []shard.Lease {
	var rows []shard.Lease
	for _, row := range r.AWS.DynamoDB().Items(Application) {
		rows = append(rows, leaseOf(row))
	}
	slices.SortFunc(rows, func(a, b shard.Lease) int { return strings.Compare(a.Shard, b.Shard) })
	return rows
}

// PutRow writes a row of the lease table by hand, as an operator would in the
// console. The checker does not judge it, and compares the fleet's next write
// with the fleet's last.
func (r *Rig) PutRow(row dynamofake.Item) {
	r.t.Helper()
	r.checker.mu.Lock()
	r.checker.hand = row
	r.checker.mu.Unlock()
	if err := r.AWS.DynamoDB().Put(Application, row); err != nil {
		r.t.Fatalf("write a lease row by hand: %v", err)
	}
}

// MayBeginAgain tells the checker that the row of a shard was deleted by hand
// under nobody: the row that is made in its place may be at an earlier position,
// once. Its counter has to go on from before all the same.
func (r *Rig) MayBeginAgain(shardID string) { r.checker.MayBeginAgain(shardID) }

// Dead reports whether the worker of a name was killed: what its handler would
// still do outside this rig does not happen.
func (r *Rig) Dead(worker string) bool { return r.checker.Dead(worker) }

// Checker is what holds the promises against all that happens.
func (r *Rig) Checker() *prooftest.Checker { return r.checker.Checker }

// Close stops every worker, those that were killed or paused too, and checks the
// invariants. It fails the test if one does not hold.
func (r *Rig) Close() {
	r.t.Helper()
	r.End()
	r.Check()
}

// End stops every worker, as Close does, and checks nothing.
func (r *Rig) End() {
	r.mu.Lock()
	workers := r.workers
	r.mu.Unlock()
	for _, w := range workers {
		w.end()
	}
}

// Check fails the test with every promise that was broken so far.
func (r *Rig) Check() {
	r.t.Helper()
	for _, v := range append(r.checker.Violations(), r.leaks.violations()...) {
		r.t.Error(v)
	}
}

// state is a short account of where everything stands, for failures.
func (r *Rig) state() string {
	missing := r.checker.Missing()
	text := fmt.Sprintf("%d records not finished\n", len(missing))
	for i, m := range missing {
		if i == 5 {
			break
		}
		text += "  " + m + "\n"
	}
	for _, row := range r.checker.Rows() {
		text += "  " + row.String() + "\n"
	}
	return text
}

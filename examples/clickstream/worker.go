package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// worker is one worker: the handler, and what it tells of itself. The
// demonstration has several in one process, a service has one.
type worker struct {
	name   string
	ledger *ledger
	tally  *tally
	notef  func(format string, args ...any)

	mu   sync.Mutex // guards dead; held over each entry, so that a kill falls between two
	dead bool
}

// config is what a worker needs to know, for a stream and a table that it reaches
// with the given AWS configuration.
func (w *worker) config(cfg aws.Config, stream, table string, create bool, onFailure destination.Destination) consumer.Config {
	return consumer.Config{
		Name:   "clickstream",
		Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), stream),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), table, func(o *dynamocheckpoint.Options) {
			o.CreateTables = create
		}),
		Handler:   w,
		OnFailure: onFailure,

		// Four lanes a shard: a user whose record is tried again holds up the
		// users of one lane and not those of the shard.
		ParallelizationFactor: 4,
		// A record that fails is singled out, tried twice more and given up.
		BisectBatchOnError:   true,
		MaximumRetryAttempts: batching.AtMost(2),

		WorkerPrefix: w.name,
		Hooks: consumer.Hooks{
			ShardStarted: w.shardStarted,
			ShardLeft:    w.shardLeft,
			GaveUp:       w.gaveUp,
			Loss:         w.lost,
		},
	}
}

// Handle enters a batch of clicks into the ledger. What can never be decoded is
// rejected, and the rest goes on; what a newer program might decode is tried
// again first.
func (w *worker) Handle(ctx context.Context, b *batching.Batch) error {
	var rejected []error
	for i := range b.Records {
		r := &b.Records[i]
		id := r.ID()
		if !w.enter(func() { w.ledger.deliver(id) }) {
			return hang(ctx)
		}
		e, err := decodeEvent(r.Data)
		if _, ok := errors.AsType[versionError](err); ok {
			return errors.Join(append(rejected, batching.FailFrom(r, err))...)
		}
		if err != nil {
			rejected = append(rejected, batching.Reject(r, err))
			continue
		}
		var v verdict
		var mine bool
		if !w.enter(func() { v, mine = w.ledger.handleFenced(b.Shard, b.Fence(), id, e) }) {
			return hang(ctx)
		}
		if !mine {
			return batching.FailFrom(r, fmt.Errorf("enter into the ledger: %w", consumer.ErrLeaseLost))
		}
		if v.Violation != "" {
			w.notef("%s", v.Violation)
		}
	}
	return errors.Join(rejected...)
}

// enter does what can be seen from outside the worker, and is false without doing
// it if the worker is dead.
func (w *worker) enter(do func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return false
	}
	do()
	return true
}

// die takes effect between two entries: of a batch under way the records before
// it are in the ledger and those after it are not, as when a process is killed.
func (w *worker) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
}

// isDead reports whether die was called.
func (w *worker) isDead() bool { return !w.enter(func() {}) }

// hang is what the handler of a dead worker does: nothing that could be seen.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (w *worker) shardStarted(e consumer.ShardStartedEvent) {
	w.enter(func() {
		w.tally.started(e.Shard)
		from := ""
		if e.From != "" {
			from = " from " + nameOf(e.From)
		}
		w.notef("%s works shard %s%s", w.name, short(e.Shard), from)
	})
}

func (w *worker) shardLeft(e consumer.ShardLeftEvent) {
	w.enter(func() {
		switch {
		case w.tally.isClosed():
		case e.Cause == nil:
			w.tally.shardEnded()
			w.notef("%s has finished shard %s", w.name, short(e.Shard))
		case errors.Is(e.Cause, consumer.ErrLeaseLost):
			w.notef("%s has lost shard %s", w.name, short(e.Shard))
		case e.To != "":
			w.tally.handedOver()
			w.notef("%s hands shard %s over to %s", w.name, short(e.Shard), nameOf(e.To))
		default:
			w.notef("%s lets shard %s go", w.name, short(e.Shard))
		}
	})
}

// gaveUp enters what the failure destination has accepted.
func (w *worker) gaveUp(e consumer.GaveUpEvent) {
	w.enter(func() {
		for i := range e.Failure.Records {
			w.ledger.fail(e.Failure.Records[i].ID())
		}
		reason := e.Failure.Err
		if v, ok := errors.AsType[versionError](reason); ok {
			reason = v // without FailFrom's words, which name the record at length
		}
		w.notef("%s gives up %s of shard %s, called %s: %v", w.name,
			count(len(e.Failure.Records), "record"), short(e.Shard), count(e.Failure.Attempts, "time"), reason)
	})
}

func (w *worker) lost(e consumer.LossEvent) {
	w.enter(func() {
		w.tally.lostWindow()
		w.notef("%s", e.Loss)
	})
}

// nameOf is a worker's name without what makes its id unique.
func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// short is the number in a shard's id: 3 for shardId-000000000003.
func short(shardID string) string {
	if n := strings.TrimLeft(strings.TrimPrefix(shardID, "shardId-"), "0"); n != "" {
		return n
	}
	return "0"
}

// tally counts what happens to shards, over all workers of the process.
type tally struct {
	mu                       sync.Mutex // guards all below
	shards                   map[string]bool
	ended, handovers, losses int
	closed                   bool
}

func newTally() *tally { return &tally{shards: map[string]bool{}} }

func (t *tally) started(shardID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shards[shardID] = true
}

func (t *tally) shardEnded() { t.add(&t.ended) }
func (t *tally) handedOver() { t.add(&t.handovers) }
func (t *tally) lostWindow() { t.add(&t.losses) }

// close ends the counting. When all workers stop at once each hands over to
// another, and none of that is of any use.
func (t *tally) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

func (t *tally) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

func (t *tally) add(n *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		*n++
	}
}

// enter writes the sums into a report. How many records a window had that were
// trimmed unread cannot be known: each counts as one.
func (t *tally) enter(r *report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Shards, r.Reshards, r.Handovers = len(t.shards), t.ended, t.handovers
	r.Lost += t.losses
}

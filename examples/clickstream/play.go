package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

const (
	streamName = "clicks"
	tableName  = "clickstream"

	// playFor is how long it takes to put a log, whatever its length, as long
	// as the rates below allow it. It is long beside the lease, so that what a
	// kill costs is seen and over before the end, and short beside anybody's
	// patience.
	playFor = 15 * time.Second
	// leastRate and mostRate bound how many records are put in a second: a log
	// of a few lines needs no time at all, and one of millions is not put faster
	// than four shards are read.
	leastRate, mostRate = 500, 10_000
	// aheadFor is how far the producer is ahead of the workers at most, as the
	// time in which it puts as much. It is more than the shards of a dead
	// worker lie idle, so that the others are kept busy meanwhile, and little
	// of the whole, so that a split late in the log still finds records for its
	// children.
	aheadFor = 4 * time.Second
	// putEvery is how often the producer puts.
	putEvery = 50 * time.Millisecond

	// leaseDuration is the shortest that the engine allows: the demonstration
	// shows what happens after it, and its workers, in one process with their
	// table, are never silent for long without being dead. A service keeps the
	// default, 10 s.
	leaseDuration = 3 * time.Second
	// saveEvery is what a kill may have repeated, in time. A service pays for
	// each save and keeps the default, 10 s.
	saveEvery = time.Second

	// stallAfter is how long nothing may come to its end before the run is
	// given up, and what is missing counted as lost.
	stallAfter = 30 * time.Second
)

// demo is a stream in the process, with a log played onto it and workers that
// come and go.
type demo struct {
	aws      *awsfake.AWS
	queue    string // URL of the queue for what is given up
	ledger   *ledger
	tally    *tally
	progress *progress
	group    *errgroup.Group // all workers, and the producer
	ctx      context.Context // of the group
	put      atomic.Int64    // records put so far, each of an aggregate's

	aggregate bool // whether they are put in aggregates

	recorder dashboard.Recorder // of what all workers tell, for the page

	reshards, crashes int           // counted by the goroutine that makes them happen
	watched           time.Duration // how long it went on after the log had been played

	mu      sync.Mutex // guards all below
	started int
	alive   []*hired
}

// hired is a worker of the demonstration.
type hired struct {
	*worker
	consumer *consumer.Consumer
	stop     context.CancelFunc
	done     chan struct{}
}

// play plays the feed onto a stream of its own while the schedule of the seed
// happens to it, and reports what came of it.
func play(ctx context.Context, o options, f feed, stderr *os.File) (report, error) {
	return newDemo().play(ctx, o, f, stderr)
}

func newDemo() *demo {
	d := &demo{aws: awsfake.New(), ledger: newLedger(), tally: newTally()}
	d.queue = d.aws.SQS().CreateQueue("failed-clicks")
	return d
}

func (d *demo) play(ctx context.Context, o options, f feed, stderr *os.File) (report, error) {
	if err := d.aws.Kinesis().CreateStream(streamName, o.Shards); err != nil {
		return report{}, fmt.Errorf("create the stream: %w", err)
	}
	d.aggregate = o.Aggregate
	d.progress = newProgress(stderr, len(f.Items), d.look)
	began := time.Now()
	if err := showing(d.progress, func() error { return d.shown(ctx, o, f.Items) }); err != nil {
		return report{}, err
	}

	r := report{Seconds: time.Since(began).Seconds() - d.watched.Seconds()}
	if o.Input == "" {
		r.labelled = defaultLogSessions
	}
	sums, put := d.ledger.sums(), int(d.put.Load())
	if ctx.Err() != nil {
		put = sums.Read // what no worker had come to yet is on the stream still
	}
	r.book(sums, put)
	d.tally.enter(&r)
	// The stream itself knows better than those who worked it.
	r.Shards, r.Reshards, r.Crashes = len(d.aws.Kinesis().Shards(streamName)), d.reshards, d.crashes
	return r, nil
}

// shown is run with a page that shows it, if that is asked for.
func (d *demo) shown(ctx context.Context, o options, items []item) error {
	if !o.Dashboard {
		return d.run(ctx, o, items)
	}
	p, err := openPage(dashboard.Source{Name: "clickstream", Tables: tablesOf(d.aws.Config("dashboard"), streamName, tableName), Current: d.statuses, Recorder: &d.recorder})
	if err != nil {
		return err
	}
	d.progress.Notef("DASHBOARD: %s", p.url)
	return errors.Join(d.run(ctx, o, items), p.close())
}

// statuses are those of the workers that are alive.
func (d *demo) statuses() (all []consumer.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.alive {
		all = append(all, w.consumer.Status())
	}
	return all
}

// run has everything happen, and returns when every worker has ended.
func (d *demo) run(ctx context.Context, o options, items []item) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	d.group, d.ctx = errgroup.WithContext(ctx)
	var err error
	for range o.Workers {
		err = errors.Join(err, d.start())
	}
	if err == nil {
		d.group.Go(func() error { return d.produce(d.ctx, items) })
		err = d.happen(d.ctx, schedule(o.Seed, len(items), o.Workers), len(items))
	}
	if err == nil && o.Dashboard && d.ctx.Err() == nil {
		d.progress.Notef("DASHBOARD: the log has been played; the workers and the page stay until you interrupt")
		since := time.Now()
		<-d.ctx.Done()
		d.watched = time.Since(since)
	}
	d.tally.close()
	end()
	return errors.Join(d.group.Wait(), err)
}

// produce puts the items at an even pace, but never far ahead of the workers.
func (d *demo) produce(ctx context.Context, items []item) error {
	rate := min(max(float64(len(items))/playFor.Seconds(), leastRate), mostRate)
	atOnce, ahead := int(rate*putEvery.Seconds())+1, int(rate*aheadFor.Seconds())
	tick := time.NewTicker(putEvery)
	defer tick.Stop()
	for len(items) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		n := min(atOnce, ahead-(int(d.put.Load())-d.ledger.sums().ended()), len(items))
		for _, r := range packed(items[:max(0, n)], d.aggregate) {
			if _, _, err := d.aws.Kinesis().Put(streamName, r.PartitionKey, r.Data); err != nil {
				return fmt.Errorf("put a record: %w", err)
			}
			d.put.Add(int64(r.Users))
		}
		items = items[max(0, n):]
	}
	return nil
}

// packed are the records that items are put as: one each, or in aggregates those
// of each key together.
func packed(items []item, aggregate bool) (records []kpl.Record) {
	var all []*kpl.Aggregator
	of := map[string]*kpl.Aggregator{}
	for _, it := range items {
		a := of[it.PartitionKey]
		if a == nil || !aggregate || !a.Add(kpl.User{PartitionKey: it.PartitionKey, Data: it.Data}) {
			a = &kpl.Aggregator{}
			a.Add(kpl.User{PartitionKey: it.PartitionKey, Data: it.Data})
			of[it.PartitionKey], all = a, append(all, a)
		}
	}
	for _, a := range all {
		records = append(records, a.Flush())
	}
	return records
}

// happen lets each step happen when its time has come, and returns when all
// records have come to their end, or ctx is done, or nothing moves any more.
func (d *demo) happen(ctx context.Context, steps []step, total int) error {
	for _, s := range steps {
		if !d.await(ctx, s.After) {
			return nil
		}
		if err := d.do(s); err != nil {
			return err
		}
	}
	d.await(ctx, total)
	return nil
}

// await waits until so many records have come to their end. It is false if they
// will not.
func (d *demo) await(ctx context.Context, records int) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last, since := -1, time.Now()
	for {
		ended := d.ledger.sums().ended()
		if ended >= records {
			return true
		}
		if ended != last {
			last, since = ended, time.Now()
		}
		if time.Since(since) > stallAfter {
			d.progress.Notef("no record has come to its end for %v: giving up", stallAfter)
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// do makes one step happen.
func (d *demo) do(s step) error {
	switch s.Do {
	case actSplit:
		return d.split(s)
	case actMerge:
		return d.merge(s)
	case actStop:
		w := d.draw(s)
		began := time.Now()
		w.stop()
		<-w.done
		d.progress.Notef("STOP: %s has stopped, %v after it was told to", w.name, time.Since(began).Round(time.Millisecond))
	case actKill:
		w := d.draw(s)
		// From here on nobody sees or hears anything of it; that it winds down
		// in the background is for this process to be tidy.
		w.die()
		d.aws.Cut(w.name, "")
		w.stop()
		d.crashes++
		d.progress.Notef("KILL: %s is gone without a word", w.name)
	case actStart:
		return d.start()
	}
	return nil
}

// split splits an open shard in two.
func (d *demo) split(s step) error {
	shards := d.open()
	one := shards[s.pick(len(shards))]
	lower, upper, err := d.aws.Kinesis().Split(streamName, one.ID)
	if err != nil {
		return fmt.Errorf("split %s: %w", one.ID, err)
	}
	d.reshards++
	d.progress.Notef("SPLIT: shard %s becomes %s and %s", short(one.ID), short(lower), short(upper))
	return nil
}

// merge makes one shard of two neighbours.
func (d *demo) merge(s step) error {
	shards := d.open()
	i := s.pick(len(shards) - 1) // a split came before, so there are two
	child, err := d.aws.Kinesis().Merge(streamName, shards[i].ID, shards[i+1].ID)
	if err != nil {
		return fmt.Errorf("merge %s and %s: %w", shards[i].ID, shards[i+1].ID, err)
	}
	d.reshards++
	d.progress.Notef("MERGE: shards %s and %s become %s", short(shards[i].ID), short(shards[i+1].ID), short(child))
	return nil
}

// open are the open shards, in the order of what they hold, so that each lies
// beside its neighbours.
func (d *demo) open() []kinesisfake.Shard {
	shards := slices.DeleteFunc(d.aws.Kinesis().Shards(streamName), func(s kinesisfake.Shard) bool { return !s.Closed.IsZero() })
	slices.SortFunc(shards, func(a, b kinesisfake.Shard) int {
		return shard.CompareSequences(a.StartingHashKey, b.StartingHashKey) // decimal too
	})
	return shards
}

// start has a new worker join.
func (d *demo) start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.started++
	w := &hired{
		worker: &worker{name: fmt.Sprintf("worker-%d", d.started), ledger: d.ledger, tally: d.tally, notef: d.progress.Notef},
		done:   make(chan struct{}),
	}
	cfg := d.aws.Config(w.name) // with its name, so that it can be cut off
	settings := w.config(cfg, streamName, tableName, true, sqsdestination.Open(sqs.NewFromConfig(cfg), d.queue))
	settings.LeaseDuration, settings.CheckpointInterval = leaseDuration, saveEvery
	// The notes tell what matters.
	settings.Logger = slog.New(slog.DiscardHandler)
	settings.Hooks = d.recorder.Hooks(settings.Hooks)
	var err error
	if w.consumer, err = consumer.New(settings); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	ctx, stop := context.WithCancel(d.ctx)
	w.stop = stop
	d.alive = append(d.alive, w)
	d.progress.Notef("START: %s joins", w.name)
	d.group.Go(func() error {
		defer close(w.done)
		defer stop()
		if err := w.consumer.Run(ctx); err != nil && !w.isDead() {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		return nil
	})
	return nil
}

// draw takes one worker out of those that are alive, and rather one that has
// shards than one that nobody would miss. The schedule sees to it that there is
// one.
func (d *demo) draw(s step) *hired {
	d.mu.Lock()
	defer d.mu.Unlock()
	busy := slices.DeleteFunc(slices.Clone(d.alive), func(w *hired) bool { return len(w.consumer.Status().Shards) == 0 })
	if len(busy) == 0 {
		busy = d.alive
	}
	w := busy[s.pick(len(busy))]
	d.alive = slices.DeleteFunc(d.alive, func(other *hired) bool { return other == w })
	return w
}

// look is what progress shows.
func (d *demo) look() snapshot {
	t := d.ledger.sums()
	d.mu.Lock()
	workers := len(d.alive)
	d.mu.Unlock()
	return snapshot{Done: t.ended(), Redelivered: t.Redelivered, Failed: t.Failed, Sessions: t.Sessions,
		Workers: workers, Shards: len(d.open())}
}

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

const (
	streamName, bucketName, tableName = "logs", "archive", "logs"

	// playFor is how long it takes to put everything: longer than a lease, so
	// that what a kill costs is seen.
	playFor = 8 * time.Second
	// leaseDuration is the shortest that the engine allows. A service keeps the
	// default, 10 s.
	leaseDuration = 3 * time.Second
	// age is how long a record waits for its object here: short beside playFor,
	// so that there are many objects.
	age = time.Second
	// stallAfter is how long nothing may change before what is missing counts as
	// lost: longer than a dead worker's leases are believed.
	stallAfter = 20 * time.Second
)

// demo is a stream and a bucket in the process, and workers between them.
type demo struct {
	aws    *awsfake.AWS
	queue  string // URL of the queue for what is no log
	stderr io.Writer
	began  time.Time
	group  *errgroup.Group
	ctx    context.Context // of the group

	notes   sync.Mutex      // held while a line is written to stderr
	mu      sync.Mutex      // guards what is below
	put     map[string]bool // the ids of the events
	failed  map[string]bool // the ids of the records that are no logs
	skipped int
	dead    map[string]bool
}

// hired is a worker of the demonstration.
type hired struct {
	name     string
	consumer *consumer.Consumer
	stop     context.CancelFunc
}

// play puts logs onto a stream of its own while a shard of it is split and a
// worker killed, and reports what is in the bucket then.
func play(ctx context.Context, o options, stderr io.Writer) (report, error) {
	d := &demo{aws: awsfake.New(), stderr: stderr, began: time.Now(), put: map[string]bool{}, failed: map[string]bool{}, dead: map[string]bool{}}
	d.queue = d.aws.SQS().CreateQueue("no-logs")
	if err := d.aws.S3().CreateBucket(bucketName); err != nil {
		return report{}, fmt.Errorf("create the bucket: %w", err)
	}
	if err := d.aws.Kinesis().CreateStream(streamName, o.Shards); err != nil {
		return report{}, fmt.Errorf("create the stream: %w", err)
	}
	r := report{Splits: 1, Kills: 1}
	if err := d.run(ctx, o, &r); err != nil {
		return report{}, err
	}
	f, err := look(d.aws.S3().Objects(bucketName))
	if err != nil {
		return report{}, err
	}
	r.Seconds, r.Shards = time.Since(d.began).Seconds(), len(d.aws.Kinesis().Shards(streamName))
	d.mu.Lock()
	defer d.mu.Unlock()
	r.Events, r.Failed, r.Skipped = len(d.put), len(d.failed), d.skipped
	r.compare(d.put, f)
	return r, nil
}

// notef tells what happens; several goroutines may.
func (d *demo) notef(format string, args ...any) {
	d.notes.Lock()
	defer d.notes.Unlock()
	fmt.Fprintf(d.stderr, "%4.1fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// run has everything happen, and returns when every worker has ended.
func (d *demo) run(ctx context.Context, o options, r *report) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	d.group, d.ctx = errgroup.WithContext(ctx)
	err := d.happen(o, r)
	end()
	if waited := d.group.Wait(); err == nil {
		err = waited
	}
	return err
}

func (d *demo) happen(o options, r *report) error {
	var fleet []*hired
	for n := range o.Workers {
		w, err := d.hire(fmt.Sprint("worker-", n+1))
		if err != nil {
			return err
		}
		fleet = append(fleet, w)
	}
	items := feed(o, time.Now())
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	split, killed := false, false
	for done := 0; done < len(items); {
		select {
		case <-d.ctx.Done():
			return nil
		case <-tick.C:
		}
		part := time.Since(d.began).Seconds() / playFor.Seconds()
		for target := min(len(items), int(part*float64(len(items)))+1); done < target; done++ {
			if err := d.putOne(&items[done], r); err != nil {
				return err
			}
		}
		if part > 0.3 && !split {
			split = true
			if err := d.split(); err != nil {
				return err
			}
		}
		if part > 0.5 && !killed {
			killed = true
			d.kill(fleet)
		}
	}
	if !split { // so few records that they are put before their time
		if err := d.split(); err != nil {
			return err
		}
	}
	if !killed {
		d.kill(fleet)
	}
	return d.settle(r.Rubbish)
}

func (d *demo) putOne(it *item, r *report) error {
	shardID, sequence, err := d.aws.Kinesis().Put(streamName, it.Key, it.Data)
	if err != nil {
		return fmt.Errorf("put a record: %w", err)
	}
	r.Records++
	if it.Rubbish {
		r.Rubbish++
	}
	if it.Control {
		r.Control++
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range it.IDs {
		d.put[id] = true
	}
	for line := range it.Lines {
		d.put[fmt.Sprintf("%s/%s/%d", shardID, sequence, line)] = true
	}
	return nil
}

// hire has a new worker join.
func (d *demo) hire(name string) (*hired, error) {
	cfg := d.aws.Config(name) // with its name, so that it can be cut off
	a := &archive{skipped: func(n int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.skipped += n
	}}
	settings := config(cfg, places{stream: streamName, bucket: bucketName, table: tableName, create: true}, a,
		sqsdestination.Open(sqs.NewFromConfig(cfg), d.queue))
	settings.Handler.(*consumer.Collect).MaxAge = age
	settings.WorkerPrefix, settings.LeaseDuration, settings.CheckpointInterval = name, leaseDuration, time.Second
	settings.Logger = slog.New(slog.DiscardHandler) // the notes tell what matters
	settings.Hooks = consumer.Hooks{
		ShardStarted: func(e consumer.ShardStartedEvent) { d.notef("%s works %s", name, e.Shard) },
		GaveUp: func(e consumer.GaveUpEvent) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for i := range e.Failure.Records {
				d.failed[e.Failure.Records[i].ID()] = true
			}
		},
	}
	c, err := consumer.New(settings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ctx, stop := context.WithCancel(d.ctx)
	d.group.Go(func() error {
		defer stop()
		if err := c.Run(ctx); err != nil && !d.isDead(name) {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return &hired{name: name, consumer: c, stop: stop}, nil
}

func (d *demo) isDead(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead[name]
}

// kill takes a worker away that has a shard, with what it has collected.
func (d *demo) kill(fleet []*hired) {
	victim := fleet[0]
	for _, w := range fleet {
		if len(w.consumer.Status().Shards) > 0 {
			victim = w
		}
	}
	d.mu.Lock()
	d.dead[victim.name] = true
	d.mu.Unlock()
	// From here on nothing that it does has any effect; that it winds down in the
	// background is for this process to be tidy.
	d.aws.Cut(victim.name, "")
	victim.stop()
	d.notef("KILL: %s is gone without a word", victim.name)
}

// split splits an open shard in two.
func (d *demo) split() error {
	for _, s := range d.aws.Kinesis().Shards(streamName) {
		if s.Closed.IsZero() {
			lower, upper, err := d.aws.Kinesis().Split(streamName, s.ID)
			if err != nil {
				return fmt.Errorf("split %s: %w", s.ID, err)
			}
			d.notef("SPLIT: %s becomes %s and %s", s.ID, lower, upper)
			return nil
		}
	}
	return nil
}

// settle waits until everything that was put has come to where it belongs, or
// nothing changes any more.
func (d *demo) settle(rubbish int) error {
	for last, since := -1, time.Now(); time.Since(since) < stallAfter && d.ctx.Err() == nil; {
		f, err := look(d.aws.S3().Objects(bucketName))
		if err != nil {
			return err
		}
		d.mu.Lock()
		missing := len(d.put) - len(f.events) + max(0, rubbish-len(d.failed))
		d.mu.Unlock()
		if missing <= 0 {
			return nil
		}
		if missing != last {
			last, since = missing, time.Now()
		}
		select {
		case <-d.ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

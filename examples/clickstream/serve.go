package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/filedestination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
)

// serve is one worker on a stream in AWS, until ctx is done; run more of them to
// share the work.
func serve(ctx context.Context, o options, stderr *os.File) (report, error) {
	cfg, err := environment(ctx)
	if err != nil {
		return report{}, err
	}
	return work(ctx, cfg, o, stderr)
}

// work is serve with a given AWS configuration. What it reports is what passed
// through this worker: the shards it worked, and as reshards those that ended
// here.
func work(ctx context.Context, cfg aws.Config, o options, stderr *os.File) (report, error) {
	began := time.Now()
	var c *consumer.Consumer
	l := newServiceLedger()
	p := newProgress(stderr, 0, func() snapshot {
		t := l.sums()
		return snapshot{Done: t.ended(), Redelivered: t.Redelivered, Failed: t.Failed, Sessions: t.Sessions,
			Workers: 1, Shards: len(c.Status().Shards)}
	})
	name := "worker"
	if host, err := os.Hostname(); err == nil {
		name = fmt.Sprintf("%s.%d", host, os.Getpid()) // there may be two on a host
	}
	// Whatever is said goes through progress, which owns the terminal's last line.
	cfg.Logger = logging.LoggerFunc(func(c logging.Classification, format string, args ...any) {
		p.Notef("SDK: %s %s", c, fmt.Sprintf(format, args...))
	})
	w := &worker{name: name, ledger: l, tally: newTally(), notef: p.Notef}
	settings := w.config(cfg, o.Stream, o.Table, o.Create, o.Failures.open(cfg))
	settings.Logger = slog.New(slog.NewTextHandler(noteWriter(p.Notef), &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: untimed}))
	var recorder dashboard.Recorder
	if o.Dashboard {
		settings.Hooks = recorder.Hooks(settings.Hooks)
	}
	var err error
	if c, err = consumer.New(settings); err != nil {
		return report{}, err
	}
	if o.Dashboard {
		shown, err := openPage(dashboard.Source{Name: settings.Name, Tables: tablesOf(cfg, o.Stream, o.Table), Statuses: []func() consumer.Status{c.Status}, Recorder: &recorder})
		if err != nil {
			return report{}, err
		}
		defer func() { _ = shown.close() }() // what it fails with is nothing to the records
		p.Notef("DASHBOARD: %s", shown.url)
	}
	p.Notef("%s joins those who work stream %s; failed records go to %s", name, o.Stream, settings.OnFailure)
	if err := showing(p, func() error { return c.Run(ctx) }); err != nil {
		return report{}, inWords(err, o, cfg)
	}
	r := report{Seconds: time.Since(began).Seconds()}
	r.book(l.sums(), 0)
	w.tally.enter(&r)
	return r, nil
}

// environment is the AWS configuration of the environment. That there is none is
// said at once, where a worker would try for a while.
func environment(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return cfg, errors.New("the AWS configuration names no region; set AWS_REGION")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, fmt.Errorf("the AWS configuration has no credentials that work: %w", err)
	}
	return cfg, nil
}

// open is the destination, reached with the given AWS configuration.
func (f failures) open(cfg aws.Config) destination.Destination {
	switch f.Kind {
	case "sqs":
		return sqsdestination.Open(sqs.NewFromConfig(cfg), f.Target)
	case "sns":
		return snsdestination.Open(sns.NewFromConfig(cfg), f.Target)
	case "s3":
		return s3destination.Open(s3.NewFromConfig(cfg), f.Target, func(o *s3destination.Options) { o.Prefix = f.Prefix })
	}
	return filedestination.Open(failuresFile)
}

// inWords says what to do about the errors that are the user's to mend.
func inWords(err error, o options, cfg aws.Config) error {
	where := cfg.Region
	if cfg.BaseEndpoint != nil {
		where = *cfg.BaseEndpoint
	}
	switch {
	case errors.Is(err, shard.ErrNoStream):
		return fmt.Errorf("there is no stream %q in %s", o.Stream, where)
	case errors.Is(err, checkpoint.ErrNoTable):
		return fmt.Errorf("the tables %q and %q are not both there in %s; -create-tables makes them", o.Table, o.Table+"-sessions", where)
	}
	return err
}

// noteWriter has the lines of a logger shown among the notes.
type noteWriter func(format string, args ...any)

func (n noteWriter) Write(line []byte) (int, error) {
	n("%s", strings.TrimSpace(string(line)))
	return len(line), nil
}

// untimed leaves out the time, which a note has.
func untimed(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// showing shows progress while do runs.
func showing(p *progress, do func() error) error {
	ctx, done := context.WithCancel(context.Background())
	shown := make(chan struct{})
	go func() { // ends when done is called, below
		defer close(shown)
		p.Run(ctx)
	}()
	err := do()
	done()
	<-shown
	return err
}

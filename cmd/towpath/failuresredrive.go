package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/tape"
)

func failuresRedriveCommand() *cli.Command {
	return &cli.Command{
		Name:      "redrive",
		Usage:     "put the records of letters back into a stream, or into a queue",
		ArgsUsage: " ",
		Description: `Records are put with their keys and payloads as they were, those of a key in their order as far as
letters were collected together. A letter leaves the place where it lies when all its records are
accepted, and stays otherwise; then later letters with one of its keys stay too. It is at least once:
a run that ends half-way leaves letters whose records were put.

Into which stream decides who sees them. Into the stream they came from, every application that reads
it sees them again, behind newer records of their keys; for one application alone, name a stream or a
queue that only it reads. A program that is to handle them itself uses package redrive.

First all letters are looked at, and what would become of them is counted; without a terminal to ask
on, nothing more is done unless -yes is given, which does it without that look. What is needed into a
stream, towpath iam -mode redrive,play -stream ARN -to QUEUE prints; into a queue -mode redrive,send.

Exit status: 1 if letters stayed that were to be put.

Examples:
  towpath failures redrive -from arn:aws:sqs:eu-west-1:123456789012:letters -into-stream clicks-again
  towpath failures redrive -from s3://letters/clickstream -shard shardId-000000000002 -into-stream clicks -dry-run
  towpath failures redrive -from letters.ndjson -reason Rejected -into-queue arn:aws:sqs:eu-west-1:123456789012:again -rate 50 -yes`,
		Flags: append(letters(), rereadFlag(),
			&cli.StringFlag{Name: "into-stream", Usage: "`NAME` or ARN of the Kinesis data stream to put into"},
			&cli.StringFlag{Name: "into-queue", Usage: "ARN or `URL` of the queue of SQS to put into, a message a record"},
			&cli.FloatFlag{Name: "rate", Usage: "put at most `N` records a second"},
			&cli.BoolFlag{Name: "dry-run", Usage: "count what would become of the letters, and do not ask"},
			yes(),
		),
		OnUsageError: calledWrongly,
		Action:       redriveLetters,
	}
}

func redriveLetters(ctx context.Context, c *cli.Command) error {
	var problems []error
	stream, queue := c.String("into-stream"), c.String("into-queue")
	if (stream == "") == (queue == "") {
		problems = append(problems, errors.New("redrive needs -into-stream NAME or -into-queue URL, one of them"))
	}
	if rate := c.Float("rate"); c.IsSet("rate") && !(rate > 0 && rate <= 1e9) {
		problems = append(problems, fmt.Errorf("-rate %v: want more than 0 records a second", rate))
	}
	if c.Bool("dry-run") && c.Bool("yes") {
		problems = append(problems, errors.New("redrive takes -dry-run or -yes, not both"))
	}
	url, isQueue, err := queueURL(queue)
	if queue != "" && err == nil && !isQueue {
		err = fmt.Errorf("-into-queue %q: want the ARN or the URL of a queue", queue)
	}
	_, chosenErr := chosenBy(c)
	if err := errors.Join(append(problems, err, chosenErr)...); err != nil {
		return usageError{err}
	}
	return withLetters(ctx, c, func(ctx context.Context, r redrive.Config) error {
		cfg, err := environment(ctx, c)
		if err != nil {
			return err
		}
		var into destination.Publisher = tape.Into(kinesis.NewFromConfig(cfg), stream)
		if queue != "" {
			into = sqsdestination.Open(sqs.NewFromConfig(cfg), url)
		}
		r.Handler = paced(redrive.PutBack(into), c.Float("rate"))
		return redriven(ctx, c, targetName(stream, url), r)
	})
}

// targetName is the stream, or the queue, for people.
func targetName(stream, queue string) string {
	if stream != "" {
		return "stream " + stream
	}
	return "queue " + queue
}

// paced waits before each call so that no more records are put a second.
func paced(h consumer.Handler, rate float64) consumer.Handler {
	if rate <= 0 {
		return h
	}
	var next time.Time
	return consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
		if err := clock.Sleep(ctx, time.Until(next)); err != nil {
			return err
		}
		next = time.Now().Add(time.Duration(float64(len(b.Records)) / rate * float64(time.Second)))
		return h.Handle(ctx, b)
	})
}

// redriven looks first, asks, and does it.
func redriven(ctx context.Context, c *cli.Command, into string, r redrive.Config) error {
	talk := aside(c)
	if _, err := fmt.Fprintf(talk, "put the records of letters in %s into %s\n", printable(r.From.String()), printable(into)); err != nil {
		return fmt.Errorf("nothing is put: print the plan: %w", err)
	}
	total := 0
	if !c.Bool("yes") {
		look := r
		look.DryRun = true
		summary, err := telling(ctx, c, look, 0)
		if err != nil {
			return err
		}
		if total = summary.Letters[redrive.Ready]; c.Bool("dry-run") {
			return nil
		}
		if total == 0 {
			fmt.Fprintln(talk, "nothing to do")
			return nil
		}
		if do, err := agreed(c); err != nil || !do {
			return err
		}
		w, err := chosenBy(c) // counts from the beginning
		if err != nil {
			return err
		}
		cfg, err := environment(ctx, c)
		if err != nil {
			return err
		}
		from, err := mailboxOf(c, cfg) // a file and a bucket are gone through once
		if err != nil {
			return err
		}
		r.From, r.Match = enough{from, w}, w.wants
	}
	summary, err := telling(ctx, c, r, total)
	if err != nil {
		return err
	}
	stayed := 0
	for _, o := range []redrive.Outcome{redrive.Failed, redrive.HeldBack, redrive.Unreadable, redrive.Trimmed} {
		stayed += summary.Letters[o]
	}
	if stayed > 0 {
		return errors.New(counted(stayed, "letter stays where it was", "letters stay where they were"))
	}
	return nil
}

// telling runs a redrive and tells what becomes of each letter: as documents, or in
// sum, with the reasons of those that stay.
func telling(ctx context.Context, c *cli.Command, r redrive.Config, total int) (redrive.Summary, error) {
	p, done, records := newProgress(c), 0, 0
	var failed error
	r.Report = func(f redrive.Fate) {
		if f.Outcome == redrive.Skipped || failed != nil {
			return
		}
		done++
		if f.Outcome == redrive.Ready {
			records += len(f.Envelope.Failure.Records)
		}
		p.say(done, total, "%s, %s", counted(done, "letter", "letters"), f.Outcome)
		failed = tellFate(c, p, f)
	}
	s, err := throughLetters(ctx, r)
	p.clear()
	if err != nil || failed != nil {
		return s, errors.Join(err, failed)
	}
	if wantsJSON(c) {
		return s, printLine(c, struct {
			Event   string                  `json:"event"`
			DryRun  bool                    `json:"dry_run"`
			Letters map[redrive.Outcome]int `json:"letters"`
			Records int                     `json:"records"`
		}{"summary", r.DryRun, s.Letters, s.Records + records})
	}
	var parts []string
	for _, o := range slices.Sorted(maps.Keys(s.Letters)) {
		parts = append(parts, fmt.Sprintf("%s %s", grouped(s.Letters[o]), o))
	}
	text := "there are no letters"
	if len(parts) > 0 {
		text = "letters: " + strings.Join(parts, ", ")
	}
	switch {
	case r.DryRun && records > 0:
		text += fmt.Sprintf("; %s would be put", counted(records, "record", "records"))
	case s.Records > 0:
		text += fmt.Sprintf("; %s put, in %s", counted(s.Records, "record", "records"), short(p.took()))
	}
	_, err = fmt.Fprintln(c.Root().Writer, text)
	return s, err
}

// tellFate tells what became of one letter: of one that stays for a reason, in any
// form.
func tellFate(c *cli.Command, p *progress, f redrive.Fate) error {
	if wantsJSON(c) {
		d := letterDocument{Event: "letter", Outcome: string(f.Outcome)}
		if f.Envelope != nil {
			d = letterOf(f.Envelope)
			d.Outcome = string(f.Outcome)
		}
		if f.Err != nil {
			d.Error = f.Err.Error()
		}
		return printLine(c, d)
	}
	if f.Err == nil && f.Outcome != redrive.HeldBack {
		return nil
	}
	id := "a message"
	if f.Envelope != nil {
		id = idOf(f.Envelope)
	}
	p.clear()
	text := fmt.Sprintf("%s: %s", id, f.Outcome)
	if f.Err != nil {
		text += ": " + sentenceOf(f.Err, exitFailed)
	}
	_, err := fmt.Fprintln(c.Root().ErrWriter, oneLine(text))
	return err
}

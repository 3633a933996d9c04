package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/batching/filter"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/filedestination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// letters are the flags that say which letters are meant.
func letters() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "`WHERE` the letters lie: the ARN or URL of a queue of SQS, s3://BUCKET/PREFIX, or a file"},
		&cli.StringFlag{Name: "id", Usage: "only the letter with this `ID`"},
		&cli.StringFlag{Name: "shard", Usage: "only letters of the shard `ID`"},
		&cli.StringFlag{Name: "reason", Usage: "only letters with this `REASON`: " + strings.Join(reasons(), ", ")},
		&cli.StringFlag{Name: "match", Usage: "only letters with a record that matches `PATTERN`: a file as match takes it, or the pattern itself; a letter whose payload lies elsewhere has none"},
		&cli.IntFlag{Name: "limit", Usage: "at most `N` letters"},
		&cli.DurationFlag{Name: "wait", Value: 5 * time.Second, Usage: "for how long a queue is asked for more until it counts as empty, up to 20s"},
		&cli.DurationFlag{Name: "visibility", Value: 15 * time.Minute, Usage: "for how long letters of a queue are kept from others: longer than this takes"},
	}
}

func reasons() []string {
	var all []string
	for _, r := range []destination.Condition{
		destination.RetryAttemptsExhausted, destination.RecordAgeExceeded, destination.Rejected, destination.ProcessCrashed, destination.Success,
	} {
		all = append(all, string(r))
	}
	return all
}

// chosen is which letters are meant, by their flags.
type chosen struct {
	id, shard, reason string
	records           *filter.Set
	limit, taken      int
}

// chosenBy reads the flags of letters. What is wrong with them is a usageError.
func chosenBy(c *cli.Command) (*chosen, error) {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.Args().Present(), "%s takes no arguments, and there is %q", c.Name, c.Args().First())
	add(c.String("from") == "", "%s needs -from, an ARN or URL of a queue, s3://BUCKET/PREFIX or a file", c.Name)
	add(c.IsSet("limit") && c.Int("limit") < 1, "-limit %d: want 1 or more", c.Int("limit"))
	add(c.Duration("wait") < 0 || c.Duration("wait") > 20*time.Second, "-wait %s: want 0s to 20s", c.Duration("wait"))
	add(c.Duration("visibility") < time.Second || c.Duration("visibility") > 12*time.Hour, "-visibility %s: want 1s to 12h", c.Duration("visibility"))
	reason := c.String("reason")
	add(reason != "" && !slices.Contains(reasons(), reason), "-reason %q: want one of %s", reason, strings.Join(reasons(), ", "))
	set, err := filterOf(c.String("match"))
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, usageError{err}
	}
	return &chosen{id: c.String("id"), shard: c.String("shard"), reason: reason, records: set, limit: c.Int("limit")}, nil
}

// wants reports whether a letter is meant, and counts those that are.
func (w *chosen) wants(e *destination.Envelope) bool {
	f := &e.Failure
	switch {
	case w.full(),
		w.id != "" && w.id != idOf(e),
		w.shard != "" && w.shard != f.Shard,
		w.reason != "" && w.reason != string(f.Condition),
		w.records != nil && !slices.ContainsFunc(f.Records, func(r shard.Record) bool { return w.records.Match(&r).Matched() }):
		return false
	}
	w.taken++
	return true
}

// full reports whether there are as many as were asked for.
func (w *chosen) full() bool { return w.limit > 0 && w.taken >= w.limit }

// enough is a mailbox that has no more letters when there are as many as were asked
// for: to receive the rest of a queue would count towards its maxReceiveCount and
// keep it from others.
type enough struct {
	destination.Mailbox
	of *chosen
}

// Receive implements destination.Mailbox.
func (m enough) Receive(ctx context.Context, most int) ([]destination.Letter, error) {
	if m.of.full() {
		return nil, nil
	}
	return m.Mailbox.Receive(ctx, most)
}

// idOf is what a letter is called: its sender's id, or where it lies in the stream.
func idOf(e *destination.Envelope) string {
	if e.ID != "" {
		return e.ID
	}
	return e.Failure.Shard + "/" + e.First
}

// mailboxOf opens what -from names.
func mailboxOf(c *cli.Command, cfg aws.Config) (destination.Mailbox, error) {
	from := c.String("from")
	if rest, ok := strings.CutPrefix(from, "s3://"); ok {
		bucket, prefix, _ := strings.Cut(rest, "/")
		m := s3destination.OpenMailbox(bucketsOf(cfg), bucket, prefix)
		return m, asUsage(m.Validate())
	}
	url, queue, err := queueURL(from)
	switch {
	case err != nil:
		return nil, usageError{fmt.Errorf("-from: %w", err)}
	case queue:
		m := sqsdestination.OpenMailbox(sqs.NewFromConfig(cfg), url, func(o *sqsdestination.MailboxOptions) {
			o.Wait, o.Visibility = c.Duration("wait"), c.Duration("visibility")
		})
		return m, asUsage(m.Validate())
	}
	if info, err := os.Stat(from); err != nil {
		return nil, usageError{fmt.Errorf("-from: %w", err)}
	} else if info.IsDir() {
		return nil, usageError{fmt.Errorf("-from %s is a folder: want a file of letters, a line each", from)}
	}
	return filedestination.OpenMailbox(from), nil
}

func asUsage(err error) error {
	if err != nil {
		return usageError{err}
	}
	return nil
}

func bucketsOf(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}

// queueURL is the URL of a queue that is named by its URL or its ARN, and false for
// what is neither.
func queueURL(text string) (url string, ok bool, err error) {
	if strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://") {
		return text, true, nil
	}
	if !strings.HasPrefix(text, "arn:") {
		return "", false, nil
	}
	arn, ok := destination.ParseARN(text)
	if !ok || arn.Service != "sqs" || arn.Region == "" || arn.Account == "" {
		return "", false, fmt.Errorf("%q is no ARN of a queue of SQS, arn:aws:sqs:REGION:ACCOUNT:NAME", text)
	}
	host := "amazonaws.com"
	if arn.Partition == "aws-cn" {
		host += ".cn"
	}
	return fmt.Sprintf("https://sqs.%s.%s/%s/%s", arn.Region, host, arn.Account, arn.Resource), true, nil
}

// redriveOf is a redrive of the letters that are meant, without what is done with
// them.
func redriveOf(c *cli.Command, cfg aws.Config, from destination.Mailbox, w *chosen) redrive.Config {
	r := redrive.Config{From: enough{from, w}, Match: w.wants, Load: s3destination.OpenLoader(bucketsOf(cfg))}
	if stream := c.String("reread"); stream != "" {
		r.Source = kinesisshards.Open(kinesis.NewFromConfig(cfg), stream)
	}
	return r
}

// rereadFlag is for letters that have no payload.
func rereadFlag() cli.Flag {
	return &cli.StringFlag{Name: "reread", Usage: "read the records of letters without a payload again from the `STREAM` they are of, while it keeps them"}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/batching/filter"
	"github.com/towpath/towpath/follow"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// What a shard of Kinesis grants in a second to all who poll it.
const (
	shardReads = 5
	shardBytes = 2_000_000
)

// reads are the flags of the commands that read a stream.
func reads() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "stream", Aliases: []string{"s"}, Usage: "`NAME` or ARN of the Kinesis data stream"},
		&cli.StringFlag{Name: "changes-of", Usage: "`TABLE` of DynamoDB whose stream is read, instead of -stream"},
		&cli.StringSliceFlag{Name: "shard", Usage: "`ID` of a shard, which is read with those it was split or merged into; may be given several times (default: all)"},
		&cli.StringFlag{Name: "key", Aliases: []string{"k"}, Usage: "partition `KEY` whose records alone are read, from the shards that its hash lies in"},
		&cli.IntFlag{Name: "n", Usage: "end after `N` records"},
		&cli.StringFlag{Name: "filter", Usage: "`PATTERN` that records must match: a file as match takes it, or the pattern itself, which begins with {"},
		&cli.IntFlag{Name: "rate", Value: 1, Usage: "`N` reads of each shard a second, 1 to 5; a shard grants 5, and 2 MB, to all who poll it"},
	}
}

// spanFlags are -from, -until and -for, with their defaults.
func spanFlags(from, until string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Value: from, Usage: "`WHERE` to begin: " + beginnings},
		&cli.StringFlag{Name: "until", Value: until, Usage: "`WHEN` to end: tip (what is there now), never, a time, or a duration for that long ago"},
		&cli.DurationFlag{Name: "for", Usage: "end after so long, instead of -until"},
	}
}

const beginnings = "horizon, tip, a time such as 2026-05-04T12:30:00Z, a duration such as 10m for that long ago, or SEQUENCE[/SUB], behind that record of one -shard"

// reading is a stream as the flags of reads and spanFlags say, without what is done with
// its records. What is wrong with them is a usageError.
func reading(c *cli.Command, now time.Time) (follow.Config, *filter.Set, error) {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.Args().Present(), "%s takes no arguments, and there is %q", c.Name, c.Args().First())
	add((c.String("stream") == "") == (c.String("changes-of") == ""), "%s needs -stream NAME or -changes-of TABLE, one of them", c.Name)
	add(c.IsSet("n") && c.Int("n") < 1, "-n %d: want 1 or more", c.Int("n"))
	add(c.Int("rate") < 1 || c.Int("rate") > shardReads, "-rate %d: want 1 to %d reads a second, which is all that a shard grants", c.Int("rate"), shardReads)
	add(c.IsSet("for") && c.Duration("for") <= 0, "-for %s: want more than 0", c.Duration("for"))
	add(c.IsSet("for") && c.IsSet("until"), "%s takes -for or -until, not both", c.Name)
	add(c.IsSet("key") && c.String("key") == "", "-key is empty: no record has such a key")
	cfg := follow.Config{Shards: c.StringSlice("shard"), Keyed: c.IsSet("key"), Key: c.String("key")}
	var err error
	if cfg.Start, err = beginning(c.String("from"), now); err != nil {
		cfg.Start, problems = shard.Position{}, append(problems, err)
	}
	add(cfg.Start.IsRecord() && len(cfg.Shards) != 1, "-from with a sequence number needs one -shard ID, as it is a place in one shard")
	switch until := c.String("until"); {
	case c.IsSet("for"):
		cfg.Until = now.Add(c.Duration("for"))
	case until == "tip":
		cfg.ToTip = true
	case until != "never":
		at, err := beginning(until, now)
		add(err != nil || !at.IsAtTime(), "-until %q: want tip, never, a time such as 2026-05-04T12:30:00Z, or a duration such as 10m for that long ago", until)
		cfg.Until = at.At
		add(cfg.Start.IsAtTime() && at.IsAtTime() && !cfg.Start.At.Before(at.At), "-until %s lies before -from %s", until, c.String("from"))
	}
	add(cfg.ToTip && cfg.Start.IsLatest(), "there is nothing between -from tip and -until tip")
	set, err := filterOf(c.String("filter"))
	problems = append(problems, err)
	if err := errors.Join(problems...); err != nil {
		return cfg, nil, usageError{err}
	}
	return cfg, set, nil
}

// beginning reads a place or how long ago it was.
func beginning(text string, now time.Time) (shard.Position, error) {
	if d, err := time.ParseDuration(text); err == nil && text != "0" {
		if d < 0 {
			d = -d
		}
		return shard.AtTime(now.Add(-d)), nil
	}
	p, err := placeOf("from", text)
	if err != nil {
		return p, fmt.Errorf("-from %q is no place: want %s", text, beginnings)
	}
	return p, nil
}

// filterOf compiles a pattern, of a file or given as it is; nil is none.
func filterOf(given string) (*filter.Set, error) {
	switch {
	case given == "":
		return nil, nil
	case !strings.HasPrefix(strings.TrimSpace(given), "{"):
		return readPatterns([]string{given})
	}
	set, err := filter.Compile(patternsOf(given)...)
	if err != nil {
		return nil, fmt.Errorf("-filter: %w", err)
	}
	return set, nil
}

// lookedAt is the stream that the flags name, read no more often than -rate says
// and with no more bytes than go with it, so that those who work it keep theirs.
func lookedAt(c *cli.Command, cfg aws.Config) shard.Source {
	rate := c.Int("rate")
	every := time.Second / time.Duration(rate)
	if name := c.String("stream"); name != "" {
		return kinesisshards.Open(kinesis.NewFromConfig(cfg), name, func(o *kinesisshards.Options) {
			o.ReadsPerSecond, o.PollFloor, o.PollCeiling = rate, every, max(every, time.Second)
			o.BytesPerSecond = int64(rate) * shardBytes / shardReads
			o.Limit = 1000
		})
	}
	return dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), c.String("changes-of"), func(o *dynamoshards.Options) {
		o.ReadsPerSecond, o.PollFloor, o.PollCeiling = rate, every, max(every, time.Second)
	})
}

// untilInterrupted is a context that ends with the first interrupt, which is the
// usual end of a command that goes on for ever. The second ends the process. It is
// for when something is under way: as long as there is only a plan, and somebody is
// asked, the first ends the process.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// undisturbed is untilInterrupted for what must come to an end once it is begun: it
// goes on if nobody reads what it prints any more.
func undisturbed(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	return untilInterrupted(ctx)
}

// repeated is how often the same trouble of one shard is told at most.
const repeated = 10 * time.Second

// notices says on standard error what happens beside the records.
func notices(c *cli.Command) func(follow.Event) {
	told := map[string]time.Time{}
	return func(e follow.Event) {
		if e.Trouble != nil {
			if time.Since(told[e.Shard]) < repeated {
				return
			}
			told[e.Shard] = time.Now()
		}
		if line := noticeOf(e); line != "" {
			fmt.Fprintln(c.Root().ErrWriter, line)
		}
	}
}

// noticeOf is what is said of an event; empty is nothing.
func noticeOf(e follow.Event) string {
	id := printable(e.Shard)
	switch {
	case e.Ended != nil && len(e.Ended) == 0:
		return id + " is read to its end"
	case e.Ended != nil:
		var kids []string
		for _, k := range e.Ended {
			kids = append(kids, printable(k.ID))
		}
		return fmt.Sprintf("%s is read to its end, and goes on in %s", id, strings.Join(kids, ", "))
	case e.Loss != nil:
		return "lost: " + oneLine(e.Loss.String())
	case errors.Is(e.Trouble, shard.ErrThrottled):
		return id + ": throttled, and read again; others poll this shard too"
	case e.Trouble != nil:
		return fmt.Sprintf("%s: a read failed and is made again: %s", id, sentenceOf(e.Trouble, exitFailed))
	case e.Malformed > 0:
		return fmt.Sprintf("%s: %s of aggregates cannot be taken apart, and are shown as they are", id, counted(e.Malformed, "record", "records"))
	}
	return ""
}

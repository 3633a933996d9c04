package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/batching/filter"
	"github.com/towpath/towpath/follow"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/tape"
)

func recordCommand() *cli.Command {
	return &cli.Command{
		Name:      "record",
		Usage:     "write a range of a stream to a file, for play and match",
		ArgsUsage: " ",
		Description: `Each record becomes a line of JSON, in the order of arrival:
  {"approximateArrivalTimestamp":1767225600.25,"shardId":"shardId-000000000002",
   "sequenceNumber":"49590…","partitionKey":"user-1","data":"eyJwYWdlIjoiLyJ9"}
"data" is base64; of a record out of an aggregate there is "subSequenceNumber", too. The hash that a
producer has given explicitly is not told by the service: where it is known, write it into the line
as "explicitHashKey". towpath play puts such lines, towpath match tries patterns on them.

With -file the lines go to FILE.part, which becomes FILE when all is written; without it to standard
output. An interrupt ends the recording where it is, and is no error.

Each shard is read once a second by default, with a fifth of its bytes: see tail. One answer of each
shard is held in memory at a time.

Examples:
  towpath record -stream clicks -from 1h > hour.ndjson
  towpath record -stream clicks -from 2026-05-04T12:00:00Z -until 2026-05-04T12:30:00Z -file noon.ndjson
  towpath record -stream clicks -from tip -for 10m -key user-17 -file user-17.ndjson`,
		Flags: slices.Concat(reads(), spanFlags("horizon", "tip"), []cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` to write, instead of standard output"},
			&cli.BoolFlag{Name: "force", Usage: "write over the file if it is there"},
		}),
		OnUsageError: calledWrongly,
		Action:       record,
	}
}

func record(ctx context.Context, c *cli.Command) error {
	cfg, set, err := reading(c, time.Now())
	if err != nil {
		return err
	}
	file := c.String("file")
	if _, err := os.Stat(file); file != "" && err == nil && !c.Bool("force") {
		return usageError{fmt.Errorf("-file %s is there already: add -force to write over it", file)}
	} else if file != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usageError{fmt.Errorf("-file: %w", err)}
	}
	aws, err := environment(ctx, c)
	if err != nil {
		return err
	}
	cfg.Source, cfg.Tell, cfg.InOrder = lookedAt(c, aws), notices(c), true
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	if file == "" {
		n, err := write(ctx, c, cfg, set, c.Root().Writer)
		return recorded(ctx, c, n, "", err)
	}
	part, err := os.OpenFile(file+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return usageError{fmt.Errorf("-file: %w", err)}
	}
	n, err := write(ctx, c, cfg, set, part)
	if err == nil {
		err = part.Sync()
	}
	if closed := part.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file+".part", file)
	}
	if err != nil && n > 0 {
		err = fmt.Errorf("%w; %s of before are in %s", err, counted(n, "record", "records"), file+".part")
	}
	return recorded(ctx, c, n, file, err)
}

// recorded says how it ended.
func recorded(ctx context.Context, c *cli.Command, n int, file string, err error) error {
	if err != nil {
		return err
	}
	text := counted(n, "record", "records")
	if ctx.Err() != nil {
		text += ", until the interrupt"
	}
	if file != "" {
		text += ", in " + file
	}
	_, err = fmt.Fprintln(c.Root().ErrWriter, text)
	return err
}

// write writes records as lines until the end of what is asked for.
func write(ctx context.Context, c *cli.Command, cfg follow.Config, set *filter.Set, to io.Writer) (n int, err error) {
	out := bufio.NewWriterSize(to, 64<<10)
	p := newProgress(c)
	cfg.Take = func(_ context.Context, r *shard.Record) error {
		if set != nil && !set.Match(r).Matched() {
			return nil
		}
		line, err := jsonLine(tape.EventOf(r))
		if err == nil {
			_, err = fmt.Fprintln(out, line)
		}
		if err != nil {
			return fmt.Errorf("write record %d: %w", n+1, err)
		}
		n++
		p.say(0, 0, "%s records, until %s", grouped(n), r.ArrivedAt.UTC().Format(time.RFC3339))
		if n == c.Int("n") {
			return follow.ErrEnough
		}
		return nil
	}
	err = unlessInterrupted(ctx, follow.Run(ctx, cfg))
	p.clear()
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("write the records: %w", flushed)
	}
	return n, err
}

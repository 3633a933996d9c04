package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/follow"
	"github.com/towpath/towpath/shard"
)

// longestShown is how much of a payload stands on a line, in bytes.
const longestShown = 2000

func tailCommand() *cli.Command {
	return &cli.Command{
		Name:      "tail",
		Usage:     "show the records of a stream, a shard or a key as they come",
		ArgsUsage: " ",
		Description: `One line a record: arrival, shard, sequence number, partition key, payload. What a terminal would
obey is escaped; a payload that is no text is shown in base64, and one that is long is cut, unless
-full. With -output json there is one document a line, whole:
  {"arrived_at","shard","sequence","sub_sequence","key","bytes"} and of the payload one of
  "data" (it is JSON), "text" (it is UTF-8) and "base64".

The stream alone is read: no lease table, no fan-out consumer. Each shard is read once a second by
default and with a fifth of its bytes, so that those who work it keep theirs; -rate asks for more.
Records that the Kinesis Producer Library has put together are taken apart. Where shards are split
and merged, the children follow their parents.

With -key only the shards are read that its hash (MD5) lies in: a record that was put with an
explicit hash key elsewhere is not found that way, and is with -filter.

It ends with an interrupt, status 0. What is needed, towpath iam -mode tail prints.

Examples:
  towpath tail -stream clicks
  towpath tail -stream clicks -key user-17 -from 1h -until tip
  towpath tail -stream clicks -from horizon -n 10 -output json | jq .data
  towpath tail -stream logs -decode cloudwatch-logs
  towpath tail -stream clicks -filter '{"data":{"status":[{"numeric":[">=",500]}]}}'
  towpath tail -changes-of orders`,
		Flags: slices.Concat(reads(), spanFlags("tip", "never"), []cli.Flag{
			&cli.StringFlag{Name: "decode", Value: decodeAuto, Usage: "how payloads are read: `HOW` is " + strings.Join(decodings, ", ")},
			&cli.BoolFlag{Name: "full", Usage: "show payloads whole, however long"},
		}),
		OnUsageError: calledWrongly,
		Action:       tail,
	}
}

func tail(ctx context.Context, c *cli.Command) error {
	cfg, set, err := reading(c, time.Now())
	how := c.String("decode")
	if err == nil && !slices.Contains(decodings, how) {
		err = usageError{fmt.Errorf("-decode %q: want one of %s", how, strings.Join(decodings, ", "))}
	}
	if err != nil {
		return err
	}
	aws, err := environment(ctx, c)
	if err != nil {
		return err
	}
	cfg.Source, cfg.Tell = lookedAt(c, aws), notices(c)
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	out := bufio.NewWriter(c.Root().Writer)
	left := c.Int("n")
	cfg.Take = func(_ context.Context, r *shard.Record) error {
		if set != nil && !set.Match(r).Matched() {
			return nil
		}
		lines, err := linesOf(r, how, wantsJSON(c), c.Bool("full"))
		if err != nil {
			return err
		}
		for _, line := range lines {
			fmt.Fprintf(out, "%s\n", line)
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
		if left--; left == 0 {
			return follow.ErrEnough
		}
		return nil
	}
	return unlessInterrupted(ctx, follow.Run(ctx, cfg))
}

// unlessInterrupted is an error that is not the wish of whoever called.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tailed is a record in the form of -output json.
type tailed struct {
	ArrivedAt time.Time `json:"arrived_at,omitzero"`
	Shard     string    `json:"shard"`
	Sequence  string    `json:"sequence"`
	Sub       int64     `json:"sub_sequence,omitempty"`
	Key       *string   `json:"key,omitempty"`
	Bytes     int       `json:"bytes"`
	*logEvent
	Fault string `json:"fault,omitempty"`
	payload
}

// linesOf is what is shown of a record: one line, or one for each event of a record
// of CloudWatch Logs.
func linesOf(r *shard.Record, how string, asJSON, full bool) ([]string, error) {
	contents, fault := decoded(how, r.Data)
	var lines []string
	for _, one := range contents {
		if asJSON {
			document := tailed{
				ArrivedAt: r.ArrivedAt.UTC(), Shard: r.Shard, Sequence: r.Sequence, Sub: r.Sub, Bytes: len(r.Data),
				logEvent: one.event, payload: payloadOf(how, one.data),
			}
			if r.Keyed {
				document.Key = &r.PartitionKey
			}
			if fault != nil {
				document.Fault = fault.Error()
			}
			line, err := jsonLine(document)
			if err != nil {
				return nil, err
			}
			lines = append(lines, line)
			continue
		}
		at, key, text := "-", "-", shown(how, one.data)
		if !r.ArrivedAt.IsZero() {
			at = r.ArrivedAt.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		if r.Keyed {
			key = visible(r.PartitionKey)
		}
		if one.event != nil {
			text = fmt.Sprintf("%s %s %s", visible(one.event.Group), visible(one.event.Stream), text)
		}
		if fault != nil {
			text = "(" + fault.Error() + ") " + text
		}
		if !full && len(text) > longestShown {
			cut := strings.ToValidUTF8(text[:longestShown], "")
			text = fmt.Sprintf("%s… (%d bytes in all; -full shows them)", cut, len(one.data))
		}
		lines = append(lines, strings.Join([]string{at, visible(r.Shard), visible(r.Position().String()), key, text}, "  "))
	}
	return lines, nil
}

// jsonLine is a document on one line that no terminal obeys.
func jsonLine(document any) (string, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(document); err != nil {
		return "", fmt.Errorf("write the record as JSON: %w", err)
	}
	return strings.TrimSuffix(string(harmless(b.Bytes())), "\n"), nil
}

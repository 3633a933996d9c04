package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/redrive"
)

func failuresCommand() *cli.Command {
	return &cli.Command{
		Name:  "failures",
		Usage: "look at what was given up, and put it back",
		Description: `What a consumer gives up goes to its OnFailure destination: a queue of SQS, a prefix of a bucket of S3, a
file. There lie letters, each with some records of one shard, the reason and the last error. Letters
of Lambda's on-failure destinations are read too, and those that came by way of SNS.`,
		Commands:     []*cli.Command{failuresListCommand(), failuresShowCommand(), failuresRedriveCommand()},
		OnUsageError: calledWrongly,
		Action: func(_ context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return usageError{fmt.Errorf("there is no command failures %q: want list, show or redrive", name)}
			}
			return usageError{errors.New("failures needs a command: list, show or redrive")}
		},
	}
}

// looksAtQueues is what the commands that look at letters say of themselves.
const looksAtQueues = `Letters stay where they are. To look at a queue is to receive from it: meanwhile, its letters are kept from
others, and each time counts towards its maxReceiveCount, if it has a queue of its own for dead letters.
What is needed, towpath iam -mode failures prints.`

func failuresListCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "count the letters by shard and reason",
		ArgsUsage: " ",
		Description: looksAtQueues + `

With -output json there is one document a letter and a summary as the last, a line each.

Examples:
  towpath failures list -from arn:aws:sqs:eu-west-1:123456789012:letters
  towpath failures list -from s3://letters/clickstream -reason Rejected -letters`,
		Flags: append(letters(),
			&cli.BoolFlag{Name: "letters", Usage: "show each letter, with its id"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			return withLetters(ctx, c, func(ctx context.Context, r redrive.Config) error {
				var all []letterDocument
				match, broken := r.Match, 0
				r.DryRun, r.Match = true, func(e *destination.Envelope) bool {
					if match(e) {
						all = append(all, letterOf(e))
					}
					return false // payloads that lie elsewhere are not read
				}
				r.Report = func(f redrive.Fate) {
					if f.Envelope == nil {
						broken++
					}
				}
				if _, err := throughLetters(ctx, r); err != nil {
					return err
				}
				slices.SortStableFunc(all, func(a, b letterDocument) int {
					return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Shard, b.Shard), a.FirstArrival.Compare(b.FirstArrival))
				})
				return listed(c, r.From.String(), all, broken)
			})
		},
	}
}

// withLetters reads the flags of letters and opens the mailbox.
func withLetters(ctx context.Context, c *cli.Command, do func(context.Context, redrive.Config) error) error {
	w, err := chosenBy(c)
	if err != nil {
		return err
	}
	cfg, err := environment(ctx, c)
	if err != nil {
		return err
	}
	if wait := c.Duration("wait"); wait > 0 { // a queue that is asked to wait answers late
		if err := c.Root().Set("timeout", (max(c.Duration("timeout"), callTimeout) + wait).String()); err != nil {
			return err
		}
		if cfg, err = environment(ctx, c); err != nil {
			return err
		}
	}
	from, err := mailboxOf(c, cfg)
	if err != nil {
		return err
	}
	return do(ctx, redriveOf(c, cfg, from, w))
}

// throughLetters goes through the letters. An interrupt ends it when those that it
// has received are given back.
func throughLetters(ctx context.Context, r redrive.Config) (redrive.Summary, error) {
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	return redrive.Run(ctx, r)
}

// letterDocument is a letter in the form of -output json.
type letterDocument struct {
	Event        string    `json:"event"`
	Outcome      string    `json:"outcome,omitempty"`
	ID           string    `json:"id"`
	Application  string    `json:"application,omitempty"`
	Handler      string    `json:"handler,omitempty"`
	Stream       string    `json:"stream"`
	Shard        string    `json:"shard"`
	Reason       string    `json:"reason"`
	Attempts     int       `json:"attempts"`
	Records      int       `json:"records"`
	First        string    `json:"first"`
	Last         string    `json:"last"`
	FirstArrival time.Time `json:"first_arrived_at,omitzero"`
	LastArrival  time.Time `json:"last_arrived_at,omitzero"`
	GivenUp      time.Time `json:"given_up_at,omitzero"`
	Payload      string    `json:"payload"`
	Error        string    `json:"error,omitempty"`
}

func letterOf(e *destination.Envelope) letterDocument {
	f := &e.Failure
	d := letterDocument{
		Event: "letter", ID: idOf(e), Application: f.Application, Handler: f.Handler, Stream: f.Stream, Shard: f.Shard,
		Reason: string(f.Condition), Attempts: f.Attempts, Records: e.BatchSize, First: e.First, Last: e.Last,
		FirstArrival: e.FirstArrival.UTC(), LastArrival: e.LastArrival.UTC(), GivenUp: f.At.UTC(), Payload: "letter",
	}
	switch {
	case e.Ref != nil:
		d.Payload = e.Ref.URI
	case len(f.Records) == 0:
		d.Payload = "stream"
	}
	if f.Err != nil {
		d.Error = f.Err.Error()
	}
	return d
}

// listed prints letters: each, or how many there are by shard and reason.
func listed(c *cli.Command, from string, all []letterDocument, broken int) error {
	records := 0
	for _, l := range all {
		records += l.Records
	}
	if wantsJSON(c) {
		for _, l := range all {
			if err := printLine(c, l); err != nil {
				return err
			}
		}
		return printLine(c, struct {
			Event      string `json:"event"`
			Letters    int    `json:"letters"`
			Records    int    `json:"records"`
			Unreadable int    `json:"unreadable"`
		}{"summary", len(all), records, broken})
	}
	if len(all) > 0 {
		t := groups(c, all)
		if c.Bool("letters") {
			t = newTable(c, "ID", "REASON", "RECORDS", "ATTEMPTS", "ARRIVED", "GIVEN UP", "PAYLOAD", "ERROR")
			for _, l := range all {
				t.row(plain, l.ID, l.Reason, l.Records, l.Attempts, l.FirstArrival, l.GivenUp, l.Payload, brief(l.Error))
			}
		}
		if err := t.print(); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s with %s in %s", counted(len(all), "letter", "letters"), counted(records, "record", "records"), from)
	if broken > 0 {
		text += "; " + counted(broken, "message is no letter", "messages are no letters")
	}
	_, err := fmt.Fprintln(c.Root().Writer, printable(text))
	return err
}

// groups counts letters by stream, shard and reason, with the latest error.
func groups(c *cli.Command, all []letterDocument) *table {
	type group struct{ stream, shard, reason string }
	of := map[group][]letterDocument{}
	for _, l := range all {
		g := group{l.Stream[strings.LastIndexAny(l.Stream, "/:")+1:], l.Shard, l.Reason}
		of[g] = append(of[g], l)
	}
	t := newTable(c, "STREAM", "SHARD", "REASON", "LETTERS", "RECORDS", "OLDEST", "NEWEST", "LAST ERROR")
	for _, g := range slices.SortedFunc(maps.Keys(of), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.shard, b.shard), cmp.Compare(a.reason, b.reason))
	}) {
		records, last := 0, of[g][0]
		oldest, newest := last.FirstArrival, last.LastArrival
		for _, l := range of[g] {
			records += l.Records
			if l.GivenUp.After(last.GivenUp) {
				last = l
			}
			if l.FirstArrival.Before(oldest) {
				oldest = l.FirstArrival
			}
			if l.LastArrival.After(newest) {
				newest = l.LastArrival
			}
		}
		t.row(plain, g.stream, g.shard, g.reason, len(of[g]), records, oldest, newest, brief(last.Error))
	}
	return t
}

// brief is an error for a table: without the record that it names, and not all of
// a long one.
func brief(text string) string {
	const most = 60
	if rest, ok := strings.CutPrefix(text, "failed from record "); ok {
		if _, why, found := strings.Cut(rest, ": "); found {
			text = why
		}
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

func failuresShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show letters with their records",
		ArgsUsage: " ",
		Description: looksAtQueues + `

Payloads are shown as tail shows them: what a terminal would obey is escaped. -raw writes them to
standard output as they are, and nothing else.

Examples:
  towpath failures show -from arn:aws:sqs:eu-west-1:123456789012:letters -limit 1
  towpath failures show -from letters.ndjson -id arn:aws:kinesis:…/4959… -raw > payload`,
		Flags: append(letters(), rereadFlag(),
			&cli.StringFlag{Name: "decode", Value: decodeAuto, Usage: "how payloads are read: `HOW` is " + strings.Join(decodings, ", ")},
			&cli.BoolFlag{Name: "full", Usage: "show payloads whole, however long"},
			&cli.BoolFlag{Name: "raw", Usage: "write the payloads alone, as they are, one behind the other"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			if how := c.String("decode"); !slices.Contains(decodings, how) {
				return usageError{fmt.Errorf("-decode %q: want one of %s", how, strings.Join(decodings, ", "))}
			}
			return withLetters(ctx, c, func(ctx context.Context, r redrive.Config) error {
				shown := 0
				var failed error
				r.DryRun = true
				r.Report = func(f redrive.Fate) {
					if f.Envelope != nil && f.Outcome != redrive.Skipped && failed == nil {
						shown++
						failed = showLetter(c, f)
					}
				}
				if _, err := throughLetters(ctx, r); err != nil {
					return err
				}
				if shown == 0 && failed == nil && c.String("id") != "" {
					return missingError{fmt.Errorf("there is no letter %s in %s", printable(c.String("id")), r.From)}
				}
				return failed
			})
		},
	}
}

// showLetter prints one letter with its records.
func showLetter(c *cli.Command, f redrive.Fate) error {
	out, records := c.Root().Writer, f.Envelope.Failure.Records
	how := c.String("decode")
	if c.Bool("raw") {
		for i := range records {
			if _, err := out.Write(records[i].Data); err != nil {
				return fmt.Errorf("write the payload: %w", err)
			}
		}
		if len(records) == 0 {
			return fmt.Errorf("letter %s: %w", printable(idOf(f.Envelope)), f.Err)
		}
		return nil
	}
	d := letterOf(f.Envelope)
	if f.Err != nil {
		d.Outcome = f.Err.Error()
	}
	if wantsJSON(c) {
		if err := printLine(c, d); err != nil {
			return err
		}
	} else {
		rows := [][2]string{
			{"letter", d.ID}, {"application", d.Application}, {"handler", d.Handler}, {"stream", d.Stream}, {"shard", d.Shard},
			{"reason", fmt.Sprintf("%s, after %s", d.Reason, counted(d.Attempts, "attempt", "attempts"))},
			{"error", d.Error}, {"given up", cell(d.GivenUp)}, {"records", grouped(d.Records)}, {"payload", d.Payload}, {"not read", d.Outcome},
		}
		for _, row := range rows {
			if row[1] == "" || row[0] == "payload" && d.Payload == "letter" {
				continue
			}
			if _, err := fmt.Fprintf(out, "%-12s %s\n", row[0], visible(row[1])); err != nil {
				return fmt.Errorf("write the letter: %w", err)
			}
		}
	}
	for i := range records {
		lines, err := linesOf(&records[i], how, wantsJSON(c), c.Bool("full"))
		if err != nil {
			return err
		}
		for _, line := range lines {
			if !wantsJSON(c) {
				line = "  " + line
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return fmt.Errorf("write the letter: %w", err)
			}
		}
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/takeover"
)

func migrateCommand() *cli.Command {
	return &cli.Command{
		Name:      "migrate",
		Usage:     "report on the table of KCL, vmware-go-kcl or harlow/kinesis-consumer: what a take-over would find",
		ArgsUsage: " ",
		Description: "Which library and version the table is of, who is at work on it (it is read twice, -watch apart),\n" +
			"where each shard would go on, what stands against taking it over, and the exact next commands.\n" +
			"Nothing is written.\n\n" +
			"KCL renews each lease three times in its failoverTimeMillis (10 s by default): let -watch be that.\n\n" +
			"  towpath migrate -a clickstream -s clicks\n" +
			"  towpath migrate -a clickstream -table checkpoints -s clicks    (harlow: the store of many applications)\n\n" +
			"Exit status: 0 if nothing stands against it; 1 if something does; 3 if the table or the stream is not\n" +
			"there or not allowed; 4 if AWS is not reached.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "application", Aliases: []string{"a"}, Usage: "`NAME` of the application, which names its table"},
			&cli.StringFlag{Name: "table", Usage: "its `TABLE`, if it is not named after the application"},
			&cli.StringFlag{Name: "stream", Aliases: []string{"s"}, Usage: "`NAME` or ARN of the Kinesis data stream that it reads"},
			&cli.StringFlag{Name: "changes-of", Usage: "`TABLE` of DynamoDB whose stream it reads, instead of -stream"},
			&cli.DurationFlag{Name: "watch", Usage: "`TIME` between the two looks (default 10s)"},
			&cli.BoolFlag{Name: "all", Usage: "print every row, and not only the first " + fmt.Sprint(rowsShown)},
		},
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			err := misnamed(c)
			if c.Duration("watch") < 0 {
				err = errors.Join(err, fmt.Errorf("-watch %v is no time to wait", c.Duration("watch")))
			}
			if err != nil {
				return usageError{err}
			}
			cfg, err := environment(ctx, c)
			if err != nil {
				return err
			}
			table := leasesOf(cfg, c.String("application"), c.String("table"), "", false)
			if err := table.Validate(); err != nil {
				return usageError{err}
			}
			facts, err := takeover.Look(ctx, takeover.Config{
				Client: dynamodb.NewFromConfig(cfg), Table: table, Application: c.String("application"), Source: sourceOf(c, cfg), Watch: c.Duration("watch"),
			})
			if err != nil {
				return err
			}
			report := takeover.Read(facts)
			if err := printTakeover(c, report); err != nil {
				return err
			}
			if n := len(report.Against); n > 0 {
				return fmt.Errorf("%s cannot be taken over yet: %s against it", report.Table, counted(n, "thing stands", "things stand"))
			}
			return nil
		},
	}
}

// rowsShown is how many rows a report for people shows unless all are wanted.
const rowsShown = 20

// printTakeover writes a document, or a report of paragraphs.
func printTakeover(c *cli.Command, r takeover.Report) error {
	if wantsJSON(c) {
		return printJSON(c, r)
	}
	out := &lines{to: c.Root().Writer}
	whose := string(r.Library)
	if r.Version != "" {
		whose += " " + r.Version
	}
	if r.Library == takeover.Unknown {
		whose = "no library that towpath knows"
	}
	out.say("Table %s is of %s: %s.", r.Table, whose, r.Why)
	out.say("%s, %d of them done.", counted(r.Leases, "row of a shard", "rows of shards"), r.Finished)
	if out.err != nil {
		return out.err
	}
	if len(r.Workers) > 0 {
		out.say("")
		t := newTable(c, "WORKER", "LEASES", "AT WORK", "SEEN BY")
		for _, w := range r.Workers {
			m, at := quiet, "no"
			if w.AtWork {
				m, at = warned, "yes"
			}
			t.row(m, w.ID, w.Leases, at, w.Sign)
		}
		if err := t.print(); err != nil {
			return err
		}
	}
	if len(r.Shards) > 0 {
		out.say("")
		t := newTable(c, "SHARD", "OWNER", "POSITION", "TOWPATH")
		for i, s := range r.Shards {
			if i == rowsShown && !c.Bool("all") {
				break
			}
			m := plain
			if s.Trouble != "" {
				m = bad
			}
			t.row(m, s.ID, s.Owner, abridged(s.Position), cmp.Or(s.Fate, s.Trouble))
		}
		if err := t.print(); err != nil {
			return err
		}
		if hidden := len(r.Shards) - rowsShown; hidden > 0 && !c.Bool("all") {
			out.say("and %d more: -all shows them", hidden)
		}
	}
	if len(r.Beside) > 0 {
		out.say("\nBeside:")
		for _, b := range r.Beside {
			out.item("- ", b)
		}
	}
	if len(r.Against) == 0 {
		out.say("\nNothing stands against a take-over.")
	} else {
		out.say("\nAgainst a take-over:")
		for _, o := range r.Against {
			out.item("- ", o.What)
			out.item("  → ", o.Do)
		}
	}
	if len(r.Next) > 0 {
		out.say("\nNext:")
		for i, s := range r.Next {
			out.item(fmt.Sprintf("%d. ", i+1), s.Do)
			if s.Command != "" {
				out.say("       %s", s.Command) // whole, to be copied
			}
		}
	}
	return out.err
}

// abridged is a position without the middle of its digits, which differ at the end.
func abridged(position string) string {
	number, sub, indexed := strings.Cut(position, "/")
	if len(number) > 24 && strings.Trim(number, "0123456789") == "" {
		number = number[:6] + "…" + number[len(number)-12:]
	}
	if indexed {
		number += "/" + sub
	}
	return number
}

// lines writes text until that fails.
type lines struct {
	to  io.Writer
	err error
}

func (l *lines) say(format string, args ...any) {
	for i, v := range args {
		if text, ok := v.(string); ok {
			args[i] = printable(text)
		}
	}
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.to, format+"\n", args...)
	}
}

// item writes a paragraph behind a mark.
func (l *lines) item(mark, text string) {
	if l.err == nil {
		_, l.err = fmt.Fprint(l.to, mark)
	}
	if l.err == nil {
		l.err = paragraph(l.to, text, len([]rune(mark)))
	}
}

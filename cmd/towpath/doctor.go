package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/doctor"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "look an application over: what is wrong with it, and what to do",
		ArgsUsage: " ",
		Description: "Looked at are the stream (its state, encryption, retention, fan-out consumers), the tables (their\n" +
			"keys, billing, recovery, TTL), every row, the workers (twice, -watch apart), how far each position\n" +
			"is behind its tip, and what whoever runs this is allowed of what workers do (-mode).\n\n" +
			"Nothing is written. A permission to write cannot be seen without trying: -probe-writes tries writes\n" +
			"whose condition contradicts itself, on keys that no shard and no worker has. They cannot take effect;\n" +
			"each costs a write unit, and stands in the trail of the account if it keeps data events.\n\n" +
			"One record is read behind each position, which is one of the five reads that a shard allows a second.\n" +
			"With -sample a minute of each open shard is read for how records are distributed.\n\n" +
			"  towpath doctor -a clickstream -s clicks\n" +
			"  towpath doctor -a clickstream -s clicks -mode fan-out,leases,state -fan-out clickstream -probe-writes\n\n" +
			"Exit status: 0 without a failure, also with warnings; 1 with one; 3 if the stream or the lease table\n" +
			"is not there or not allowed; 4 if AWS is not reached.",
		Flags: append(whose(),
			&cli.StringFlag{Name: "states", Usage: "state `TABLE`, if it is not the application's name with -state"},
			&cli.StringFlag{Name: "parked", Usage: "`TABLE` of parked records, if it is not the application's name with -parked"},
			&cli.StringFlag{Name: "fan-out", Usage: "`NAME` of the consumer, if the workers read by enhanced fan-out"},
			&cli.StringSliceFlag{Name: "mode", Aliases: []string{"m"}, Usage: "whose calls are tried, as of towpath iam: `MODE`, several by commas (default: reading and leases)"},
			&cli.DurationFlag{Name: "watch", Usage: "`TIME` between the two looks at the workers (default 3s)"},
			&cli.BoolFlag{Name: "sample", Usage: "read the last minute of each open shard"},
			&cli.BoolFlag{Name: "probe-writes", Usage: "try writes that cannot take effect"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			problems := []error{misnamed(c)}
			var modes []iam.Mode
			for _, s := range c.StringSlice("mode") {
				m, err := iam.ParseMode(strings.TrimSpace(s))
				problems, modes = append(problems, err), append(modes, m)
			}
			if c.Duration("watch") < 0 {
				problems = append(problems, fmt.Errorf("-watch %v is no time to wait", c.Duration("watch")))
			}
			if err := errors.Join(problems...); err != nil {
				return usageError{err}
			}
			cfg, err := environment(ctx, c)
			if err != nil {
				return err
			}
			client := dynamodb.NewFromConfig(cfg)
			looked := doctor.Config{
				Application: c.String("application"), Dynamo: client, Changes: c.String("changes-of"), FanOut: c.String("fan-out"),
				Table: dynamocheckpoint.Open(client, c.String("application"), func(o *dynamocheckpoint.Options) {
					o.TableName, o.SessionTable = cmp.Or(c.String("table"), o.TableName), cmp.Or(c.String("sessions"), o.SessionTable)
					o.StateTable, o.ParkedTable = cmp.Or(c.String("states"), o.StateTable), cmp.Or(c.String("parked"), o.ParkedTable)
				}),
				Modes: modes, ProbeWrites: c.Bool("probe-writes"), Watch: c.Duration("watch"), Version: version(),
			}
			if err := looked.Table.Validate(); err != nil {
				return usageError{err}
			}
			if stream := c.String("stream"); stream != "" {
				k := kinesis.NewFromConfig(cfg)
				looked.Kinesis, looked.Source = k, kinesisshards.Open(k, stream, func(o *kinesisshards.Options) { o.Limit = 1 })
				if c.Bool("sample") {
					looked.Sample = kinesisshards.Open(k, stream)
				}
			} else {
				d := dynamodbstreams.NewFromConfig(cfg)
				looked.Source = dynamoshards.Open(d, looked.Changes, func(o *dynamoshards.Options) { o.Limit = 1 })
				if c.Bool("sample") {
					looked.Sample = dynamoshards.Open(d, looked.Changes)
				}
			}
			facts, err := doctor.Gather(ctx, looked)
			if err != nil && !errors.Is(err, checkpoint.ErrNoTable) {
				return err
			}
			report := doctor.Examine(facts)
			if err := errors.Join(printReport(c, report), err); err != nil {
				return err
			}
			if report.Count(doctor.Failure) > 0 {
				return fmt.Errorf("%s has %s", report.Application, report)
			}
			return nil
		},
	}
}

// printReport writes a document, or a paragraph for each finding.
func printReport(c *cli.Command, r doctor.Report) error {
	if wantsJSON(c) {
		return printJSON(c, struct {
			doctor.Report
			Failures int `json:"failures"`
			Warnings int `json:"warnings"`
		}{r, r.Count(doctor.Failure), r.Count(doctor.Warning)})
	}
	out, color := c.Root().Writer, colored(c)
	moods := map[doctor.Level]mood{doctor.OK: good, doctor.Note: quiet, doctor.Warning: warned, doctor.Failure: bad}
	last := ""
	for _, f := range r.Findings {
		level, check := fmt.Sprintf("%-7s", f.Level), f.Check
		if color {
			level = string(moods[f.Level]) + level + calm
		}
		if check == last {
			check = ""
		}
		last = f.Check
		if _, err := fmt.Fprintf(out, "%s  %-12s  ", level, check); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		if err := paragraph(out, f.Found, reportIndent); err != nil {
			return err
		}
		if f.Do != "" {
			if _, err := fmt.Fprint(out, strings.Repeat(" ", reportIndent), "→ "); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			if err := paragraph(out, f.Do, reportIndent+2); err != nil {
				return err
			}
		}
	}
	if _, err := fmt.Fprintf(out, "\n%s: %s\n", printable(r.Application), r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

const (
	reportIndent = 23
	reportWidth  = 110
)

// paragraph writes a text from where the cursor is, broken between words.
func paragraph(out io.Writer, text string, indent int) error {
	column := indent
	var b strings.Builder
	for i, word := range strings.Fields(printable(text)) {
		long := len([]rune(word))
		switch {
		case i == 0:
		case column+1+long > reportWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += long
	}
	if _, err := fmt.Fprintln(out, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// version is the version of the module that this was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

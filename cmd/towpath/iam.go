package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/iam"
)

func iamCommand() *cli.Command {
	return &cli.Command{
		Name:      "iam",
		Usage:     "print the policy that allows what a program asks of AWS, and nothing else",
		ArgsUsage: " ",
		Description: "Modes: " + modesInWords() + ".\n\n" +
			"A plain worker is -mode polling,leases (or fan-out,leases, or changes,leases), and send if it has\n" +
			"destinations. What a program makes once has modes of its own: bootstrap…, fork.\n\n" +
			"What the commands of this tool need:\n" + needsInWords() + "\n" +
			"Nothing is asked of AWS.\n\n" +
			"Exit status: 0 with the policy on standard output; 2 if the call is wrong.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "mode", Aliases: []string{"m"}, Usage: "what the program does: `MODE`, several by commas or given again"},
			&cli.StringFlag{Name: "stream", Aliases: []string{"s"}, Usage: "`ARN` of the stream of Kinesis, or of the table of DynamoDB or its stream"},
			&cli.StringFlag{Name: "application", Aliases: []string{"a"}, Usage: "`NAME` of the application, which names its tables and its fan-out consumer"},
			&cli.StringFlag{Name: "table", Usage: "lease `TABLE`, by name or ARN, if it is not named after the application"},
			&cli.StringFlag{Name: "sessions", Usage: "session `TABLE`, if it is not the application's name with -sessions"},
			&cli.StringFlag{Name: "states", Usage: "state `TABLE`, if it is not the application's name with -state"},
			&cli.StringFlag{Name: "parked", Usage: "`TABLE` of parked records, if it is not the application's name with -parked"},
			&cli.StringFlag{Name: "consumer", Usage: "`NAME` or ARN of the fan-out consumer, if it is not the application's"},
			&cli.StringFlag{Name: "once", Usage: "`TABLE` of effects"},
			&cli.StringFlag{Name: "from", Usage: "lease `TABLE` that a fork is made from"},
			&cli.StringFlag{Name: "overflow", Usage: "`arn:aws:s3:::BUCKET/PREFIX` of states that are too large for an item"},
			&cli.StringSliceFlag{Name: "to", Usage: "`ARN` of a destination, several by commas or given again; arn:aws:s3:::BUCKET/PREFIX of a bucket"},
			&cli.StringFlag{Name: "stream-key", Usage: "`ARN` of the KMS key of the stream"},
			&cli.StringFlag{Name: "destination-key", Usage: "`ARN` of the KMS key of the destinations"},
			&cli.BoolFlag{Name: "tags", Usage: "tables that are made get tags"},
		},
		OnUsageError: calledWrongly,
		Action: func(_ context.Context, c *cli.Command) error {
			var problems []error
			if c.Args().Present() {
				problems = append(problems, fmt.Errorf("iam takes no arguments, and there is %q", c.Args().First()))
			}
			var modes []iam.Mode
			for _, s := range c.StringSlice("mode") {
				m, err := iam.ParseMode(strings.TrimSpace(s))
				problems, modes = append(problems, err), append(modes, m)
			}
			if len(modes) == 0 {
				problems = append(problems, errors.New("iam needs -mode MODE"))
			}
			if err := errors.Join(problems...); err != nil {
				return usageError{err}
			}
			policy, err := iam.For(iam.Scope{
				Stream: c.String("stream"), Application: c.String("application"),
				Table: c.String("table"), Sessions: c.String("sessions"), States: c.String("states"), Parked: c.String("parked"),
				Consumer: c.String("consumer"), Once: c.String("once"), From: c.String("from"), Overflow: c.String("overflow"),
				Destinations: c.StringSlice("to"), StreamKey: c.String("stream-key"), DestinationKey: c.String("destination-key"),
				Tags: c.Bool("tags"),
			}, modes...)
			if err != nil {
				return usageError{err}
			}
			out := json.NewEncoder(c.Root().Writer)
			out.SetIndent("", "  ")
			if err := out.Encode(policy); err != nil {
				return fmt.Errorf("write the policy: %w", err)
			}
			return nil
		},
	}
}

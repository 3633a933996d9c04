// Command towpath is the tool beside the library.
//
//	towpath match -pattern FILE < RECORDS
//
// tries a filter pattern: one line of output, match or no match, for each record.
//
//	towpath seek  -application NAME -stream NAME [-shard ID] -to WHERE [-yes]
//	towpath reset -application NAME -stream NAME [-to WHERE] [-yes]
//	towpath fork  -application NAME -stream NAME -from NAME [-yes]
//
// move positions, each with a plan first: without -yes nothing is written.
//
//	towpath iam -mode MODE,… -stream ARN -application NAME
//
// prints the policy that allows what a program asks of AWS, and nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"
)

func main() { os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// Exit statuses beside 0.
const (
	exitFailed = 1 // what it was to do did not succeed
	exitUsage  = 2 // it was called wrongly, such as with a pattern that is none
)

// usageError is an error of the call.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// calledWrongly takes the place of the library's page of help on standard output.
func calledWrongly(_ context.Context, _ *cli.Command, err error, _ bool) error {
	return usageError{err}
}

// run is the command with its surroundings as arguments.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	tool := &cli.Command{
		Name:      "towpath",
		Usage:     "look after consumers of Kinesis and DynamoDB streams",
		Commands:  []*cli.Command{matchCommand(), seekCommand(), resetCommand(), forkCommand(), iamCommand()},
		Reader:    in,
		Writer:    out,
		ErrWriter: errs,
		// The library would end the process by itself.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		OnUsageError:   calledWrongly,
		Action: func(_ context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return usageError{fmt.Errorf("there is no command %q", name)}
			}
			return cli.ShowRootCommandHelp(c)
		},
	}
	err := tool.Run(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintf(errs, "towpath: %v\n", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		fmt.Fprintln(errs, "See towpath --help.")
		return exitUsage
	}
	return exitFailed
}

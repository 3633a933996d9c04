// Command towpath is the tool beside the library. Its commands read, and what
// writes prints a plan first and asks.
//
// Looking at a fleet, by its tables and its stream, this library's or KCL's:
//
//	leases     the rows: who works each shard, and how far it is
//	shards     the stream's shards as a family tree
//	workers    who works, and whether they live
//	lag        how far behind each shard is, and when it will have caught up
//	top        all of it live on a terminal
//	dashboard  all of it live as a page
//	doctor     what is wrong with an application, and what to do
//
// Looking at records, and putting them:
//
//	tail       records as they come
//	record     a range of a stream into a file
//	play       a file into a stream
//	match      whether a filter pattern matches records
//
// Telling a fleet:
//
//	pause, resume, limit, release
//	failures   what was given up, shown and put back
//	seek, reset, fork
//	           positions, moved by hand
//
// And beside it:
//
//	cost       what an application costs a month
//	migrate    what taking a table of another library over would find
//	iam        the policy that allows what a program asks of AWS
//	health     whether a worker lives, for checks of containers
//
// Each says with --help what it takes.
//
// # Exit statuses
//
//	0  it is done, or the plan is printed that was asked for
//	1  it was begun and did not succeed
//	2  it was called wrongly; nothing was asked of AWS
//	3  something that was named is not there, or is not allowed: a table, a
//	   stream, a shard, a permission
//	4  AWS was not reached: no region, no or expired credentials, a name that
//	   does not resolve, an endpoint that refuses or does not answer in time
//
// Every status but 0 comes with one line on standard error, which begins with
// "towpath: " and says what was being done, what went wrong and, where that is
// known, what to do.
//
// # Output
//
// Tables are for people, and may change. With -output json a command prints one
// JSON document, and those that print as they go (match, tail, record, play, failures)
// one document a line. Names are in snake_case and stay; times are RFC 3339 in
// UTC; a name that ends in _seconds is a number of seconds; what is not known is
// left out. What is asked and warned then goes to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

func main() { os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// help is what the tool says of itself.
const help = `Commands read, and what writes prints a plan first and asks; -yes does it unasked. Whom it is
about is said by -application (or -table) and -stream. AWS is reached as the environment says:
AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL, ...

Exit status:
  0  it is done, or the plan is printed that was asked for
  1  it was begun and did not succeed
  2  it was called wrongly; nothing was asked of AWS
  3  what was named is not there, or not allowed: a table, a stream, a shard, a permission
  4  AWS was not reached: no region, no credentials, an endpoint that refuses or does not answer

With -output json there is one JSON document, or one a line from match, tail, record, play and failures.

Completion: source <(towpath completion bash), or zsh, fish, pwsh.`

// run is the command with its surroundings as arguments.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	tool := &cli.Command{
		Name:        "towpath",
		Usage:       "look after consumers of Kinesis and DynamoDB streams",
		Description: help,
		Commands:    commands(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: asTable, Usage: "`FORM` of what is printed: " + asTable + " or " + asJSON},
			&cli.StringFlag{Name: "color", Value: colorAuto, Usage: "`WHEN` to colour: " + colorAuto + " (on a terminal, unless NO_COLOR is set), " + colorAlways + " or " + colorNever},
			&cli.DurationFlag{Name: "timeout", Value: callTimeout, Usage: "for how long one answer of AWS is waited for, with its repeats"},
			&cli.BoolFlag{Name: "insecure-endpoint", Usage: "let AWS_ENDPOINT_URL lead to another host without TLS: credentials' signatures and positions can be read and changed on the way"},
		},
		Before:    checkGlobals,
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
		EnableShellCompletion: true,
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden, c.Usage = false, "print a script that completes commands and flags, for bash, zsh, fish or pwsh"
		},
	}
	for _, c := range tool.Commands {
		if c.OnUsageError == nil {
			c.OnUsageError = calledWrongly
		}
	}
	err := tool.Run(ctx, args)
	if err == nil {
		return exitDone
	}
	if _, ok := err.(cli.ExitCoder); ok { //nolint:errorlint // the library's own, which is for topics of help that are none
		err = usageError{errors.New(strings.Replace(err.Error(), "No help topic", "there is no help", 1))}
	}
	status := statusOf(err)
	fmt.Fprintf(errs, "towpath: %s\n", sentenceOf(err, status))
	return status
}

// checkGlobals refuses values of the flags that every command takes.
func checkGlobals(ctx context.Context, c *cli.Command) (context.Context, error) {
	if form := c.String("output"); form != asTable && form != asJSON {
		return ctx, usageError{fmt.Errorf("-output %q is no form: want %s or %s", form, asTable, asJSON)}
	}
	if when := c.String("color"); when != colorAuto && when != colorAlways && when != colorNever {
		return ctx, usageError{fmt.Errorf("-color %q: want %s, %s or %s", when, colorAuto, colorAlways, colorNever)}
	}
	if d := c.Duration("timeout"); d < 100*time.Millisecond {
		return ctx, usageError{fmt.Errorf("-timeout %s is too short for any answer: want 100ms or more", d)}
	}
	return ctx, nil
}

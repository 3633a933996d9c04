package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"
)

// yes is the flag of every command that writes.
func yes() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do it, after the plan is printed, and do not ask"}
}

// agreed reports whether what was planned, and printed, is to be done: with -yes,
// or if somebody at a terminal says so. Otherwise nothing may be written, and it
// has said so.
func agreed(c *cli.Command) (bool, error) {
	if c.Bool("yes") {
		return true, nil
	}
	root := c.Root()
	talk := aside(c)
	if !isTerminal(root.Reader) || !isTerminal(talk) {
		_, err := fmt.Fprintln(talk, "nothing is written: add -yes to do it")
		return false, err
	}
	if _, err := fmt.Fprint(talk, "Type yes to do it: "); err != nil {
		return false, fmt.Errorf("nothing is written: ask: %w", err)
	}
	answer, err := bufio.NewReader(root.Reader).ReadString('\n')
	if err != nil && err != io.EOF { //nolint:errorlint // as ReadString gives it
		return false, fmt.Errorf("nothing is written: read the answer: %w", err)
	}
	if strings.TrimSpace(answer) == "yes" {
		return true, nil
	}
	_, err = fmt.Fprintln(talk, "nothing is written")
	return false, err
}

// aside is where a command talks beside its answer: where the answer goes, or
// standard error if that is a document for a program.
func aside(c *cli.Command) io.Writer {
	if wantsJSON(c) {
		return c.Root().ErrWriter
	}
	return c.Root().Writer
}

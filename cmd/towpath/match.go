package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/batching/filter"
)

func matchCommand() *cli.Command {
	return &cli.Command{
		Name:      "match",
		Usage:     "say of each record whether a filter pattern matches it",
		ArgsUsage: " ",
		Description: "Reads one record as JSON a line from standard input and prints \"match\" or \"no match\"\n" +
			"a line. A record is {\"partitionKey\":…,\"data\":BASE64,…}, a record of Lambda's Kinesis event,\n" +
			"or a record of a DynamoDB stream. A file holds one pattern, or the FilterCriteria of an event\n" +
			"source mapping; of several patterns one must match.\n\n" +
			"Exit status: 0 if every record was read, 1 if one could not be, 2 if a pattern is none.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "pattern", Aliases: []string{"p"}, Usage: "`FILE` with a pattern; may be given several times"},
		},
		OnUsageError: calledWrongly,
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usageError{fmt.Errorf("match takes no arguments, and there is %q: records come from standard input", c.Args().First())}
			}
			if !c.IsSet("pattern") {
				return usageError{errors.New("match needs -pattern FILE")}
			}
			set, err := readPatterns(c.StringSlice("pattern"))
			if err != nil {
				return usageError{err}
			}
			return match(set, c.Root().Reader, c.Root().Writer, wantsJSON(c))
		},
	}
}

// readPatterns compiles the patterns of some files. An error says which file and
// where in it.
func readPatterns(files []string) (*filter.Set, error) {
	var patterns, from []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read pattern: %w", err)
		}
		for _, p := range patternsOf(strings.TrimRight(string(text), "\r\n\t ")) {
			patterns, from = append(patterns, p), append(from, file)
		}
	}
	set, err := filter.Compile(patterns...)
	var syntax *filter.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s: %w", from[syntax.Pattern], err)
	}
	return set, err
}

// patternsOf is the patterns of a text: itself, or those of FilterCriteria.
func patternsOf(text string) []string {
	var criteria struct {
		Filters []struct{ Pattern *string }
	}
	if json.Unmarshal([]byte(text), &criteria) != nil || len(criteria.Filters) == 0 {
		return []string{text}
	}
	var all []string
	for _, f := range criteria.Filters {
		if f.Pattern == nil {
			return []string{text}
		}
		all = append(all, *f.Pattern)
	}
	return all
}

// longestLine bounds a line: a record of 10 MiB in base64, and room beside it.
const longestLine = 16 << 20

// match answers each line of in with one of out.
func match(set *filter.Set, in io.Reader, out io.Writer, asDocument bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	answers := bufio.NewWriter(out)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		r, err := recordOf(line)
		if err != nil {
			return errors.Join(answers.Flush(), fmt.Errorf("standard input, line %d: %w", number, err))
		}
		matched := set.Match(&r).Matched()
		answer := "no match\n"
		switch {
		case asDocument:
			answer = fmt.Sprintf(`{"line":%d,"match":%v}`+"\n", number, matched)
		case matched:
			answer = "match\n"
		}
		if _, err := answers.WriteString(answer); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
		// Somebody may be typing.
		if err := answers.Flush(); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("standard input, line %d: %w", number+1, err)
	}
	return nil
}

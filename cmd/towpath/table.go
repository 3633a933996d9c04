package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// Forms of output, and when it is coloured.
const (
	asTable     = "table"
	asJSON      = "json"
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// wantsJSON reports whether -output json was given.
func wantsJSON(c *cli.Command) bool { return c.String("output") == asJSON }

// printJSON writes one document.
func printJSON(c *cli.Command, document any) error {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	err := out.Encode(document)
	if err == nil {
		_, err = c.Root().Writer.Write(harmless(b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// printLine writes one document on one line, of many.
func printLine(c *cli.Command, document any) error {
	line, err := jsonLine(document)
	if err == nil {
		_, err = fmt.Fprintln(c.Root().Writer, line)
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// isTerminal reports whether somebody sits at a reader or a writer.
func isTerminal(v any) bool {
	switch f := v.(type) {
	case interface{ IsTerminal() bool }: // a test's
		return f.IsTerminal()
	case interface{ Fd() uintptr }:
		return term.IsTerminal(int(f.Fd()))
	}
	return false
}

// colored reports whether output is coloured: as -color says, and by default on a
// terminal that does not refuse it.
func colored(c *cli.Command) bool {
	switch c.String("color") {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(c.Root().Writer)
}

// A mood is how a line of a table is shown where there are colours. The words in
// it say the same.
type mood string

const (
	plain  mood = ""
	strong mood = "\x1b[1m"
	quiet  mood = "\x1b[2m"
	good   mood = "\x1b[32m"
	warned mood = "\x1b[33m"
	bad    mood = "\x1b[31m"
	calm        = "\x1b[0m"
)

// table gathers rows and prints them in columns.
type table struct {
	out   io.Writer
	color bool
	text  bytes.Buffer
	lines *tabwriter.Writer
	moods []mood
}

// newTable is a table on a command's output, with a head.
func newTable(c *cli.Command, head ...string) *table {
	t := &table{out: c.Root().Writer, color: colored(c)}
	t.lines = tabwriter.NewWriter(&t.text, 0, 0, 2, ' ', 0)
	cells := make([]any, len(head))
	for i, name := range head {
		cells[i] = name
	}
	t.row(strong, cells...)
	return t
}

// row adds a line. Nil, an empty text and a zero time or duration are shown as -.
func (t *table) row(m mood, cells ...any) {
	texts := make([]string, len(cells))
	for i, v := range cells {
		texts[i] = cell(v)
	}
	t.moods = append(t.moods, m)
	fmt.Fprintln(t.lines, strings.Join(texts, "\t"))
}

// cell is a value in a table.
func cell(v any) string {
	s := ""
	switch v := v.(type) {
	case nil:
	case time.Time:
		if !v.IsZero() {
			s = v.UTC().Format(time.RFC3339)
		}
	case time.Duration:
		if v != 0 {
			s = short(v)
		}
	case *float64:
		if v != nil {
			s = fmt.Sprintf("%.1f", *v)
		}
	case float64:
		s = fmt.Sprintf("%.1f", v)
	default:
		s = fmt.Sprint(v)
	}
	if s = strings.TrimSpace(printable(s)); s == "" {
		return "-"
	}
	return s
}

// short is a duration of two units at most: 3d4h, 2h05m, 4m10s, 1.5s, 20ms.
func short(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d >= 24*time.Hour:
		h := d.Round(time.Hour) / time.Hour
		return fmt.Sprintf("%s%dd%dh", sign, h/24, h%24)
	case d >= time.Hour:
		m := d.Round(time.Minute) / time.Minute
		return fmt.Sprintf("%s%dh%02dm", sign, m/60, m%60)
	case d >= time.Minute:
		s := d.Round(time.Second) / time.Second
		return fmt.Sprintf("%s%dm%02ds", sign, s/60, s%60)
	case d >= time.Second:
		return sign + d.Round(100*time.Millisecond).String()
	}
	return sign + d.Round(time.Millisecond).String()
}

// print writes the table.
func (t *table) print() error {
	if err := t.lines.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(t.text.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if t.color && t.moods[i] != plain {
			line = string(t.moods[i]) + line + calm
		}
		if _, err := fmt.Fprintln(t.out, line); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return nil
}

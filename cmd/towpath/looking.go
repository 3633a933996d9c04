package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
)

// onlyLooks is what every command says of itself that only reads.
const onlyLooks = "Nothing is written. The tables may be this library's or KCL's: -application, or -table, names\n" +
	"them. What the commands that look need, towpath iam -mode status prints.\n\n" +
	"Exit status: 0 if it is shown, whatever it shows; 2 if the call is wrong; 3 if a table, the stream\n" +
	"or a permission is missing; 4 if AWS was not reached."

// silenceFlag is for how long a worker gives no sign of life before it is called
// silent.
func silenceFlag() cli.Flag {
	return &cli.DurationFlag{Name: "silence", Value: 10 * time.Second, Usage: "for how long a worker gives no sign of life before it is called silent: the fleet's LeaseDuration"}
}

// unnamed says what is missing of the flags of whose for a command that looks.
// The stream may be missing too, where the rows alone tell something.
func unnamed(c *cli.Command, stream bool) error {
	var problems []error
	if c.Args().Present() {
		problems = append(problems, fmt.Errorf("%s takes no arguments, and there is %q", c.Name, c.Args().First()))
	}
	if c.String("application") == "" && c.String("table") == "" {
		problems = append(problems, fmt.Errorf("%s needs -application NAME, or -table TABLE", c.Name))
	}
	named, changes := c.String("stream") != "", c.String("changes-of") != ""
	switch {
	case named && changes:
		problems = append(problems, fmt.Errorf("%s takes -stream NAME or -changes-of TABLE, not both", c.Name))
	case stream && !named && !changes:
		problems = append(problems, fmt.Errorf("%s needs -stream NAME or -changes-of TABLE", c.Name))
	}
	if len(problems) > 0 {
		return usageError{errors.Join(problems...)}
	}
	return nil
}

// applicationOf is the application that the flags name: KCL's tables are named
// after theirs.
func applicationOf(c *cli.Command) string {
	if name := c.String("application"); name != "" {
		return name
	}
	return c.String("table")
}

// viewOf says what is looked at, by the flags of whose.
func viewOf(ctx context.Context, c *cli.Command) (overview.Config, aws.Config, error) {
	cfg, err := environment(ctx, c)
	if err != nil {
		return overview.Config{}, cfg, err
	}
	view := overview.Config{
		Tables:  leasesOf(cfg, applicationOf(c), c.String("table"), c.String("sessions"), false),
		Silence: c.Duration("silence"),
	}
	if c.String("stream") != "" || c.String("changes-of") != "" {
		view.Source = sourceOf(c, cfg)
	}
	return view, cfg, validated(view)
}

// validated refuses names that are none.
func validated(view overview.Config) error {
	var problems []error
	for _, part := range []any{view.Tables, view.Source} {
		if v, ok := part.(interface{ Validate() error }); ok {
			problems = append(problems, v.Validate())
		}
	}
	if err := errors.Join(problems...); err != nil {
		return usageError{err}
	}
	return nil
}

// pictureOf checks the flags that say whom it is about, and looks once, or twice
// with some time between, so that it is seen who lives.
func pictureOf(ctx context.Context, c *cli.Command, between time.Duration) (*overview.Fleet, error) {
	if err := unnamed(c, false); err != nil {
		return nil, err
	}
	view, _, err := viewOf(ctx, c)
	if err != nil {
		return nil, err
	}
	fleet, err := overview.Look(ctx, view)
	if err != nil || between <= 0 {
		return fleet, err
	}
	if err := pause(ctx, between); err != nil {
		return nil, err
	}
	view.Before = fleet
	return overview.Look(ctx, view)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// namesOf gives each worker of a picture the shortest name that is its own: the
// host or pod, with some of the random part where several starts share one.
func namesOf(f *overview.Fleet) map[string]string {
	count := map[string]int{}
	for _, w := range f.Workers {
		count[w.Name]++
	}
	names := map[string]string{"": ""}
	for _, w := range f.Workers {
		names[w.ID] = w.Name
		if _, random, ok := strings.Cut(w.ID, "/"); ok && count[w.Name] > 1 && w.Name != w.ID {
			names[w.ID] = w.Name + "/" + random[:4]
		}
	}
	return names
}

// place is a position for a table: the end of a sequence number tells more than
// its beginning, which all of a stream share.
func place(p string, wide bool) string {
	sequence, sub, aggregated := strings.Cut(p, "/")
	if wide || strings.Trim(sequence, "0123456789") != "" || len(sequence) <= 16 {
		return p
	}
	p = "…" + sequence[len(sequence)-12:]
	if aggregated {
		p += "/" + sub
	}
	return p
}

// behindOf is how far a shard is behind by its row, for a table.
func behindOf(s overview.Shard) string {
	switch {
	case s.State == overview.StateEnded || !s.Row:
		return "-"
	case !s.BehindKnown:
		return "?"
	case s.Behind == 0:
		return "0s"
	}
	return "≤ " + short(s.Behind.Of())
}

// moodOf is how a shard's line is shown.
func moodOf(s overview.Shard) mood {
	switch s.State {
	case overview.StateOrphaned, overview.StateHole, overview.StateGone, overview.StateFault:
		return bad
	case overview.StateFree, overview.StateHandingOver:
		return warned
	case overview.StateEnded, overview.StatePassed, overview.StateComing, overview.StateWaiting:
		return quiet
	}
	if s.Paused || s.Crashes > 0 {
		return warned
	}
	return plain
}

// notesOf is what else there is to say of a shard.
func notesOf(s overview.Shard, names map[string]string) string {
	var notes []string
	add := func(yes bool, note string, args ...any) {
		if yes {
			notes = append(notes, fmt.Sprintf(note, args...))
		}
	}
	add(s.From != "", "still worked by %s", names[s.From])
	add(len(s.WaitsFor) > 0, "waits for %s", strings.Join(s.WaitsFor, ", "))
	add(s.Paused, "paused")
	add(s.Crashes > 0, "%d crashes on one record", s.Crashes)
	add(s.Switches > 1, "%d owners since it moved", s.Switches)
	add(len(s.Marks) > 0, "%d handlers", len(s.Marks))
	add(s.Moved > 0, "moved by hand %d×", s.Moved)
	add(s.Lost, "records lost")
	add(s.CreatedFrom == "repair", "row repaired")
	add(s.Fault != "", "%s", s.Fault)
	return strings.Join(notes, "; ")
}

// closing says what a picture comes to, and what is wrong, below a table.
func closing(c *cli.Command, f *overview.Fleet) error {
	var parts []string
	for _, state := range []overview.State{
		overview.StateHeld, overview.StateHandingOver, overview.StateFree, overview.StateOrphaned, overview.StateWaiting, overview.StateComing,
		overview.StatePassed, overview.StateHole, overview.StateGone, overview.StateFault, overview.StateEnded,
	} {
		if n := f.Totals.By[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	line := counted(f.Totals.Shards, "shard", "shards")
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	line += "; " + counted(f.Totals.Workers, "worker", "workers")
	if f.Kind == overview.KindKCL {
		line += " of KCL"
	}
	out := c.Root().Writer
	if _, err := fmt.Fprintln(out, line); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	for _, told := range controlLines(f.Control) {
		if _, err := fmt.Fprintln(out, oneLine(told)); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	}
	for _, p := range f.Problems {
		line := "problem: "
		if p.Shard != "" {
			line += p.Shard + ": "
		}
		line = oneLine(line + p.Says)
		if colored(c) {
			line = string(bad) + line + calm
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	}
	return nil
}

// controlLines are what the fleet is told, a line each.
func controlLines(t overview.Control) []string {
	var lines []string
	if t.Limited {
		line := fmt.Sprintf("limit: %s at once in the whole fleet", counted(t.Limit, "call", "calls"))
		if !t.Kept {
			line += ", not kept by all workers yet"
		}
		lines = append(lines, line)
	}
	for _, p := range t.Pauses {
		lines = append(lines, "paused: "+shard.Pause{Shard: p.Shard, KeyHash: p.KeyHash}.String())
	}
	return lines
}

// document is what the commands that look print as JSON: what they show, and what
// every picture has.
type document struct {
	At          time.Time          `json:"at"`
	Application string             `json:"application"`
	Stream      overview.Stream    `json:"stream"`
	Kind        overview.Kind      `json:"kind"`
	Totals      overview.Totals    `json:"totals"`
	Leases      []overview.Shard   `json:"leases,omitempty"`
	Shards      []overview.Shard   `json:"shards,omitempty"`
	Workers     []overview.Worker  `json:"workers,omitempty"`
	Control     overview.Control   `json:"control"`
	Problems    []overview.Problem `json:"problems"`
}

func documentOf(c *cli.Command, f *overview.Fleet) document {
	return document{At: f.At, Application: applicationOf(c), Stream: f.Stream, Kind: f.Kind, Totals: f.Totals, Control: f.Control, Problems: f.Problems}
}

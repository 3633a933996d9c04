package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
)

// steered is what the commands that tell a fleet something say of themselves.
const steered = `What is told stands in the session table and outlives workers and this command. Workers learn of it
within about a second. The plan is printed first; without a terminal to ask on, nothing is written
unless -yes is given. What is needed, towpath iam -mode steer prints.`

// steering are the flags of the commands that tell a fleet something.
func steering(more ...cli.Flag) []cli.Flag {
	return slices.Concat(whose()[:3], more, []cli.Flag{yes()})
}

// held are the flags that say what is paused.
func held() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "shard", Usage: "`ID` of one shard (default: all)"},
		&cli.StringFlag{Name: "key", Aliases: []string{"k"}, Usage: "`KEY` whose records alone are meant: what their order belongs to, by default the partition key; its hash is written, not the key"},
	}
}

func pauseCommand() *cli.Command {
	return &cli.Command{
		Name:      "pause",
		Usage:     "hold an application, a shard or a key back until it is resumed",
		ArgsUsage: " ",
		Description: `Calls that run end by themselves; nothing more is handled. Leases are kept, and no attempts are burnt.
Records go on ageing: what lies longer than the stream keeps it is lost.

` + steered + `

Examples:
  towpath pause -application clickstream
  towpath pause -application clickstream -shard shardId-000000000002
  towpath pause -application clickstream -key user-17 -yes`,
		Flags:        steering(held()...),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			return steer(ctx, c, nil, func(ctx context.Context, s *consumer.Steering, now shard.Control) (told, error) {
				what := pausing(c)
				row := rowOf(what)
				t := told{does: "pause " + pausedText(row), after: now.WithPause(row)}
				if slices.Contains(now.Pauses, row) {
					t.nothing = pausedText(row) + " is paused already"
				}
				t.do = func(ctx context.Context) error { return s.Pause(ctx, what) }
				return t, nil
			})
		},
	}
}

func resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "take a pause back",
		ArgsUsage: " ",
		Description: `Just the pause is taken back that is named: others that hold the same back stay. -all takes back every
one; towpath workers shows them.

` + steered + `

Examples:
  towpath resume -application clickstream
  towpath resume -application clickstream -key user-17
  towpath resume -application clickstream -all -yes`,
		Flags: steering(append(held(),
			&cli.StringFlag{Name: "key-hash", Usage: "`SHA-256` of the key in hexadecimal, as pauses show it, instead of -key"},
			&cli.BoolFlag{Name: "all", Usage: "take back every pause"},
		)...),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			var problems []error
			if hash := c.String("key-hash"); hash != "" {
				if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 || strings.ToLower(hash) != hash {
					problems = append(problems, fmt.Errorf("-key-hash %q is no SHA-256 in 64 hexadecimal digits", hash))
				}
				if c.String("key") != "" {
					problems = append(problems, errors.New("resume takes -key or -key-hash, not both"))
				}
			}
			if c.Bool("all") && (c.IsSet("shard") || c.IsSet("key") || c.IsSet("key-hash")) {
				problems = append(problems, errors.New("resume -all takes no -shard and no key: it takes back every pause"))
			}
			return steer(ctx, c, problems, func(ctx context.Context, s *consumer.Steering, now shard.Control) (told, error) {
				return resuming(c, s, now), nil
			})
		},
	}
}

// resuming is what resume does.
func resuming(c *cli.Command, s *consumer.Steering, now shard.Control) told {
	what := []consumer.PauseOf{pausing(c)}
	if c.Bool("all") {
		what = nil
		for _, p := range now.Pauses {
			what = append(what, consumer.PauseOf{Shard: p.Shard, KeyHash: p.KeyHash})
		}
	}
	t := told{after: now}
	var texts []string
	for _, p := range what {
		if row := rowOf(p); slices.Contains(now.Pauses, row) {
			t.after = t.after.WithoutPause(row)
			texts = append(texts, pausedText(row))
		}
	}
	t.does = "resume " + strings.Join(texts, "; ")
	if len(texts) == 0 {
		t.nothing = "nothing is paused"
		if len(now.Pauses) > 0 {
			t.nothing = pausedText(rowOf(pausing(c))) + " is not paused by itself"
		}
	}
	t.do = func(ctx context.Context) error {
		for _, p := range what {
			if err := s.Resume(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}
	return t
}

func limitCommand() *cli.Command {
	return &cli.Command{
		Name:      "limit",
		Usage:     "bound how many handler calls run at once in a whole fleet",
		ArgsUsage: "N|off",
		Description: `The sum over all workers never exceeds N, whoever comes, dies or is cut off; 0 stops every handler, off
takes the bound away. A lower one holds from when the calls above it have ended: -wait waits for that.

` + steered + `

Examples:
  towpath limit -application clickstream -wait 10
  towpath limit -application clickstream -yes 0
  towpath limit -application clickstream off`,
		Flags: steering(
			&cli.BoolFlag{Name: "wait", Usage: "wait until every worker is known to keep to it"},
			&cli.DurationFlag{Name: "patience", Value: time.Minute, Usage: "with -wait: for how long"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			n, off, err := limitOf(c)
			return steer(ctx, c, []error{err}, func(ctx context.Context, s *consumer.Steering, now shard.Control) (told, error) {
				t := told{does: fmt.Sprintf("limit the whole fleet to %s at once", counted(n, "handler call", "handler calls")), after: now.WithLimit(n)}
				limit := batching.AtMost(n)
				switch {
				case off:
					t.does, limit, t.after = "take the limit of the fleet away", batching.Unlimited, now.WithoutLimit()
					if !now.Limited {
						t.nothing = "the fleet is not limited"
					}
				case now.Limited && now.Limit == n:
					t.nothing = fmt.Sprintf("the fleet is limited to %d already", n)
				}
				t.do = func(ctx context.Context) error { return s.SetFleetConcurrency(ctx, limit) }
				if c.Bool("wait") && !off {
					t.until = func(ctx context.Context) error { return keptTo(ctx, c, s) }
				}
				return t, nil
			})
		},
	}
}

// limitOf is the argument of limit.
func limitOf(c *cli.Command) (n int, off bool, err error) {
	text := c.Args().First()
	if c.Args().Len() != 1 {
		return 0, false, errors.New("limit needs one argument behind its flags, N or off")
	}
	if text == "off" {
		return 0, true, nil
	}
	if n, err = strconv.Atoi(text); err != nil || n < 0 || n > 1<<20 {
		return 0, false, fmt.Errorf("limit %q: want a number from 0 to %d, or off", text, 1<<20)
	}
	return n, false, nil
}

// keptTo waits until the fleet keeps to its limit.
func keptTo(ctx context.Context, c *cli.Command, s *consumer.Steering) error {
	ctx, cancel := context.WithTimeout(ctx, c.Duration("patience"))
	defer cancel()
	for began := time.Now(); ; {
		kept, err := s.FleetKeeps(ctx)
		switch {
		case kept:
			_, err := fmt.Fprintln(aside(c), "every worker keeps to it")
			return err
		case err != nil && ctx.Err() == nil:
			return err
		}
		if pause(ctx, 250*time.Millisecond) != nil {
			return fmt.Errorf("it is written, and not kept by every worker after %s: calls above it still run, or a worker does not answer", short(time.Since(began)))
		}
	}
}

// told is what a fleet is told: what that does, for people, what the control row
// is then, and how. Nothing, if it is set, is why there is nothing to do.
type told struct {
	does, nothing string
	after         shard.Control
	do            func(ctx context.Context) error
	until         func(ctx context.Context) error
}

// steer reads what a fleet is told, prints what is to be told, and tells it.
func steer(ctx context.Context, c *cli.Command, problems []error, plan func(ctx context.Context, s *consumer.Steering, now shard.Control) (told, error)) error {
	if c.Name != "limit" && c.Args().Present() {
		problems = append(problems, fmt.Errorf("%s takes no arguments, and there is %q", c.Name, c.Args().First()))
	}
	table, err := tableToTell(ctx, c, problems...)
	if err != nil {
		return err
	}
	if err := knows(ctx, c, table); err != nil {
		return err
	}
	s := consumer.Steer(table)
	now, err := s.Control(ctx)
	if err != nil {
		return fmt.Errorf("read what the fleet is told: %w", err)
	}
	t, err := plan(ctx, s, now)
	if err != nil {
		return err
	}
	talk := aside(c)
	if t.nothing != "" {
		fmt.Fprintln(talk, "nothing to do: "+printable(t.nothing))
		if t.until != nil {
			if err := t.until(ctx); err != nil {
				return err
			}
		}
		return toldDocument(c, "", now, now)
	}
	for _, line := range append([]string{t.does + ", of " + applicationOf(c)}, toldLines("now", now)...) {
		if _, err := fmt.Fprintln(talk, printable(line)); err != nil {
			return fmt.Errorf("nothing is written: print the plan: %w", err)
		}
	}
	if do, err := agreed(c); err != nil || !do {
		return errors.Join(err, toldDocument(c, "", now, now))
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	if err := t.do(ctx); err != nil {
		return err
	}
	fmt.Fprintln(talk, "done")
	if t.until != nil {
		if err := t.until(ctx); err != nil {
			return err
		}
	}
	return toldDocument(c, t.does, now, t.after)
}

// tableToTell are the tables that the flags name, of a fleet that is to be told
// something. What else is wrong with the call is said with what is wrong with them.
func tableToTell(ctx context.Context, c *cli.Command, problems ...error) (*dynamocheckpoint.Table, error) {
	if c.String("application") == "" && c.String("table") == "" {
		problems = slices.Insert(problems, 0, fmt.Errorf("%s needs -application NAME", c.Name))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, usageError{err}
	}
	cfg, err := environment(ctx, c)
	if err != nil {
		return nil, err
	}
	table := leasesOf(cfg, applicationOf(c), c.String("table"), c.String("sessions"), false)
	if err := table.Validate(); err != nil {
		return nil, usageError{err}
	}
	return table, nil
}

// knows refuses a shard that the application has no row of.
func knows(ctx context.Context, c *cli.Command, table *dynamocheckpoint.Table) error {
	id := c.String("shard")
	if id == "" {
		return nil
	}
	rows, err := table.List(ctx)
	if err != nil {
		return fmt.Errorf("list the leases: %w", err)
	}
	if !slices.ContainsFunc(rows, func(l shard.Lease) bool { return l.Shard == id }) {
		return fmt.Errorf("shard %s: %w in the table of %s", printable(id), shard.ErrNoShard, applicationOf(c))
	}
	return nil
}

// pausing is what the flags say is paused.
func pausing(c *cli.Command) consumer.PauseOf {
	return consumer.PauseOf{Shard: c.String("shard"), Key: c.String("key"), KeyHash: c.String("key-hash")}
}

// rowOf is how a pause stands in the table.
func rowOf(p consumer.PauseOf) shard.Pause {
	row := shard.Pause{Shard: p.Shard, KeyHash: p.KeyHash}
	if p.Key != "" {
		row.KeyHash = batching.HashKey(p.Key)
	}
	return row
}

func pausedText(p shard.Pause) string {
	if p == (shard.Pause{}) {
		return "every shard"
	}
	return p.String()
}

// toldLines are what a fleet is told, a line each.
func toldLines(when string, t shard.Control) []string {
	var lines []string
	if t.Limited {
		lines = append(lines, fmt.Sprintf("%s: limited to %s at once", when, counted(t.Limit, "call", "calls")))
	}
	for _, p := range t.Pauses {
		lines = append(lines, when+": paused "+pausedText(p))
	}
	if t.Move.Active() {
		lines = append(lines, when+": "+t.Move.String())
	}
	return lines
}

// toldDocument prints what is told now, with -output json.
func toldDocument(c *cli.Command, did string, before, after shard.Control) error {
	if !wantsJSON(c) {
		return nil
	}
	type pauses struct {
		Shard   string `json:"shard,omitempty"`
		KeyHash string `json:"key_hash,omitempty"`
	}
	type control struct {
		Limited bool     `json:"limited"`
		Limit   *int     `json:"limit,omitempty"` // 0 is one
		Pauses  []pauses `json:"pauses"`
	}
	of := func(t shard.Control) control {
		d := control{Limited: t.Limited, Pauses: []pauses{}}
		if t.Limited {
			d.Limit = &t.Limit
		}
		for _, p := range t.Pauses {
			d.Pauses = append(d.Pauses, pauses(p))
		}
		return d
	}
	return printJSON(c, struct {
		Done   bool    `json:"done"`
		Did    string  `json:"did,omitempty"`
		Before control `json:"before"`
		After  control `json:"after"`
	}{did != "", did, of(before), of(after)})
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/reposition"
)

// dryRun is what every command that moves positions says of itself.
const dryRun = "The plan is printed, and done with -yes, or if somebody at a terminal says so.\n\n" +
	"AWS is reached as the environment says (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL, …).\n\n" +
	"Exit status: 0 if it is done, or planned; 1 if it could not be; 2 if the call is wrong; 3 if a\n" +
	"table, the stream or a permission is missing; 4 if AWS was not reached."

func seekCommand() *cli.Command {
	return &cli.Command{
		Name:      "seek",
		Usage:     "move the position of a shard, or of all, to a time or a place",
		ArgsUsage: " ",
		Description: "-to is " + places + ".\n" +
			"A sequence number is that of the last record which is not to come again, and needs -shard.\n\n" +
			"One shard is moved while its fleet runs. All shards are moved with the fleet standing still,\n" +
			"finished ones among them; -resume finishes and -abort gives up such a move that was left half\n" +
			"done.\n\n" + dryRun,
		Flags: append(moving(),
			&cli.StringFlag{Name: "shard", Usage: "`ID` of one shard (default: all)"},
			&cli.StringFlag{Name: "to", Usage: "`WHERE` to begin: " + places},
			&cli.BoolFlag{Name: "resume", Usage: "go on with a move that was left half done"},
			&cli.BoolFlag{Name: "abort", Usage: "give up a move of which nothing is written yet"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("resume") || c.Bool("abort") {
				return settle(ctx, c)
			}
			target := reposition.Target{Shard: c.String("shard")}
			var err error
			if target.To, err = placeOf("to", c.String("to")); err != nil {
				return usageError{errors.Join(misnamed(c), err)}
			}
			if target.To.IsRecord() && target.Shard == "" {
				err = errors.New("seek needs -shard ID with a sequence number, which is a place in one shard")
			}
			if err = errors.Join(misnamed(c), err); err != nil {
				return usageError{err}
			}
			m, _, err := mover(ctx, c, false)
			if err != nil {
				return err
			}
			plan, err := m.Seek(ctx, target)
			return carryOut(ctx, c, m, plan, err)
		},
	}
}

func resetCommand() *cli.Command {
	return &cli.Command{
		Name:      "reset",
		Usage:     "begin anew, as a new application would",
		ArgsUsage: " ",
		Description: "Every shard begins at -to, with the fleet standing still; what the stream does not list any\n" +
			"more counts as done. Rows stay, so that fencing tokens grow.\n\n" + dryRun,
		Flags: append(moving(),
			&cli.StringFlag{Name: "to", Value: "horizon", Usage: "`WHERE` to begin: horizon, tip, or a time"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			to, err := placeOf("to", c.String("to"))
			if err == nil && to.IsRecord() {
				err = errors.New("reset begins every shard anew, and a sequence number is a place in one: use seek")
			}
			if err = errors.Join(misnamed(c), err); err != nil {
				return usageError{err}
			}
			m, _, err := mover(ctx, c, false)
			if err != nil {
				return err
			}
			plan, err := m.Reset(ctx, to)
			return carryOut(ctx, c, m, plan, err)
		},
	}
}

func forkCommand() *cli.Command {
	return &cli.Command{
		Name:      "fork",
		Usage:     "give an application the positions of another one, such as a shadow",
		ArgsUsage: " ",
		Description: "The tables of -application are made if they are not there. Those of -from, which may be KCL's,\n" +
			"vmware-go-kcl's or the DynamoDB store of harlow/kinesis-consumer, are only read.\n\n" + dryRun,
		Flags: append(moving(),
			&cli.StringFlag{Name: "from", Usage: "`NAME` of the application whose positions are copied"},
			&cli.StringFlag{Name: "from-table", Usage: "its lease `TABLE`, if it is not named after it"},
			&cli.StringFlag{Name: "from-kind", Value: kindKCL, Usage: "whose table that is: `KIND` is " + kindKCL + " (towpath's, too), " + kindVMware + " or " + kindHarlow},
			&cli.StringFlag{Name: "at", Usage: "`TIME` at which -from was started, for rows of KCL's that say AT_TIMESTAMP and not which"},
			&cli.BoolFlag{Name: "force", Usage: "write over positions that the application has"},
		),
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			origin := reposition.Origin{Name: c.String("from"), Force: c.Bool("force")}
			err := misnamed(c)
			if origin.Name == "" {
				err = errors.Join(err, errors.New("fork needs -from NAME"))
			}
			if text := c.String("at"); text != "" {
				at, atErr := placeOf("at", text)
				if atErr != nil || !at.IsAtTime() {
					atErr = fmt.Errorf("-at %q is no time: want one such as 2026-05-04T12:30:00Z", text)
				}
				origin.At, err = at, errors.Join(err, atErr)
			}
			switch kind := c.String("from-kind"); {
			case kind != kindKCL && kind != kindVMware && kind != kindHarlow:
				err = errors.Join(err, fmt.Errorf("-from-kind %q is no kind: want %s, %s or %s", kind, kindKCL, kindVMware, kindHarlow))
			case kind == kindHarlow && c.String("from-table") == "":
				err = errors.Join(err, errors.New("fork -from-kind harlow needs -from-table TABLE: the store of many applications"))
			}
			if err != nil {
				return usageError{err}
			}
			m, cfg, err := mover(ctx, c, true)
			if err != nil {
				return err
			}
			origin.Rows, origin.NoEnds = rowsOf(c, cfg)
			plan, err := m.Fork(ctx, origin)
			return carryOut(ctx, c, m, plan, err)
		},
	}
}

// carryOut prints a plan and, with -yes, applies it.
func carryOut(ctx context.Context, c *cli.Command, m *reposition.Mover, plan *reposition.Plan, err error) error {
	if err != nil {
		return halted(ctx, err)
	}
	// A plan that nobody can read is not carried out.
	if _, err := fmt.Fprint(aside(c), harmlessText(plan.String())); err != nil {
		return fmt.Errorf("nothing is written: print the plan: %w", err)
	}
	do, err := agreed(c)
	if err != nil {
		return err
	}
	if do {
		ctx, stop := undisturbed(ctx) // a fleet is not left standing still
		defer stop()
		if err := m.Apply(ctx, plan); err != nil {
			return halted(ctx, err)
		}
		fmt.Fprintln(aside(c), "done")
	}
	if wantsJSON(c) {
		return printJSON(c, planDocument(plan, do))
	}
	return nil
}

// halted is an error of a move, with what to do about a fleet that stands still.
func halted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	switch {
	case errors.Is(err, reposition.ErrUnderway):
		return fmt.Errorf("%w: finish it with: towpath seek -resume -yes, or give it up with: towpath seek -abort -yes", err)
	case errors.Is(err, reposition.ErrHalfDone):
		return fmt.Errorf("%w: finish it with: towpath seek -resume -yes, or a fork with the same command and -force", err)
	}
	return err
}

// settle goes on with a move that was left half done, or gives it up.
func settle(ctx context.Context, c *cli.Command) error {
	err := misnamed(c)
	if c.Bool("resume") && c.Bool("abort") {
		err = errors.Join(err, errors.New("seek takes -resume or -abort, not both"))
	}
	if c.IsSet("to") || c.IsSet("shard") {
		err = errors.Join(err, errors.New("seek -resume and -abort take no -to and no -shard: the move says them"))
	}
	if err != nil {
		return usageError{err}
	}
	m, _, err := mover(ctx, c, false)
	if err != nil {
		return err
	}
	move, err := m.Underway(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(aside(c), printable(move.String())); err != nil {
		return fmt.Errorf("nothing is written: print the move: %w", err)
	}
	if !move.Active() {
		return reposition.ErrNoMove
	}
	do, err := agreed(c)
	if err != nil {
		return err
	}
	ctx, stop := undisturbed(ctx)
	defer stop()
	switch {
	case do && c.Bool("resume"):
		err = m.Resume(ctx)
	case do:
		err = m.Abort(ctx)
	}
	if err != nil {
		return halted(ctx, err)
	}
	if do {
		fmt.Fprintln(aside(c), "done")
	}
	if wantsJSON(c) {
		return printJSON(c, struct {
			Done bool   `json:"done"`
			Move string `json:"move"`
		}{do, move.String()})
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

func releaseCommand() *cli.Command {
	return &cli.Command{
		Name:      "release",
		Usage:     "have a shard handed over to another worker",
		ArgsUsage: "SHARD",
		Description: `The owner is asked, in the row of the lease, as the fleet's own planner asks it: it finishes what it has
begun, saves, and hands over, without a repeat. Nothing is taken by force: an owner that is busy for
longer than a hand-over may take keeps the shard, and one that is dead loses it without this command.

Without -to it goes to the worker that holds least, of those with which it stays: the fleet evens out
the number of leases, so that a worker that then holds two more than another is asked for one of them,
perhaps for this one. The plan says so beforehand. A worker that is to have no shard at all is better
stopped.

Who lives is seen from heartbeats, for which it looks for a few seconds. The plan is printed first;
without a terminal to ask on, nothing is written unless -yes is given. What is needed, towpath iam
-mode release prints.

Exit status: 0 if the owner was asked, with -wait if the other has it; 1 if it was refused, withdrawn
or not done in time; 3 if there is no such shard or worker.

Examples:
  towpath release -application clickstream shardId-000000000002
  towpath release -application clickstream -to web-7 -wait -yes shardId-000000000002`,
		Flags: steering(
			&cli.StringFlag{Name: "to", Usage: "`WORKER` that is to have it, by its id or the name in front of the slash (default: the one that holds least)"},
			&cli.BoolFlag{Name: "wait", Usage: "wait until it is handed over"},
			&cli.DurationFlag{Name: "patience", Value: time.Minute, Usage: "with -wait: for how long"},
			&cli.DurationFlag{Name: "silence", Value: 10 * time.Second, Usage: "for how long a sign of life is waited for: the fleet's LeaseDuration"},
		),
		OnUsageError: calledWrongly,
		Action:       release,
	}
}

func release(ctx context.Context, c *cli.Command) error {
	var problem error
	if c.Args().Len() != 1 {
		problem = errors.New("release needs one argument behind its flags, the id of a SHARD")
	}
	table, err := tableToTell(ctx, c, problem)
	if err != nil {
		return err
	}
	h, err := handoverOf(ctx, c, table)
	if err != nil {
		return err
	}
	talk := aside(c)
	if _, err := fmt.Fprintln(talk, harmlessText(h.String())); err != nil {
		return fmt.Errorf("nothing is written: print the plan: %w", err)
	}
	if do, err := agreed(c); err != nil || !do {
		return errors.Join(err, h.document(c, "", shard.Lease{}))
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	began := time.Now()
	if _, err := table.Ask(ctx, h.row, h.to); err != nil {
		return fmt.Errorf("ask %s: %w", h.row.Owner, err)
	}
	// A hint that is lost costs the owner's next look at its rows, no more.
	err = table.Tell(ctx, h.row.Owner, shard.Hint{Kind: shard.HintDrain, Key: h.row.Key, Counter: h.row.Counter})
	if err != nil && !errors.Is(err, checkpoint.ErrSessionOver) {
		fmt.Fprintln(c.Root().ErrWriter, "the owner finds out by its next look at its rows:", sentenceOf(err, exitFailed))
	}
	if !c.Bool("wait") {
		fmt.Fprintln(talk, "asked")
		return h.document(c, "asked", shard.Lease{})
	}
	row, err := awaited(ctx, func(ctx context.Context) (shard.Lease, error) { return table.Get(ctx, h.row.Key) }, h, c.Duration("patience"))
	if err != nil {
		return err
	}
	outcome := "handed_over"
	if row.Finished() {
		outcome = "ended"
		fmt.Fprintf(talk, "%s has come to its end meanwhile\n", printable(h.row.Shard))
	} else {
		fmt.Fprintf(talk, "%s has it after %s, behind %s\n", printable(row.Owner), short(time.Since(began)), printable(row.Checkpoint.String()))
	}
	return h.document(c, outcome, row)
}

// handover is what release is about to ask.
type handover struct {
	row      shard.Lease
	to       string
	held     int // leases of the one that is to have it
	runnable int
	back     bool     // the planner would ask for it again
	others   []string // what it would ask for besides
}

// String is the plan, for people.
func (h handover) String() string {
	text := fmt.Sprintf("ask %s to hand %s over to %s, which holds %d of %s", h.row.Owner, h.row.Shard, h.to, h.held, counted(h.runnable, "lease", "leases"))
	switch {
	case h.back:
		text += fmt.Sprintf("\nwarning: the fleet evens out the number of leases, and will ask %s to give it away again", h.to)
	case len(h.others) > 0:
		text += fmt.Sprintf("\nthe fleet then evens out the number of leases, and will ask %s for %s", h.to, strings.Join(h.others, ", "))
	}
	return text
}

func (h handover) document(c *cli.Command, outcome string, row shard.Lease) error {
	if !wantsJSON(c) {
		return nil
	}
	d := struct {
		Done     bool     `json:"done"`
		Outcome  string   `json:"outcome,omitempty"`
		Shard    string   `json:"shard"`
		From     string   `json:"from"`
		To       string   `json:"to"`
		Back     bool     `json:"asked_back"`
		Others   []string `json:"asked_instead,omitempty"`
		Position string   `json:"position,omitempty"`
	}{outcome != "", outcome, h.row.Shard, h.row.Owner, h.to, h.back, h.others, ""}
	if row.Key != "" {
		d.Position = row.Checkpoint.String()
	}
	return printJSON(c, d)
}

// handoverOf reads the tables and says who is asked, and for whom.
func handoverOf(ctx context.Context, c *cli.Command, table *dynamocheckpoint.Table) (handover, error) {
	control, err := table.Control(ctx)
	if err != nil {
		return handover{}, fmt.Errorf("read what the fleet is told: %w", err)
	}
	if control.Move.Active() {
		return handover{}, fmt.Errorf("no shard is handed over now: %s", control.Move)
	}
	rows, err := table.List(ctx)
	if err != nil {
		return handover{}, fmt.Errorf("list the leases: %w", err)
	}
	row, err := askable(rows, c.Args().First())
	if err != nil {
		return handover{}, err
	}
	seen, err := lookForLife(ctx, table, row.Owner, c.String("to"), c.Duration("silence"))
	if err != nil {
		return handover{}, err
	}
	return chooseHeir(row, rows, seen, c.String("to"))
}

// askable is the row of a shard, if its owner can be asked for it.
func askable(rows []shard.Lease, id string) (shard.Lease, error) {
	for _, row := range rows {
		if row.Shard != id && row.Key != id {
			continue
		}
		switch {
		case row.Fault != nil:
			return row, fmt.Errorf("the row of %s cannot be believed: %w", id, row.Fault)
		case row.Finished():
			return row, fmt.Errorf("%s has been read to its end: nobody works it", id)
		case row.CheckpointOwner != "":
			return row, fmt.Errorf("%s is being handed over already, by %s to %s", id, row.CheckpointOwner, row.Owner)
		case row.Owner == "":
			return row, fmt.Errorf("nobody holds %s: a worker that lives takes it by itself", id)
		}
		return row, nil
	}
	return shard.Lease{}, fmt.Errorf("shard %s: %w in the table", id, shard.ErrNoShard)
}

// awaited waits until a hand-over has ended.
func awaited(ctx context.Context, get func(context.Context) (shard.Lease, error), h handover, patience time.Duration) (shard.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for began := time.Now(); ; {
		row, err := get(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return row, fmt.Errorf("the owner was asked; read the row: %w", err)
		case row.Finished():
			return row, nil
		case row.CheckpointOwner == "" && row.Owner == h.row.Owner:
			return row, fmt.Errorf("%s keeps it: %s did not take it, or it was busy for longer than a hand-over may take", row.Owner, h.to)
		case row.CheckpointOwner == "" && row.Owner == "":
			return row, errors.New("it was let go to whoever takes it")
		case row.CheckpointOwner == "":
			return row, nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return row, fmt.Errorf("%s was asked and has not handed over after %s: it does so when what it has begun is finished, or keeps it", h.row.Owner, short(time.Since(began)))
		}
	}
}

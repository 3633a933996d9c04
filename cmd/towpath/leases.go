package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/overview"
)

func leasesCommand() *cli.Command {
	return &cli.Command{
		Name:      "leases",
		Usage:     "show the rows of the lease table: who works each shard, and how far it is",
		ArgsUsage: " ",
		Description: "With -stream what the table lacks is found too. BEHIND is by the row, which an idle shard writes\n" +
			"seldom: it is that much at most, and towpath lag asks the stream. COUNTER is the fencing token\n" +
			"of the tenure, or above it.\n\n" + onlyLooks,
		Flags: append(whose(), silenceFlag(), wideFlag(),
			&cli.StringFlag{Name: "owner", Usage: "only what the worker `NAME` holds"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			f, err := pictureOf(ctx, c, 0)
			if f == nil {
				return err
			}
			names, rows := namesOf(f), []overview.Shard{}
			for _, s := range f.Shards {
				if owner := c.String("owner"); s.Row && (owner == "" || owner == s.Owner || owner == names[s.Owner] || owner == s.From || owner == names[s.From] && s.From != "") {
					rows = append(rows, s)
				}
			}
			if wantsJSON(c) {
				d := documentOf(c, f)
				d.Leases = rows
				return errors.Join(printJSON(c, d), err)
			}
			t := newTable(c, "SHARD", "STATE", "OWNER", "COUNTER", "POSITION", "BEHIND", "KIB/S", "NOTES")
			for _, s := range rows {
				t.row(moodOf(s), labelOf(s), s.State, names[s.Owner], s.Counter, place(s.Position, c.Bool("wide")), behindOf(s), load(s.Load), notesOf(s, names))
			}
			return errors.Join(t.print(), closing(c, f), err)
		},
	}
}

// wideFlag shows sequence numbers and hashes in full.
func wideFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wide", Aliases: []string{"w"}, Usage: "show sequence numbers and hashes in full"}
}

// labelOf names a shard, with its stream where there are many.
func labelOf(s overview.Shard) string {
	switch {
	case s.ID == "":
		return s.Key
	case s.Stream != "":
		return s.Stream + " " + s.ID
	}
	return s.ID
}

// load is a load for a table: nothing if it is not known.
func load(kib float64) any {
	if kib == 0 {
		return nil
	}
	return kib
}

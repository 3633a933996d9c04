package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/overview"
)

// twoBeats is long enough to see a heartbeat of a fleet with the default
// LeaseDuration.
const twoBeats = 3 * time.Second

func workersCommand() *cli.Command {
	return &cli.Command{
		Name:      "workers",
		Usage:     "show who works the shards, and whether they live",
		ArgsUsage: " ",
		Description: "A worker lives if its sign of life is seen to change: its session's heartbeat, or of KCL's workers\n" +
			"the counters of their leases, which are renewed every few seconds. So it is looked at twice, -for\n" +
			"apart; seen is one of which no change was seen, and no absence of one for -silence.\n\n" + onlyLooks,
		Flags: append(whose(), silenceFlag(),
			&cli.DurationFlag{Name: "for", Value: twoBeats, Usage: "how long lies between the two looks; 0 looks once"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			f, err := pictureOf(ctx, c, c.Duration("for"))
			if f == nil {
				return err
			}
			if wantsJSON(c) {
				d := documentOf(c, f)
				d.Workers = f.Workers
				if d.Workers == nil {
					d.Workers = []overview.Worker{}
				}
				return errors.Join(printJSON(c, d), err)
			}
			names := namesOf(f)
			head := []string{"WORKER", "KIND", "LIFE", "SHARDS", "BEHIND", "KIB/S", "SIGN", "NOTES"}
			t := newTable(c, head...)
			for _, w := range f.Workers {
				m := plain
				switch {
				case w.Dead():
					m = bad
				case w.Life == overview.LifeLeaving:
					m = warned
				}
				t.row(m, names[w.ID], w.Kind, w.Life, w.Leases, atMost(w), load(w.Load), w.Sign, workerNotes(w))
			}
			return errors.Join(t.print(), closing(c, f), err)
		},
	}
}

func atMost(w overview.Worker) string {
	if w.Leases == 0 || w.Behind == 0 {
		return ""
	}
	return "≤ " + short(w.Behind.Of())
}

// workerNotes is what else there is to say of a worker.
func workerNotes(w overview.Worker) string {
	switch {
	case w.Life == overview.LifeRevoked:
		return "declared dead by " + w.RevokedBy
	case w.Life == overview.LifeGone:
		return "its session is gone"
	case w.Life == overview.LifeSilent:
		return "no sign of life for " + short(w.Still.Of())
	case w.Leader:
		return "gives leases to the others"
	case w.Limited:
		return "may make " + counted(w.Share, "call", "calls") + " at once"
	case w.Most > 0:
		return "takes at most " + counted(w.Most, "shard", "shards")
	}
	return ""
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/overview"
)

func lagCommand() *cli.Command {
	return &cli.Command{
		Name:      "lag",
		Usage:     "show how far behind each shard is, and when it will have caught up",
		ArgsUsage: " ",
		Description: "Each unfinished shard is asked what lies behind its position: BEHIND is since when its oldest\n" +
			"record waits. For as long as -for says, what comes to its tip is read, and which positions are\n" +
			"written is looked at: IN and DONE are records a second, and CATCHES UP is what is behind by what\n" +
			"is done more than comes. Workers write positions every ten seconds (CheckpointInterval): a shorter\n" +
			"-for may see none, and tells no DONE then. What came since the last is behind, too, in a shard\n" +
			"that is keeping up.\n\n" +
			"RECORDS is exact where one read reaches the tip, else ~, by what comes now; -count reads all of\n" +
			"it, and -limit bounds that. It takes up to two of the five reads a second that a shard grants to\n" +
			"all its readers; -probe=false asks the stream for nothing, and shows what the rows say.\n\n" + onlyLooks,
		Flags: append(whose(), silenceFlag(),
			&cli.StringSliceFlag{Name: "shard", Usage: "only the shard `ID`, several by commas or given again"},
			&cli.BoolFlag{Name: "probe", Value: true, Usage: "ask the stream, which it does unless told -probe=false"},
			&cli.DurationFlag{Name: "for", Value: 10 * time.Second, Usage: "how long it is looked what comes and what is done; 0 looks once, and tells no rates"},
			&cli.BoolFlag{Name: "count", Usage: "read every record that is behind, rather than estimate how many"},
			&cli.Int64Flag{Name: "limit", Value: 1_000_000, Usage: "how many `RECORDS` of a shard are counted at most"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := lagUsage(c); err != nil {
				return err
			}
			view, _, err := viewOf(ctx, c)
			if err != nil {
				return err
			}
			f, err := overview.Look(ctx, view)
			if err != nil {
				return err
			}
			shards, err := behindOnes(f, c.StringSlice("shard"))
			if err != nil {
				return err
			}
			all := make([]lagging, 0, len(shards))
			if c.Bool("probe") {
				stream, err := view.Source.Describe(ctx)
				if err != nil {
					return err
				}
				m := measuring{source: view.Source, stream: stream, d: c.Duration("for"), count: c.Bool("count"), most: c.Int64("limit")}
				if all, err = m.measure(ctx, view.Tables, f, shards); err != nil {
					return err
				}
			} else {
				for _, s := range shards {
					all = append(all, laggingOf(s))
				}
			}
			slices.SortStableFunc(all, func(a, b lagging) int { return cmp.Compare(b.Behind, a.Behind) })
			return printLag(c, f, all)
		},
	}
}

func lagUsage(c *cli.Command) error {
	var problems []error
	if err := unnamed(c, true); err != nil {
		problems = append(problems, err)
	}
	if c.Duration("for") < 0 {
		problems = append(problems, fmt.Errorf("-for %s is no time", c.Duration("for")))
	}
	if c.Int64("limit") < 1 {
		problems = append(problems, fmt.Errorf("-limit %d counts nothing: want 1 or more", c.Int64("limit")))
	}
	if len(problems) > 0 {
		return usageError{errors.Join(problems...)}
	}
	return nil
}

// behindOnes are the shards that have a row and are not finished, of those that
// are named.
func behindOnes(f *overview.Fleet, named []string) ([]overview.Shard, error) {
	var all []overview.Shard
	for _, s := range f.Shards {
		_, ok := s.At()
		if ok && s.State != overview.StateEnded && s.State != overview.StateGone && (len(named) == 0 || slices.Contains(named, s.ID)) {
			all = append(all, s)
		}
	}
	for _, id := range named {
		i := slices.IndexFunc(f.Shards, func(s overview.Shard) bool { return s.ID == id })
		if i < 0 {
			return nil, missingError{fmt.Errorf("there is no shard %s; towpath shards lists those that are there", id)}
		}
	}
	return all, nil
}

// lagging is how far behind one shard is.
type lagging struct {
	Shard    string         `json:"shard"`
	Stream   string         `json:"stream,omitempty"`
	State    overview.State `json:"state,omitempty"`
	Owner    string         `json:"owner,omitempty"`
	Position string         `json:"position,omitempty"`
	// Behind is exact unless AtMost, and known unless Unknown.
	Behind  overview.Seconds `json:"behind_seconds"`
	AtMost  bool             `json:"behind_at_most,omitempty"`
	Unknown bool             `json:"behind_unknown,omitempty"`
	// Records and Bytes are behind, and By says how that is known: counted,
	// estimated, at least, or unknown.
	Records int64  `json:"records_behind"`
	Bytes   int64  `json:"bytes_behind"`
	By      string `json:"behind_by"`
	// The rates are left out if they are not known.
	Arrival       *float64 `json:"arrival_records_s,omitempty"`
	ArrivalBytes  *float64 `json:"arrival_bytes_s,omitempty"`
	Handling      *float64 `json:"handling_records_s,omitempty"`
	HandlingBytes *float64 `json:"handling_bytes_s,omitempty"`
	// CatchUp is caught up, keeping up, in, never or unknown, and CatchUpIn in how
	// long.
	CatchUp   string           `json:"catch_up"`
	CatchUpIn overview.Seconds `json:"catch_up_seconds,omitempty"`

	arrival, handling rate
}

// laggingOf is what the row of a shard says.
func laggingOf(s overview.Shard) lagging {
	return lagging{
		Shard: s.ID, Stream: s.Stream, State: s.State, Owner: s.Owner, Position: s.Position,
		Behind: s.Behind, AtMost: true, Unknown: !s.BehindKnown, By: unknown, CatchUp: unknown,
	}
}

// settle puts together what was found out.
func (l *lagging) settle(p page, left amount, how string) {
	l.Behind, l.AtMost, l.Unknown = overview.Seconds(p.behind(time.Now())), false, false
	l.Records, l.Bytes, l.By = left.Records, left.Bytes, how
	l.Arrival, l.ArrivalBytes = l.arrival.shown()
	l.Handling, l.HandlingBytes = l.handling.shown()
	in, how := catchUp(left.Records, l.Behind.Of(), l.handling, l.arrival)
	l.CatchUp, l.CatchUpIn = how, overview.Seconds(in)
}

func (r rate) shown() (records, bytes *float64) {
	if !r.Known {
		return nil, nil
	}
	return &r.Records, &r.Bytes
}

// totalOf is the sum over the shards: the longest time, and the gravest word.
func totalOf(all []lagging) lagging {
	t := lagging{Shard: "total", By: byCount, arrival: rate{Known: true}, handling: rate{Known: true}}
	worse := []string{byCount, byEstimate, atLeast, unknown}
	for _, l := range all {
		t.Behind = max(t.Behind, l.Behind)
		t.AtMost, t.Unknown = t.AtMost || l.AtMost, t.Unknown || l.Unknown
		t.Records, t.Bytes = t.Records+l.Records, t.Bytes+l.Bytes
		if slices.Index(worse, l.By) > slices.Index(worse, t.By) {
			t.By = l.By
		}
		t.arrival, t.handling = t.arrival.plus(l.arrival), t.handling.plus(l.handling)
	}
	t.Arrival, t.ArrivalBytes = t.arrival.shown()
	t.Handling, t.HandlingBytes = t.handling.shown()
	in, how := worst(all)
	t.CatchUp, t.CatchUpIn = how, overview.Seconds(in)
	return t
}

// lagDocument is what lag prints as JSON.
type lagDocument struct {
	At          time.Time        `json:"at"`
	Application string           `json:"application"`
	Stream      overview.Stream  `json:"stream"`
	For         overview.Seconds `json:"for_seconds"`
	Shards      []lagging        `json:"shards"`
	Total       lagging          `json:"total"`
}

func printLag(c *cli.Command, f *overview.Fleet, all []lagging) error {
	total := totalOf(all)
	if wantsJSON(c) {
		d := lagDocument{At: f.At, Application: applicationOf(c), Stream: f.Stream, Shards: all, Total: total}
		if c.Bool("probe") {
			d.For = overview.Seconds(c.Duration("for"))
		}
		return printJSON(c, d)
	}
	names := namesOf(f)
	t := newTable(c, "SHARD", "STATE", "OWNER", "BEHIND", "RECORDS", "BYTES", "IN", "DONE", "CATCHES UP")
	for _, l := range all {
		t.row(lagMood(l), cell(l.Stream+" "+l.Shard), l.State, names[l.Owner], l.since(), l.much(), l.bytes(), l.Arrival, l.Handling, l.when())
	}
	t.row(strong, fmt.Sprintf("total of %d", len(all)), nil, nil, total.since(), total.much(), total.bytes(), total.Arrival, total.Handling, total.when())
	return t.print()
}

func lagMood(l lagging) mood {
	switch {
	case l.CatchUp == never:
		return bad
	case l.CatchUp == inTime:
		return warned
	}
	return plain
}

// since is the time behind, for a table.
func (l lagging) since() string {
	switch {
	case l.Unknown:
		return "?"
	case l.AtMost && l.Behind > 0:
		return "≤ " + short(l.Behind.Of())
	case l.Behind == 0:
		return "0s"
	}
	return short(l.Behind.Of())
}

// much is the records behind, for a table.
func (l lagging) much() string {
	return hedged(l.By, grouped(int(l.Records)))
}

func (l lagging) bytes() string { return hedged(l.By, sized(l.Bytes)) }

// hedged says how well a number is known.
func hedged(by, s string) string {
	switch by {
	case byEstimate:
		return "~" + s
	case atLeast:
		return "≥ " + s
	case unknown:
		return "?"
	}
	return s
}

// when is the time to catch up, for a table.
func (l lagging) when() string {
	if l.CatchUp == inTime {
		return "in " + short(max(l.CatchUpIn.Of(), time.Millisecond))
	}
	return l.CatchUp
}

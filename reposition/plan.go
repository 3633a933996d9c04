package reposition

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/towpath/towpath/shard"
)

// Kind is what a plan does.
type Kind string

const (
	// KindSeek moves positions and leaves everything else.
	KindSeek Kind = "seek"
	// KindReset begins anew, as a new application would.
	KindReset Kind = "reset"
	// KindFork gives one application the positions of another.
	KindFork Kind = "fork"
)

// Plan is a move before it is made.
type Plan struct {
	// Kind is what it does, and To to where; To is zero for a fork, whose steps
	// differ.
	Kind Kind
	To   shard.Position
	// Shard is the one shard that is moved; empty is all of them, for which the
	// whole fleet stands still.
	Shard string
	// Made is the service's time at which it was made.
	Made time.Time
	// Steps are the shards, parents before children.
	Steps []Step
	// Warnings are what one should know before it is applied.
	Warnings []string

	stream shard.Stream
	force  bool
	source rowsOf // of a fork
}

// Step is what becomes of one shard.
type Step struct {
	// Shard is the id of the shard.
	Shard string
	// Row tells whether it has a row, and From is where that stands; Owner is who
	// works it.
	Row   bool
	From  shard.Position
	Owner string
	// Do is what becomes of it, and To where it is to begin.
	Do Act
	To shard.Position
	// Repeats are records that were handled and come again, Skips those that were
	// not and never will be.
	Repeats, Skips Extent

	seen shard.Lease
	gone bool // from the listing
}

// Act is what becomes of a row.
type Act string

const (
	// ActMove: its position is moved.
	ActMove Act = "move"
	// ActCreate: it has none, and one is made.
	ActCreate Act = "create"
	// ActLeave: it stays as it is.
	ActLeave Act = "leave"
	// ActEnd: it counts as done. Nothing can be read of it any more, or all that it
	// has lies before the tip.
	ActEnd Act = "end"
)

// Extent is how many records there are, as far as that is known.
type Extent struct {
	// Known tells whether anything is known, Records how many there are, and More
	// whether there are more than these.
	Known   bool
	Records int
	More    bool
}

// none is an extent without records.
var none = Extent{Known: true}

// String is the number, with a plus sign if there are more; a dash is none.
func (e Extent) String() string {
	switch {
	case !e.Known:
		return "unknown"
	case e.More:
		return fmt.Sprintf("%d+", e.Records)
	case e.Records == 0:
		return "-"
	}
	return fmt.Sprint(e.Records)
}

// What says in words what the plan does.
func (p *Plan) What() string {
	switch {
	case p.Kind == KindFork:
		return "fork from " + p.source.name
	case p.Shard != "":
		return fmt.Sprintf("%s %s to %s", p.Kind, p.Shard, p.To)
	}
	return fmt.Sprintf("%s every shard to %s", p.Kind, p.To)
}

// Changes is how many rows are to be written.
func (p *Plan) Changes() int {
	n := 0
	for _, s := range p.Steps {
		if s.Do != ActLeave {
			n++
		}
	}
	return n
}

// String shows the plan as a table, with its warnings below.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, planned %s: %d rows are written\n", p.What(), p.Made.UTC().Format(time.RFC3339), p.Changes())
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SHARD\tDO\tFROM\tTO\tREPEATS\tSKIPS\tOWNER")
	for _, s := range p.Steps {
		from, to, owner := s.From.String(), s.To.String(), s.Owner
		if !s.Row {
			from = "(no row)"
		}
		repeats, skips := s.Repeats.String(), s.Skips.String()
		if s.Do == ActLeave {
			to, repeats, skips = "(stays)", "-", "-"
		}
		if owner == "" {
			owner = "-"
		}
		fmt.Fprintln(w, strings.Join([]string{s.Shard, string(s.Do), from, to, repeats, skips, owner}, "\t"))
	}
	w.Flush() // into memory
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	return b.String()
}

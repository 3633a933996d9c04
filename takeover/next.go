package takeover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// next says what to do, with the exact commands.
func (f Facts) next(r *Report) {
	arn, source, reading := f.names()
	named := ""
	if f.Table != f.Application {
		named = " -table " + f.Table
	}
	look := "towpath doctor -application " + f.Application + named + source
	copyFrom := func(kind, table string) {
		r.Next = append(r.Next,
			Step{Do: "Copy the positions into a table of its own, first as a plan; -yes writes.", Command: "towpath fork -application " + newName(f) + " -from " + f.Application + table + " -from-kind " + kind + source},
			Step{Do: "Start towpath with consumer.Config.Name \"" + newName(f) + "\"."})
	}
	switch r.Library {
	case KCL:
		r.Next = append(r.Next, Step{
			Do:      "To try it beside the fleet, without touching its table: copy the positions into an application of another name, and run that with a handler that has no effects.",
			Command: "towpath fork -application " + f.Application + "-trial -from " + f.Application + fromTable(f) + source + timeOf(*r),
		})
		r.Next = append(r.Next, f.stop(*r))
		r.Next = append(r.Next,
			Step{Do: "Give the new workers their permissions.", Command: "towpath iam -mode " + reading + ",leases,beside-kcl -stream " + arn + " -application " + f.Application + named},
			Step{Do: "Make the session table, or let the first worker do it (Options.CreateTables).", Command: "towpath iam -mode bootstrap -stream " + arn + " -application " + f.Application + named},
			Step{Do: "Start towpath with consumer.Config.Name \"" + f.Application + "\"" + optionOf(f) + ", and LeaseDuration no shorter than KCL's failoverTimeMillis" + startOf(*r) + ". It works on this table as it stands; the way back is to stop it and start KCL again."})
		r.Next = append(r.Next, backToTheStop(*r, "towpath seek -application "+f.Application+named+source)...)
		r.Next = append(r.Next, Step{Do: "See that it is well.", Command: look})
	case VMware:
		r.Next = append(r.Next, f.stop(*r))
		copyFrom("vmware", fromTable(f))
	case Harlow:
		r.Next = append(r.Next, f.stop(*r))
		copyFrom("harlow", " -from-table "+f.Table)
	case Towpath:
		r.Next = append(r.Next, Step{Do: "Nothing is to be taken over: look the application over instead.", Command: look})
	}
}

// names are the stream's ARN, the flag that names it, and the mode of package iam
// that reads it.
func (f Facts) names() (arn, source, reading string) {
	arn, source, reading = f.Stream.ARN, " -stream "+cmp.Or(f.Stream.Name, "STREAM"), "polling"
	switch {
	case arn == "" || strings.HasPrefix(arn, "many"):
		return "ARN", " -stream STREAM", reading
	case strings.Contains(arn, ":dynamodb:"):
		return arn, " -changes-of " + f.Stream.Name, "changes"
	}
	return arn, source, reading
}

// stop is the step that comes before anything is copied or begun. Nobody is let
// off it because nothing was seen to move: that proves little.
func (f Facts) stop(r Report) Step {
	if slices.ContainsFunc(r.Workers, func(w Worker) bool { return w.AtWork }) {
		return Step{Do: "Stop the old fleet, and wait until its processes are gone."}
	}
	return Step{Do: fmt.Sprintf("See that the processes of the old fleet are gone. Nothing of it moved for %v, which does not prove it.", f.Apart)}
}

// tipFate is the fate of a row at LATEST of which nobody has noted when that was.
const tipFate = "begins at the tip of when it is first taken"

// mostSeeks bounds how many commands of one kind are printed.
const mostSeeks = 3

// backToTheStop moves shards at LATEST back to when the old fleet was stopped: what
// came between that and the first taking is not read otherwise.
func backToTheStop(r Report, seek string) (steps []Step) {
	more := 0
	for _, s := range r.Shards {
		switch {
		case s.Trouble != "" || !strings.HasPrefix(s.Fate, tipFate):
		case len(steps) == mostSeeks:
			more++
		default:
			steps = append(steps, Step{
				Do:      s.ID + " is at LATEST and begins at the tip of when it is taken, as with KCL: what came between the stop of the old fleet and that is not read. To have it, move the shard back to the time of the stop once it is taken; what was handled since comes again.",
				Command: seek + " -shard " + s.ID + " -to TIME",
			})
		}
	}
	if more > 0 {
		steps = append(steps, Step{Do: fmt.Sprintf("The same for %d more at LATEST.", more)})
	}
	return steps
}

// startOf asks for the time that rows at AT_TIMESTAMP begin at.
func startOf(r Report) string {
	if timeOf(r) == "" {
		return ""
	}
	return ", and StartingPosition shard.AtTime of the time that KCL was configured with"
}

// newName is a name for the application that is not that of the old table.
func newName(f Facts) string {
	if f.Application == f.Table {
		return f.Application + "-towpath"
	}
	return f.Application
}

// timeOf asks for the time that rows at AT_TIMESTAMP do not say.
func timeOf(r Report) string {
	if slices.ContainsFunc(r.Shards, func(s Shard) bool { return strings.HasPrefix(s.Position, "AT_TIMESTAMP") }) {
		return " -at TIME"
	}
	return ""
}

func fromTable(f Facts) string {
	if f.Table == f.Application {
		return ""
	}
	return " -from-table " + f.Table
}

func optionOf(f Facts) string {
	if f.Table == f.Application {
		return ""
	}
	return " and dynamocheckpoint.Options.TableName \"" + f.Table + "\""
}

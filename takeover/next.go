package takeover

import (
	"cmp"
	"slices"
	"strings"
)

// next says what to do, with the exact commands.
func (f Facts) next(r *Report) {
	stream := cmp.Or(f.Stream.Name, "STREAM")
	arn := cmp.Or(f.Stream.ARN, "ARN")
	if strings.HasPrefix(arn, "many") {
		arn, stream = "ARN", "STREAM"
	}
	working := slices.ContainsFunc(r.Workers, func(w Worker) bool { return w.AtWork })
	stop := func() {
		if working {
			r.Next = append(r.Next, Step{Do: "Stop the old fleet, and wait until its processes are gone."})
		}
	}
	named := ""
	if f.Table != f.Application {
		named = " -table " + f.Table
	}
	look := "towpath doctor -application " + f.Application + named + " -stream " + stream
	switch r.Library {
	case KCL:
		r.Next = append(r.Next, Step{
			Do:      "To try it beside the fleet, without touching its table: copy the positions into an application of another name, and run that with a handler that has no effects.",
			Command: "towpath fork -application " + f.Application + "-trial -from " + f.Application + fromTable(f) + " -stream " + stream + timeOf(*r),
		})
		stop()
		r.Next = append(r.Next,
			Step{Do: "Give the new workers their permissions.", Command: "towpath iam -mode polling,leases,beside-kcl -stream " + arn + " -application " + f.Application + named},
			Step{Do: "Make the session table, or let the first worker do it (Options.CreateTables).", Command: "towpath iam -mode bootstrap -stream " + arn + " -application " + f.Application + named},
			Step{Do: "Start towpath with consumer.Config.Name \"" + f.Application + "\"" + optionOf(f) + ", and LeaseDuration no shorter than KCL's failoverTimeMillis. It works on this table as it stands; the way back is to stop it and start KCL again."},
			Step{Do: "See that it is well.", Command: look})
	case VMware:
		stop()
		r.Next = append(r.Next,
			Step{Do: "Copy the positions into a table of its own, first as a plan; -yes writes.", Command: "towpath fork -application " + newName(f) + " -from " + f.Application + fromTable(f) + " -from-kind vmware -stream " + stream},
			Step{Do: "Start towpath with consumer.Config.Name \"" + newName(f) + "\"."})
	case Harlow:
		stop()
		r.Next = append(r.Next,
			Step{Do: "Copy the positions into a table of its own, first as a plan; -yes writes.", Command: "towpath fork -application " + newName(f) + " -from " + f.Application + " -from-table " + f.Table + " -from-kind harlow -stream " + stream},
			Step{Do: "Start towpath with consumer.Config.Name \"" + newName(f) + "\"."})
	case Towpath:
		r.Next = append(r.Next, Step{Do: "Nothing is to be taken over: look the application over instead.", Command: look})
	}
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

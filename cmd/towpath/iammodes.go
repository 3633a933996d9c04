package main

import (
	"strings"

	"github.com/towpath/towpath/iam"
)

// need is what the commands of a line need of AWS.
type need struct {
	commands []string
	modes    []iam.Mode // none: nothing is asked of AWS
	note     string     // for people
}

// needs are the modes of every command, in the order of the help.
// TestEveryCommandSaysWhatItNeeds walks it.
var needs = []need{
	{commands: []string{"leases", "shards", "workers", "lag", "top", "dashboard"}, modes: []iam.Mode{iam.Status}},
	{commands: []string{"doctor"}, modes: []iam.Mode{iam.Doctor}, note: "and the modes that it is to try"},
	{commands: []string{"cost"}, modes: []iam.Mode{iam.Cost}, note: "with -application"},
	{commands: []string{"migrate"}, modes: []iam.Mode{iam.Migrate}},
	{commands: []string{"tail", "record"}, modes: []iam.Mode{iam.Tail}},
	{commands: []string{"play"}, modes: []iam.Mode{iam.Play}},
	{commands: []string{"pause", "resume", "limit"}, modes: []iam.Mode{iam.Steer}},
	{commands: []string{"release"}, modes: []iam.Mode{iam.Release}},
	{commands: []string{"failures"}, modes: []iam.Mode{iam.Failures}, note: "redrive: redrive with play or send, by where it leads"},
	{commands: []string{"seek", "reset"}, modes: []iam.Mode{iam.Operator}, note: "the plan alone: status"},
	{commands: []string{"fork"}, modes: []iam.Mode{iam.Fork}},
	{commands: []string{"match", "iam", "health"}},
}

// modesInWords are all modes, some on a line.
func modesInWords() string {
	var b strings.Builder
	column := 0
	for i, m := range iam.Modes() {
		switch {
		case i == 0:
		case column+len(m) > 90:
			b.WriteString(",\n")
			column = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(m))
		column += len(m) + 2
	}
	return b.String()
}

// needsInWords says which modes each command needs.
func needsInWords() string {
	var b strings.Builder
	for _, n := range needs {
		var modes []string
		for _, m := range n.modes {
			modes = append(modes, string(m))
		}
		if len(modes) == 0 {
			continue
		}
		b.WriteString("  " + strings.Join(n.commands, ", ") + ": " + strings.Join(modes, ","))
		if n.note != "" {
			b.WriteString(" (" + n.note + ")")
		}
		b.WriteString("\n")
	}
	return b.String()
}

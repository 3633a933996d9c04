package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// report is what a run came to. Its JSON is what -json prints.
type report struct {
	// Records is the number of records that were put, Rubbish how many of them
	// are no logs, and Events how many events the others hold.
	Records int `json:"records"`
	Rubbish int `json:"rubbish"`
	Events  int `json:"events"`
	// Archived is the number of events in the bucket, each counted once.
	Archived int `json:"archived"`
	// Lost is the number of events that were put and are not there, and Unknown
	// of those that are there and were not put.
	Lost    int `json:"lost"`
	Unknown int `json:"unknown"`
	// Duplicates is how often an event lies in one more object: the price of at
	// least once, paid after a kill.
	Duplicates int `json:"duplicates"`
	// Failed is the number of records that the on-failure destination has, each
	// counted once.
	Failed int `json:"failed"`
	// Control is the number of control messages that were put, and Skipped how
	// often one was skipped.
	Control int `json:"control"`
	Skipped int `json:"skipped"`
	// Objects is the number of objects, in so many Hours, and Bytes their size.
	Objects int   `json:"objects"`
	Hours   int   `json:"hours"`
	Bytes   int64 `json:"bytes"`
	// Shards is the number of shards there have been.
	Shards int `json:"shards"`
	// Splits and Kills are what happened meanwhile.
	Splits int `json:"splits"`
	Kills  int `json:"kills"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
}

// problems says, a sentence each, in what the run broke its promise.
func (r report) problems() []string {
	var list []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(r.Lost != 0, "%d events that were put are in no object", r.Lost)
	add(r.Unknown != 0, "%d events in the bucket were never put", r.Unknown)
	add(r.Failed != r.Rubbish, "%d records are no logs, and %d went to the failure destination", r.Rubbish, r.Failed)
	add(r.Skipped < r.Control, "%d control messages were put, and %d skipped", r.Control, r.Skipped)
	return list
}

// exitStatus is 0 if the promise was kept and 1 if not.
func (r report) exitStatus() int {
	if len(r.problems()) > 0 {
		return 1
	}
	return 0
}

// writeJSON writes the report as one object on a line of its own.
func (r report) writeJSON(w io.Writer) error {
	r.Seconds = math.Round(r.Seconds*1000) / 1000
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// writeTable writes the report for a human, and any problem below it.
func (r report) writeTable(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(tw, "%s\t%v\t%s\n", name, value, note) }
	row("records", r.Records, fmt.Sprintf("%d of them no logs, %d control messages", r.Rubbish, r.Control))
	row("events", r.Events, "in the others")
	row("archived", r.Archived, fmt.Sprintf("in %d objects of %d hours, %d bytes", r.Objects, r.Hours, r.Bytes))
	row("lost", r.Lost, "")
	row("duplicates", r.Duplicates, "written again after the kill, told by their ids")
	row("failed", r.Failed, "records in the failure destination")
	row("shards", r.Shards, fmt.Sprintf("closed ones included; %d split", r.Splits))
	row("kills", r.Kills, "workers gone without a word")
	row("seconds", math.Round(r.Seconds*10)/10, "")
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for _, problem := range r.problems() {
		if _, err := fmt.Fprintf(w, "PROBLEM: %s\n", problem); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// report is what a run came to. Its JSON is what -json prints.
type report struct {
	// Read is the number of records on the stream that reached a worker,
	// each counted once.
	Read int `json:"read"`
	// Handled is the number of records that had their effect, once.
	Handled int `json:"handled"`
	// Redelivered is the number of deliveries of a record that had come to its
	// end before: the price of at least once, paid after a kill. They had no
	// effect.
	Redelivered int `json:"redelivered"`
	// Filtered is the number of records a filter kept from the handler.
	Filtered int `json:"filtered"`
	// Failed is the number of records the failure destination accepted.
	Failed int `json:"failed"`
	// Lost is the number of records that were put and came to no end, and of
	// those that retention passed before they were read.
	Lost int `json:"lost"`
	// OrderViolations is the number of events that were not the next of their
	// key when they were delivered first.
	OrderViolations int `json:"order_violations"`
	// Sessions is the number of sessions found.
	Sessions int `json:"sessions"`
	// Shards is the number of shards there have been, closed ones included.
	Shards int `json:"shards"`
	// Reshards is the number of splits and merges.
	Reshards int `json:"reshards"`
	// Handovers is how often a shard passed from a living worker to another.
	Handovers int `json:"handovers"`
	// Crashes is the number of workers that were killed.
	Crashes int `json:"crashes"`
	// Seconds is how long it took, from the first record put to the last
	// worker's end.
	Seconds float64 `json:"seconds"`

	// labelled is the number of sessions the log itself names; 0 if it does not.
	labelled int
}

// book enters the ledger's totals, given how many records were put on the stream:
// what was put and has no end is lost.
func (r *report) book(t totals, put int) {
	r.Read = t.Read
	r.Handled = t.Handled
	r.Redelivered = t.Redelivered
	r.Filtered = t.Filtered
	r.Failed = t.Failed
	r.OrderViolations = t.OrderViolations
	r.Sessions = t.Sessions
	r.Lost += max(0, put-t.ended())
}

// problems says, a sentence each, in what the run broke its promise: every record
// that was read came to exactly one end, none was lost, order was kept.
func (r report) problems() []string {
	var list []string
	if ended := r.Handled + r.Filtered + r.Failed; r.Read != ended {
		list = append(list, fmt.Sprintf("%s records were read, but %s came to an end (handled %s, filtered %s, failed %s)",
			thousands(r.Read), thousands(ended), thousands(r.Handled), thousands(r.Filtered), thousands(r.Failed)))
	}
	if r.Lost != 0 {
		list = append(list, fmt.Sprintf("%s lost", count(r.Lost, "record")))
	}
	if r.OrderViolations != 0 {
		list = append(list, fmt.Sprintf("%s out of order", count(r.OrderViolations, "event")))
	}
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
	rate := ""
	if r.Seconds > 0 {
		rate = thousands(int(float64(r.Handled)/r.Seconds)) + " events a second"
	}
	sessions := ""
	if r.labelled > 0 {
		sessions = "of " + thousands(r.labelled) + " labelled in the log"
	}
	rows := []struct{ name, value, note string }{
		{"read", thousands(r.Read), "records, each counted once"},
		{"  handled", thousands(r.Handled), ""},
		{"  filtered", thousands(r.Filtered), ""},
		{"  failed", thousands(r.Failed), "in the failure destination"},
		{"lost", thousands(r.Lost), ""},
		{"order violations", thousands(r.OrderViolations), ""},
		{"redelivered", thousands(r.Redelivered), "recognised, without a second effect"},
		{"sessions", thousands(r.Sessions), sessions},
		{"shards", thousands(r.Shards), "closed ones included"},
		{"reshards", thousands(r.Reshards), ""},
		{"handovers", thousands(r.Handovers), ""},
		{"crashes", thousands(r.Crashes), ""},
		{"seconds", strconv.FormatFloat(r.Seconds, 'f', 1, 64), rate},
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(tw, "%s\t%10s", row.name, row.value)
		if row.note != "" {
			fmt.Fprintf(tw, "\t%s", row.note)
		}
		fmt.Fprintln(tw)
	}
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

// thousands writes a number with a comma between groups of three digits.
func thousands(n int) string {
	text := strconv.Itoa(n)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(text) - 3; i > start; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// count writes a number and its noun: "1 shard", "4 shards".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/shard"
)

// event is one line of the archive.
type event struct {
	// ID is the same for a repeat, and nothing else has it: that of CloudWatch
	// Logs, or the record's place on the stream and the number of the line.
	ID string `json:"id"`
	// Time is when it happened, by whoever wrote it.
	Time time.Time `json:"time"`
	// Group and Stream are CloudWatch's log group and log stream; an access log
	// has neither.
	Group  string `json:"group,omitempty"`
	Stream string `json:"stream,omitempty"`
	// Message is the text of the event, or the line as it came.
	Message string `json:"message"`
	// Access is what the line of an access log says.
	Access *access `json:"access,omitempty"`
}

// content is what one record of the stream holds.
type content struct {
	Events  []event
	Control bool // a control message of CloudWatch Logs: there is nothing to keep
}

var errNoLog = errors.New("this is neither what CloudWatch Logs sends nor lines of an access log")

// read is what a record holds. Whatever it holds, the answer takes no more memory
// than a few times maxUnzipped.
func read(r *shard.Record) (content, error) {
	if bytes.HasPrefix(r.Data, gzipMagic) {
		return readSubscription(r.Data)
	}
	return readAccess(r)
}

// check is what a Collect asks of a record before it takes it.
func check(r *shard.Record) error {
	_, err := read(r)
	return err
}

// hourOf is the hour that an event is filed under: its own, or that in which its
// record arrived if its clock cannot be believed. So what arrives within a few
// minutes makes a few objects, and not one for each hour that somebody may name.
func hourOf(e *event, arrived time.Time) time.Time {
	at := e.Time
	if at.Before(arrived.Add(-24*time.Hour)) || at.After(arrived.Add(time.Hour)) {
		at = arrived
	}
	return at.UTC().Truncate(time.Hour)
}

// lineID names a line of an access log.
func lineID(r *shard.Record, line int) string {
	return fmt.Sprintf("%s/%s/%d", r.Shard, r.Position(), line)
}

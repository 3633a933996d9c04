package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// eventVersion marks a record as one of ours. A stream outlives the programs
// that write to it; the version is how a decoder tells an event it knows from
// any other JSON object that happens to have a key and a time.
const eventVersion = 1

// versionError is the version of a record that this program does not read. It is
// the one reason for which the same bytes may do better on another try: by then a
// newer program may be there.
type versionError int

func (v versionError) Error() string {
	return fmt.Sprintf("version is %d, this program reads version %d", int(v), eventVersion)
}

// event is one thing a user did, as it stands on the stream in JSON.
type event struct {
	// Key says who did it; it is the partition key too (see partitionKey), so
	// all events of one key pass through one shard at a time, in order.
	Key string
	// Time is when it happened, by the log: event time, not arrival time. It
	// is written in RFC 3339 with as many as nine decimals, in UTC.
	Time time.Time
	// Name says what was done: "product_view".
	Name string
	// N is the event's place among the events of its key: 1, 2, 3 … It is what
	// lets the far end check that order was kept. 0 says the producer did not
	// number its events.
	N int
	// Line is the line of the input file the event was read from; 0 if it
	// came from elsewhere.
	Line int
}

// wireEvent is the JSON of an event. Time is a pointer so that a missing time
// is told apart from the year 1.
type wireEvent struct {
	V    int        `json:"v"`
	Key  string     `json:"key"`
	Time *time.Time `json:"time"`
	Name string     `json:"event"`
	N    int        `json:"n,omitempty"`
	Line int        `json:"line,omitempty"`
}

// MarshalJSON writes the event as it goes onto the stream.
func (e event) MarshalJSON() ([]byte, error) {
	at := e.Time.UTC()
	return json.Marshal(wireEvent{V: eventVersion, Key: e.Key, Time: &at, Name: e.Name, N: e.N, Line: e.Line})
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses whatever is not an
// event of this version with a key and a time. Being strict here is what sends
// a malformed record to the failure destination instead of into the counts.
func (e *event) UnmarshalJSON(data []byte) error {
	var w wireEvent
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	switch {
	case w.V != eventVersion:
		return versionError(w.V)
	case w.Key == "":
		return errors.New("it has no key")
	case w.Time == nil:
		return errors.New("it has no time")
	case w.N < 0:
		return fmt.Errorf("its ordinal is %d, ordinals start at 1", w.N)
	}
	*e = event{Key: w.Key, Time: w.Time.UTC(), Name: w.Name, N: w.N, Line: w.Line}
	return nil
}

// encodeEvent gives the bytes of a record's data. It fails only for a time
// outside the years 0 to 9999, which RFC 3339 cannot write.
func encodeEvent(e event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %d of %q: %w", e.N, e.Key, err)
	}
	return data, nil
}

// decodeEvent reads a record's data. Any error but a versionError is final: the same
// bytes will not decode on a second try either, so a handler should reject the
// record and not spend attempts on it.
func decodeEvent(data []byte) (event, error) {
	var e event
	if len(bytes.TrimSpace(data)) == 0 {
		return e, errors.New("decode event: the record is empty")
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return event{}, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

package tape

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// LongestLine bounds a line, in bytes: a record of 10 MiB in base64, and room
// beside it.
const LongestLine = 16 << 20

// LineError says which line of a tape can not be played.
type LineError struct {
	// Line is its number, from 1.
	Line int
	// Err is what is wrong with it.
	Err error
}

// Error is the number and what is wrong.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap is what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads the events of a file, one after the other.
type Reader struct {
	lines *bufio.Scanner
	line  int
	read  func([]byte) (Event, error)
}

// NewReader reads a tape.
func NewReader(r io.Reader) *Reader {
	return newReader(r, func(text []byte) (e Event, err error) {
		err = e.UnmarshalJSON(text)
		return e, err
	})
}

// NewPlainReader reads lines that are JSON objects, each the payload of an event.
// The partition key is what stands at key, a path such as .user.id: a text, a
// number or a boolean. Arrival is what stands at at, a time as RFC 3339 has it or
// seconds or milliseconds since 1970; without a path it is not known.
func NewPlainReader(r io.Reader, key, at string) (*Reader, error) {
	keyPath, err := path(key)
	if err != nil {
		return nil, err
	}
	atPath, err := path(at)
	if at != "" && err != nil {
		return nil, err
	}
	return newReader(r, func(text []byte) (Event, error) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var object map[string]any
		if err := d.Decode(&object); err != nil || object == nil {
			return Event{}, errors.New("it is no JSON object")
		}
		if _, err := d.Token(); err != io.EOF { //nolint:errorlint // as Token gives it
			return Event{}, errors.New("it has something behind its JSON object")
		}
		e := Event{Keyed: true, Data: bytes.Clone(text)}
		var ok bool
		if e.Key, ok = textAt(object, keyPath); !ok || e.Key == "" {
			return Event{}, fmt.Errorf("it has no text or number at %s, which is to be its key", key)
		}
		if at != "" {
			text, _ := textAt(object, atPath)
			if e.Arrived, ok = timeOf(text); !ok {
				return Event{}, fmt.Errorf("it has no time at %s", at)
			}
		}
		return e, nil
	}), nil
}

func newReader(r io.Reader, read func([]byte) (Event, error)) *Reader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), LongestLine)
	return &Reader{lines: lines, read: read}
}

// Next is the next event, or io.EOF. A line that is none is a *LineError; the next
// call goes on behind it. Empty lines are passed over.
func (r *Reader) Next() (Event, error) {
	for r.lines.Scan() {
		r.line++
		text := bytes.TrimSpace(r.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		e, err := r.read(text)
		if err != nil {
			return Event{}, &LineError{Line: r.line, Err: err}
		}
		e.Line = r.line
		return e, nil
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Event{}, &LineError{Line: r.line + 1, Err: fmt.Errorf("it is longer than %d bytes", LongestLine)}
	case err != nil:
		return Event{}, fmt.Errorf("read the tape behind line %d: %w", r.line, err)
	}
	return Event{}, io.EOF
}

// path takes .user.id apart.
func path(text string) ([]string, error) {
	names := strings.Split(text, ".")
	if len(names) < 2 || names[0] != "" {
		return nil, fmt.Errorf("%q is no path: want one such as .user.id", text)
	}
	for _, name := range names[1:] {
		if name == "" {
			return nil, fmt.Errorf("%q is no path: want one such as .user.id", text)
		}
	}
	return names[1:], nil
}

// textAt is the scalar at a path, as text.
func textAt(object map[string]any, names []string) (string, bool) {
	for i, name := range names {
		value, ok := object[name]
		if !ok {
			return "", false
		}
		if i == len(names)-1 {
			switch v := value.(type) {
			case string:
				return v, true
			case json.Number:
				return v.String(), true
			case bool:
				return fmt.Sprint(v), true
			}
			return "", false
		}
		if object, ok = value.(map[string]any); !ok {
			return "", false
		}
	}
	return "", false
}

// timeOf reads a time: RFC 3339, or seconds since 1970, or milliseconds if seconds
// would be thousands of years from now.
func timeOf(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	s, err := json.Number(text).Float64()
	if err != nil || s < 0 || s > 1e14 {
		return time.Time{}, false
	}
	if s < 1e11 {
		s *= 1000
	}
	return time.UnixMilli(int64(s)).UTC(), true
}

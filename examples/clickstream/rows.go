package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxValue is the longest value of a column. It keeps an encoded event far below
// the largest record, even if every byte of it has to be escaped.
const maxValue = 16 << 10

// columns names the columns of a log, or the fields of its objects.
type columns struct {
	Key   []string // one or several: together they say who did it
	Time  string
	Event string
}

// named gives each column that is read with the flag that names it.
func (c columns) named() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, k := range c.Key {
			if !yield("-key", k) {
				return
			}
		}
		_ = yield("-time", c.Time) && yield("-event", c.Event)
	}
}

// event makes an event of the values of a row. The ordinal is not known yet.
func (c columns) event(n int, value func(column string) (string, error)) (event, error) {
	get := func(column string) (string, error) {
		v, err := value(column)
		if err == nil && !utf8.ValidString(v) {
			// JSON would replace the bytes, and two keys could become one.
			err = fmt.Errorf("column %q is not UTF-8", column)
		}
		if err == nil && len(v) > maxValue {
			err = fmt.Errorf("column %q is longer than %d bytes", column, maxValue)
		}
		return v, err
	}
	keys := make([]string, len(c.Key))
	for i, column := range c.Key {
		v, err := get(column)
		if err != nil {
			return event{}, err
		}
		if v == "" {
			return event{}, fmt.Errorf("column %q is empty", column)
		}
		keys[i] = v
	}
	text, err := get(c.Time)
	if err != nil {
		return event{}, err
	}
	at, err := parseTime(text)
	if err != nil {
		return event{}, fmt.Errorf("column %q: %w", c.Time, err)
	}
	name, err := get(c.Event)
	if err != nil {
		return event{}, err
	}
	return event{Key: joinKey(keys), Time: at, Name: name, Line: n}, nil
}

// row is one row of a log: an event, or what stands there instead of one.
type row struct {
	Line  int
	Event event
	// Bad is nil for an event, else a *rowError that says why Raw is none. A
	// bad row is not dropped: it goes onto the stream as it is, fails in the
	// decoder, and ends in the failure destination, where it can be looked at.
	Bad error
	Raw []byte
}

// readRows reads a log: CSV with a header, or NDJSON if its first character is
// "{". A row that does not parse is yielded with Bad set and reading goes on; an
// error as the second value says that it cannot, and is the last thing yielded.
func readRows(file string, r io.Reader, c columns) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		if err := eachRow(file, r, c, func(w row) bool { return yield(w, nil) }); err != nil {
			yield(row{}, err)
		}
	}
}

// eachRow hands every row to do until it returns false.
func eachRow(file string, r io.Reader, c columns, do func(row) bool) error {
	ls, err := newLines(file, r)
	if err != nil {
		return err
	}
	first, err := ls.next()
	if errors.Is(err, io.EOF) {
		return &rowError{File: file, Line: 1, Err: errors.New("the file is empty")}
	}
	if err != nil {
		return err
	}
	switch bytes.TrimSpace(first.text)[0] {
	case '{':
		ls.unread([]line{first})
		return eachObject(ls, c, do)
	case '[':
		return &rowError{File: file, Line: first.n, Err: errors.New("this is a JSON array; write one object a line (jq -c '.[]')")}
	}
	return eachRecord(ls, first, c, do)
}

// eachRecord reads CSV whose header is the line given.
func eachRecord(ls *lines, first line, c columns, do func(row) bool) error {
	header, err := splitRecord(first.text)
	if err != nil {
		return &rowError{File: ls.file, Line: first.n, Err: fmt.Errorf("read the header: %w", err)}
	}
	index := make(map[string]int, len(header))
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		index[header[i]] = i
	}
	for flag, column := range c.named() {
		if _, ok := index[column]; !ok {
			return &rowError{File: ls.file, Line: first.n, Err: noColumn(flag, column, header)}
		}
	}
	for {
		fields, raw, n, bad, err := nextRecord(ls)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		w := row{Line: n, Raw: raw}
		if bad == nil && len(fields) != len(header) {
			bad = fmt.Errorf("the row has %d columns, the header has %d", len(fields), len(header))
		}
		if bad == nil {
			w.Event, bad = c.event(n, func(column string) (string, error) { return fields[index[column]], nil })
		}
		if bad != nil {
			w.Bad = &rowError{File: ls.file, Line: n, Err: bad}
		}
		if !do(w) {
			return nil
		}
	}
}

// maxRecordLines is how far a quoted field may run on. More lines than any
// honest field has, and few enough that a stray quote is found out cheaply.
const maxRecordLines = 100

// nextRecord reads one CSV record, over several lines if a quoted field has line
// breaks in it. If no end of the quote can be found, only the line it opens on
// is bad; the lines after it are read on their own.
func nextRecord(ls *lines) (fields []string, raw []byte, n int, bad, err error) {
	first, err := ls.next()
	if err != nil {
		return nil, nil, 0, nil, err
	}
	if first.cut {
		return nil, first.text, first.n, fmt.Errorf("the line is longer than %d bytes", maxLine), nil
	}
	raw, open := slices.Clip(first.text), oddQuotes(first.text)
	var more []line
	for open && len(more) < maxRecordLines {
		ln, err := ls.any()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, 0, nil, err
		}
		more = append(more, ln)
		if ln.cut || len(raw)+1+len(ln.text) > maxLine {
			break
		}
		raw = append(append(raw, '\n'), ln.text...)
		open = open != oddQuotes(ln.text)
	}
	if !open {
		if fields, bad = splitRecord(raw); bad == nil {
			return fields, raw, first.n, nil, nil
		}
	}
	ls.unread(more)
	_, bad = splitRecord(first.text)
	if bad == nil {
		bad = errors.New("a quote opens and does not close")
	}
	return nil, first.text, first.n, bad, nil
}

// oddQuotes says that a quote opens in text that does not close in it: one inside
// a quoted field is written twice, so only an open one leaves an odd number.
func oddQuotes(text []byte) bool { return bytes.Count(text, []byte{'"'})%2 == 1 }

// splitRecord gives the fields of one CSV record. Most have no quotes in them.
func splitRecord(text []byte) ([]string, error) {
	if bytes.IndexByte(text, '"') < 0 {
		return strings.Split(string(text), ","), nil
	}
	cr := csv.NewReader(bytes.NewReader(text))
	cr.FieldsPerRecord = -1
	fields, err := cr.Read()
	if pe, ok := errors.AsType[*csv.ParseError](err); ok {
		err = pe.Err // its line number counts from this record, ours from the file's start
	}
	return fields, err
}

// eachObject reads NDJSON. Objects need not be alike, so a column is unknown
// only if no object of the whole file has it.
func eachObject(ls *lines, c columns, do func(row) bool) error {
	seen := map[string]bool{}
	first := 0
	for {
		ln, err := ls.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		w := row{Line: ln.n, Raw: ln.text}
		var fields map[string]json.RawMessage
		bad := json.Unmarshal(ln.text, &fields)
		switch {
		case ln.cut:
			bad = fmt.Errorf("the line is longer than %d bytes", maxLine)
		case bad == nil:
			if first == 0 {
				first = ln.n
			}
			remember(seen, fields)
			w.Event, bad = c.event(ln.n, func(column string) (string, error) { return fieldText(fields, column) })
		}
		if bad != nil {
			w.Bad = &rowError{File: ls.file, Line: ln.n, Err: bad}
		}
		if !do(w) {
			return nil
		}
	}
	if first == 0 {
		return nil // not one object: every row has been yielded as bad
	}
	for flag, column := range c.named() {
		if !seen[column] {
			names := make([]string, 0, len(seen))
			for name := range seen {
				names = append(names, name)
			}
			slices.Sort(names)
			return &rowError{File: ls.file, Line: first, Err: noColumn(flag, column, names)}
		}
	}
	return nil
}

// remember adds the names of an object's fields, up to a number that no log has
// but a file whose names are data could pass.
func remember(seen map[string]bool, fields map[string]json.RawMessage) {
	for name := range fields {
		if len(seen) < 10_000 {
			seen[name] = true
		}
	}
}

// fieldText gives a field's value as text: a string without its quotes, a number
// or a boolean as written.
func fieldText(fields map[string]json.RawMessage, column string) (string, error) {
	raw, ok := fields[column]
	if !ok {
		return "", fmt.Errorf("there is no field %q", column)
	}
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case '{', '[':
		return "", fmt.Errorf("field %q is not a plain value", column)
	case 'n':
		return "", fmt.Errorf("field %q is null", column)
	}
	return string(raw), nil
}

// noColumn names the columns there are, and the flag to name one of them with.
func noColumn(flag, column string, have []string) error {
	const most = 30
	quoted := make([]string, 0, most)
	for i, name := range have {
		if i == most {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, fmt.Sprintf("%q", clip(name, 60)))
	}
	return fmt.Errorf("there is no column %q; there are %s; choose one with %s", column, strings.Join(quoted, ", "), flag)
}

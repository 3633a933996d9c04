// Package ledger is the file into which worker processes enter what they handle,
// and the audit of it: what is missing, what is out of order, what was repeated.
// A worker of any library can write it: one line a record, with one write to a
// file that was opened to append.
package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Entry is one line: a worker has handled a record.
type Entry struct {
	// Worker is the process, and Tenure its time with one shard.
	Worker, Tenure string
	// Fence is the number behind the '@' of the tenure, 0 if it has none: a later
	// tenure of a shard has a larger one.
	Fence int64
	// Shard and Sequence say where the record stands, and Sub which of one
	// aggregate it is.
	Shard, Sequence string
	Sub             int64
	// Key is the partition key, which the payload names as well.
	Key string
	// Number is that of the record among those of its key, from 1.
	Number int
	// At is when it was handled, by the worker's clock.
	At time.Duration
}

// Line is the entry of a record whose payload is "KEY NUMBER".
func Line(worker, tenure, shard, sequence string, sub int64, key, payload string, at time.Duration) string {
	return strings.Join([]string{worker, tenure, shard, sequence, strconv.FormatInt(sub, 10), key, payload,
		strconv.FormatInt(int64(at), 10)}, "\t") + "\n"
}

// Parse reads a line.
func Parse(line string) (Entry, error) {
	fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(fields) != 8 {
		return Entry{}, fmt.Errorf("ledger line %q has %d fields, want 8", line, len(fields))
	}
	key, digits, _ := strings.Cut(fields[6], " ")
	number, err := strconv.Atoi(digits)
	if err != nil || key != fields[5] {
		return Entry{}, fmt.Errorf("ledger line %q: payload %q is not that of a record of key %q", line, fields[6], fields[5])
	}
	sub, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("ledger line %q: %w", line, err)
	}
	at, err := strconv.ParseInt(fields[7], 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("ledger line %q: %w", line, err)
	}
	e := Entry{
		Worker: fields[0], Tenure: fields[0] + "/" + fields[1], Shard: fields[2], Sequence: fields[3],
		Sub: sub, Key: key, Number: number, At: time.Duration(at),
	}
	if _, fence, ok := strings.Cut(fields[1], "@"); ok {
		if e.Fence, err = strconv.ParseInt(fence, 10, 64); err != nil {
			return Entry{}, fmt.Errorf("ledger line %q: %w", line, err)
		}
	}
	return e, nil
}

// Tail reads the lines of a file to which others append.
type Tail struct {
	file    *os.File
	pending []byte // read, and not given out
	chunk   []byte
}

// Follow opens a file and makes it if need be.
func Follow(path string) (*Tail, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("follow the ledger: %w", err)
	}
	return &Tail{file: file, chunk: make([]byte, 256<<10)}, nil
}

// Read gives each line that has come since to take, without its end, and returns
// the first error of it or of the file.
func (t *Tail) Read(take func(line string) error) error {
	for {
		n, err := t.file.Read(t.chunk)
		t.pending = append(t.pending, t.chunk[:n]...)
		text := string(t.pending)
		for {
			line, rest, ok := strings.Cut(text, "\n")
			if !ok {
				break
			}
			text = rest
			if err := take(line); err != nil {
				return err
			}
		}
		t.pending = append(t.pending[:0], text...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
	}
}

// Close closes the file.
func (t *Tail) Close() error { return t.file.Close() }

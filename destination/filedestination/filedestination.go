// Package filedestination appends to a file, one JSON document on each line
// (NDJSON): batches that were given up, each the envelope of package destination
// with the payload inside, and records that a handler emits, each a
// destination.Document. It is for one machine: tests, examples, a volume of one's
// own.
//
// Each failure is one write to a file opened to append, followed by fsync; Send
// returns nil only after that. Several goroutines and several processes may
// append to one file on a local file system. A line that was torn by a full disk
// or a crash is ended by the next one, so that a reader skips it and loses no
// other.
//
// A file cannot recognise a repeat: a failure that is sent again is appended
// again, with the same towpath.id. The file is opened for every failure, so that
// it may be moved away at any time.
package filedestination

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/towpath/towpath/destination"
)

// Options change how lines are written. The zero value carries the whole
// payload.
type Options struct {
	// Payload says how much of the records is written. Default: all.
	Payload destination.PayloadMode
	// RedactError turns the handler's last error into the text that is written;
	// nil is Error(), cut to 1 KiB.
	RedactError func(error) string
	// Mode is the permission of a new file. Default: 0600, since payloads are
	// nobody else's business.
	Mode os.FileMode
}

// File is a file as a destination. It may be used by several goroutines.
type File struct {
	counter destination.Counter
	path    string
	options Options
	problem error
	// turn is held by the one who writes. It is a channel and not a lock, so
	// that whoever waits for a slow disk can give up waiting.
	turn chan struct{}
}

var (
	_ destination.Destination = (*File)(nil)
	_ destination.Publisher   = (*File)(nil)
	_ destination.Validator   = (*File)(nil)
)

// Open names a file. It is made by the first failure; its folder must be there.
func Open(path string, optFns ...func(*Options)) *File {
	d := &File{path: path, turn: make(chan struct{}, 1)}
	for _, fn := range optFns {
		fn(&d.options)
	}
	if d.options.Mode == 0 {
		d.options.Mode = 0o600
	}
	if path == "" {
		d.problem = errors.New("the path is empty")
	}
	d.problem = errors.Join(d.problem, d.packing().Validate())
	return d
}

func (d *File) packing() destination.Packing {
	return destination.Packing{Payload: d.options.Payload, RedactError: d.options.RedactError}
}

// Validate says what is wrong with the arguments of Open, all at once. It does
// not touch the file.
func (d *File) Validate() error { return d.problem }

// String is the path.
func (d *File) String() string { return d.path }

// Send appends the failure as one line and returns nil when it is on the disk.
// An error is a *destination.SendError, and holds the *fs.PathError. If ctx ends
// while the write is under way, the write goes on.
func (d *File) Send(ctx context.Context, f destination.Failure) error {
	messages, err := d.send(ctx, f)
	if err != nil {
		return f.Refusal(d, nil, err)
	}
	d.counter.Accepted(messages)
	return nil
}

// Counts says how many failures were accepted.
func (d *File) Counts() destination.Counts { return d.counter.Counts() }

func (d *File) send(ctx context.Context, f destination.Failure) ([]destination.Message, error) {
	if d.problem != nil {
		return nil, fmt.Errorf("%w: %w", destination.ErrRefused, d.problem)
	}
	messages, err := d.packing().Pack(ctx, f)
	if err != nil {
		return nil, err
	}
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	return messages, d.append(messages[0].Body) // without a limit there is one
}

// take waits until nobody else writes.
func (d *File) take(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		d.release()
		return context.Cause(ctx)
	}
	return nil
}

func (d *File) release() { <-d.turn }

func (d *File) append(line []byte) (err error) {
	file, err := os.OpenFile(d.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, d.options.Mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	text := make([]byte, 0, len(line)+2)
	if torn(file, info) {
		text = append(text, '\n')
	}
	text = append(append(text, line...), '\n')
	if _, err := file.Write(text); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // a pipe or a terminal has nothing to sync
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(d.path))
}

// torn reports whether the last line has no end.
func torn(file *os.File, info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err := file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// syncFolder makes the file's name durable. It is done each time: whether the
// file is new is not known after an attempt that failed half-way.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

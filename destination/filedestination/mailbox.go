package filedestination

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/towpath/towpath/destination"
)

// Mailbox is a file of failures to take them out of. The file itself is never
// changed, since others may append to it: what was removed is noted in a second
// file beside it, with .done behind its name, by offset and hash. When both are
// through, delete them together. A line that is torn is given as it is.
//
// It goes through the lines once, and may not be used by several goroutines.
type Mailbox struct {
	path   string
	offset int64
	done   map[string]bool // by letter id; nil: not read yet
}

var _ destination.Mailbox = (*Mailbox)(nil)

// OpenMailbox names a file. It reads nothing.
func OpenMailbox(path string) *Mailbox { return &Mailbox{path: path} }

// Validate says what is wrong with the arguments of OpenMailbox.
func (m *Mailbox) Validate() error {
	if m.path == "" {
		return errors.New("the path is empty: name the file")
	}
	return nil
}

// Receive implements destination.Mailbox.
func (m *Mailbox) Receive(ctx context.Context, limit int) (letters []destination.Letter, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if m.done == nil {
		if m.done, err = readDone(m.doneFile()); err != nil {
			return nil, err
		}
	}
	file, err := os.Open(m.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(m.offset, io.SeekStart); err != nil {
		return nil, err
	}
	lines := bufio.NewReaderSize(file, 1<<16)
	for len(letters) < max(limit, 1) {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return letters, err
		}
		if len(line) == 0 {
			break
		}
		id := lineID(m.offset, line)
		m.offset += int64(len(line))
		if body := bytes.TrimSpace(line); len(body) > 0 && !m.done[id] {
			letters = append(letters, destination.Letter{ID: id, Body: body})
		}
	}
	return letters, nil
}

// lineID is the offset of a line and 64 bits of its hash, so that a file which
// was replaced by another is not taken for the one whose lines were removed.
func lineID(offset int64, line []byte) string {
	sum := sha256.Sum256(bytes.TrimSpace(line))
	return strconv.FormatInt(offset, 10) + "-" + hex.EncodeToString(sum[:8])
}

func (m *Mailbox) doneFile() string { return m.path + ".done" }

func readDone(path string) (map[string]bool, error) {
	done := map[string]bool{}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		done[strings.TrimSpace(line)] = true
	}
	return done, nil
}

// Remove implements destination.Mailbox. It returns when the note is on the disk.
func (m *Mailbox) Remove(_ context.Context, l destination.Letter) (err error) {
	file, err := os.OpenFile(m.doneFile(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := fmt.Fprintln(file, l.ID); err != nil {
		return err
	}
	m.done[l.ID] = true
	return errors.Join(file.Sync(), syncFolder(filepath.Dir(m.path)))
}

// Return implements destination.Mailbox: the line was never gone.
func (m *Mailbox) Return(context.Context, destination.Letter) error { return nil }

// String is the path.
func (m *Mailbox) String() string { return m.path }

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// defaultLog is the log the example plays when none is named; see
// data/README.md for what it is and where it comes from.
//
//go:embed data/ecom.csv.gz
var defaultLog []byte

const (
	// defaultLogName is how messages call the log inside the program.
	defaultLogName = "data/ecom.csv.gz"
	// defaultLogSessions is the number of sessions labelled in it.
	defaultLogSessions = 3605
)

// maxLine is the longest line that is read whole. It is the size of the largest
// record a stream takes unless it is configured for more, less the 256
// characters (of at most four bytes) of a partition key.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const maxLine = 1<<20 - 4*256

// rowError says what is wrong in a log, and where.
type rowError struct {
	File string
	Line int // from 1; 0 if the file could not even be opened
	Err  error
}

func (e *rowError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *rowError) Unwrap() error { return e.Err }

// openLog opens the log at path, or the one inside the program if path is
// empty. The name is the one messages use.
func openLog(path string) (r io.ReadCloser, name string, err error) {
	if path == "" {
		return io.NopCloser(bytes.NewReader(defaultLog)), defaultLogName, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, path, &rowError{File: path, Err: reason(err)}
	}
	return f, path, nil
}

// reason takes the path out of a file system's error: rowError has named it.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// lines reads a log line by line, numbering the lines and unpacking gzip. Lines
// can be put back, which is how a quote that never closes costs one row and not
// the rest of the file.
type lines struct {
	file string
	r    *bufio.Reader
	read int // lines read from r
	back []line
}

// line is one line of a log without its line end.
type line struct {
	n    int
	text []byte
	// cut says that the line was longer than maxLine, and text is its start.
	cut bool
}

// newLines looks at the first bytes of r: gzip is known by its content, whatever
// the file is called, and a byte order mark is dropped.
func newLines(file string, r io.Reader) (*lines, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return nil, &rowError{File: file, Line: 1, Err: fmt.Errorf("unpack gzip: %w", whole(err))}
		}
		br = bufio.NewReaderSize(unpacker{zr}, 64<<10)
	}
	if mark, _ := br.Peek(3); string(mark) == "\ufeff" {
		_, _ = br.Discard(len(mark)) // it was just peeked, so it is there
	}
	return &lines{file: file, r: br}, nil
}

// unpacker names the step that failed in the errors of a gzip reader.
type unpacker struct{ zr *gzip.Reader }

func (u unpacker) Read(p []byte) (int, error) {
	n, err := u.zr.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("unpack gzip: %w", whole(err))
	}
	return n, err
}

// whole says in plain words that a file is cut off.
func whole(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file ends too early")
	}
	return err
}

// next gives the next line that is not blank, or io.EOF.
func (l *lines) next() (line, error) {
	for {
		ln, err := l.any()
		if err != nil || len(bytes.TrimSpace(ln.text)) > 0 {
			return ln, err
		}
	}
}

// any gives the next line, blank or not. The text is the caller's to keep.
func (l *lines) any() (line, error) {
	if n := len(l.back); n > 0 {
		ln := l.back[n-1]
		l.back = l.back[:n-1]
		return ln, nil
	}
	ln := line{n: l.read + 1}
	for {
		part, err := l.r.ReadSlice('\n')
		if room := maxLine - len(ln.text); len(part) > room {
			part, ln.cut = part[:room], true
		}
		ln.text = append(ln.text, part...)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(ln.text) == 0:
			return line{}, io.EOF
		case err != nil && err != io.EOF:
			return line{}, &rowError{File: l.file, Line: ln.n, Err: reason(err)}
		}
		l.read++
		ln.text = bytes.TrimRight(ln.text, "\r\n")
		return ln, nil
	}
}

// unread puts lines back, the first of them to be read first.
func (l *lines) unread(lns []line) {
	for i := len(lns) - 1; i >= 0; i-- {
		l.back = append(l.back, lns[i])
	}
}

// joinKey makes one key of the values of several columns, such that different
// values never make the same key: a separator inside a value is escaped. The
// value of a single column is the key as it is.
func joinKey(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(v)
	}
	return strings.Join(escaped, "|")
}

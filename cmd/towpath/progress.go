package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// progress is a line on standard error that says how far something is. It is shown
// on a terminal alone.
type progress struct {
	out   io.Writer
	shown time.Time
	began time.Time
	drawn bool
}

func newProgress(c *cli.Command) *progress {
	p := &progress{began: time.Now()}
	if isTerminal(c.Root().ErrWriter) {
		p.out = c.Root().ErrWriter
	}
	return p
}

// redraw is how often the line is drawn at most.
const redraw = 100 * time.Millisecond

// say draws the line anew. Done of total draws a bar before it; total 0 is not
// known.
func (p *progress) say(done, total int, format string, args ...any) {
	if p.out == nil || time.Since(p.shown) < redraw {
		return
	}
	p.shown, p.drawn = time.Now(), true
	fmt.Fprintf(p.out, "\r\x1b[K%s%s", bar(done, total), printable(fmt.Sprintf(format, args...)))
}

// clear takes the line away, for what is printed below.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// took is the time since the beginning.
func (p *progress) took() time.Duration { return time.Since(p.began) }

// bar is a bar of twenty cells, with the part that is done.
func bar(done, total int) string {
	if total <= 0 {
		return ""
	}
	const cells = 20
	done = min(max(done, 0), total)
	full := done * cells / total
	return fmt.Sprintf("[%s%s] %3d%% ", strings.Repeat("#", full), strings.Repeat(".", cells-full), done*100/total)
}

// grouped is a number with its thousands apart.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// sized is a number of bytes for people.
func sized(n int64) string {
	switch {
	case n >= 10_000_000_000:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// counted is a number with its word.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

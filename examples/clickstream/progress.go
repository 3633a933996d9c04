package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	redrawEvery = 100 * time.Millisecond // smooth to the eye, nothing to the processor
	lineEvery   = 5 * time.Second        // where there is no terminal: a log, not a film
	rateOver    = 3 * time.Second        // the rate shown is the mean over this long
)

// snapshot is what progress shows at one moment.
type snapshot struct {
	Done        int // records that have come to their end
	Redelivered int
	Failed      int
	Sessions    int
	Workers     int // alive
	Shards      int // open
}

// progress shows how a run goes: on a terminal one line that is redrawn, with
// what happens scrolling past above it; elsewhere a line every few seconds.
type progress struct {
	w     io.Writer
	width func() int // columns of the terminal; nil if there is none
	total int        // records to expect; 0 if the stream has no end
	look  func() snapshot

	mu    sync.Mutex // guards notes; never held while writing
	notes []string
	wake  chan struct{} // capacity 1: there are notes
}

// newProgress shows progress on f, which is os.Stderr in earnest. It calls look
// whenever it draws.
func newProgress(f *os.File, total int, look func() snapshot) *progress {
	p := &progress{w: f, total: total, look: look, wake: make(chan struct{}, 1)}
	if fd := int(f.Fd()); term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" {
		p.width = func() int {
			if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
				return columns
			}
			return 80
		}
	}
	return p
}

// Notef adds a line about something that happened. It does not wait for the line
// to be written, and may be called from any goroutine.
func (p *progress) Notef(format string, args ...any) {
	p.mu.Lock()
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // woken already
	}
}

// Run shows progress until ctx is done. It writes every note that was made before
// that, and leaves the cursor at the start of an empty line. It alone writes.
func (p *progress) Run(ctx context.Context) {
	every := lineEvery
	if p.width != nil {
		every = redrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := time.Now()
	var recent meter
	recent.rate(began, p.look().Done)
	for {
		draw := p.width != nil
		select {
		case <-ctx.Done():
			p.writeNotes(time.Since(began))
			p.clear()
			return
		case <-p.wake:
			p.writeNotes(time.Since(began))
		case <-tick.C:
			draw = true
		}
		if draw {
			now := time.Now()
			s := p.look()
			p.draw(s, now.Sub(began), recent.rate(now, s.Done))
		}
	}
}

// writeNotes writes the notes made since, each with the time of the run.
func (p *progress) writeNotes(elapsed time.Duration) {
	p.mu.Lock()
	notes := p.notes
	p.notes = nil
	p.mu.Unlock()
	for _, note := range notes {
		p.clear()
		fmt.Fprintf(p.w, "%6.1fs  %s\n", elapsed.Seconds(), note)
	}
}

// clear empties the line that is redrawn: back to its start, erase to its end.
func (p *progress) clear() {
	if p.width != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *progress) draw(s snapshot, elapsed time.Duration, rate float64) {
	if p.width == nil {
		fmt.Fprintf(p.w, "%6.1fs  %s\n", elapsed.Seconds(), statusText(s, p.total, rate))
		return
	}
	p.clear()
	fmt.Fprint(p.w, barLine(s, p.total, rate, p.width()))
}

// statusText says how far a run is, in words.
func statusText(s snapshot, total int, rate float64) string {
	done := thousands(s.Done) + " records"
	if total > 0 {
		done = fmt.Sprintf("%3d%%  %s of %s", percent(s.Done, total), thousands(s.Done), thousands(total))
	}
	text := fmt.Sprintf("%s  %s/s  %s  %s  %s redelivered", done, thousands(int(rate)),
		count(s.Workers, "worker"), count(s.Shards, "shard"), thousands(s.Redelivered))
	if s.Failed > 0 {
		text += fmt.Sprintf("  %s failed", thousands(s.Failed))
	}
	return text
}

// barLine is the line of a terminal of the given width: a bar in whatever room the
// words leave, if there is an end to run towards. It is one column short of the
// width, for some terminals begin a new line when the last column is written.
func barLine(s snapshot, total int, rate float64, width int) string {
	const least, most = 10, 40
	text := statusText(s, total, rate)
	room := width - 1 - len(text) - len("[] ")
	if total == 0 || room < least {
		return text[:max(0, min(len(text), width-1))]
	}
	cells := min(room, most)
	full := cells * percent(s.Done, total) / 100
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "] " + text
}

// percent is rounded down, so that 100 means all.
func percent(done, total int) int {
	return min(max(done, 0), total) * 100 / total
}

// meter measures a rate over the last few seconds.
type meter struct {
	samples []sample
}

type sample struct {
	at   time.Time
	done int
}

// rate takes what is done by now and gives the mean per second since the oldest
// sample that is not yet too old.
func (m *meter) rate(now time.Time, done int) float64 {
	m.samples = append(m.samples, sample{now, done})
	for len(m.samples) > 2 && now.Sub(m.samples[0].at) > rateOver {
		m.samples = m.samples[1:]
	}
	oldest := m.samples[0]
	if took := now.Sub(oldest.at); took > 0 {
		return float64(done-oldest.done) / took.Seconds()
	}
	return 0
}

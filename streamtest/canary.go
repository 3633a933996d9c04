package streamtest

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
)

// Canary is what a test puts into keys and payloads to see where they come out:
// a rig fails its test if a worker logs it, at any level. The keys of PutN are
// watched for as well. What goes to destinations is not.
const Canary = "canary-5e0d1c"

// putKey begins the keys of PutN, before a digit.
const putKey = "key-"

// watch is a slog.Handler that passes everything on and looks for canaries in it.
type watch struct {
	slog.Handler // who gets what his level asks for
	all          slog.Handler
}

// watched has a worker's log looked through.
func (r *Rig) watched(next *slog.Logger) *slog.Logger {
	// JSON, as it quotes no more than it must.
	all := slog.NewJSONHandler(&r.leaks, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(watch{next.Handler(), all})
}

// Enabled is always true: debug lines are looked through, too.
func (watch) Enabled(context.Context, slog.Level) bool { return true }

// Handle looks through one line and passes it on.
func (w watch) Handle(ctx context.Context, line slog.Record) error {
	if err := w.all.Handle(ctx, line); err != nil {
		return err
	}
	if !w.Handler.Enabled(ctx, line.Level) {
		return nil
	}
	return w.Handler.Handle(ctx, line)
}

// WithAttrs adds to what every line has.
func (w watch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return watch{w.Handler.WithAttrs(attrs), w.all.WithAttrs(attrs)}
}

// WithGroup begins a group.
func (w watch) WithGroup(name string) slog.Handler {
	return watch{w.Handler.WithGroup(name), w.all.WithGroup(name)}
}

// leaks keeps the lines that show a canary.
type leaks struct {
	mu    sync.Mutex // guards what is below
	lines []string
	seen  int
}

// mostLeaks is how many lines are kept: one is a failure already.
const mostLeaks = 5

// Write is given one line at a time.
func (l *leaks) Write(line []byte) (int, error) {
	shows := showsCanary(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen++
	if shows && len(l.lines) < mostLeaks {
		l.lines = append(l.lines, string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}

func showsCanary(line []byte) bool {
	if bytes.Contains(line, []byte(Canary)) {
		return true
	}
	for {
		i := bytes.Index(line, []byte(putKey))
		if i < 0 {
			return false
		}
		if line = line[i+len(putKey):]; len(line) > 0 && '0' <= line[0] && line[0] <= '9' {
			return true
		}
	}
}

// Logged is how many lines the workers have logged so far, at every level.
func (r *Rig) Logged() int {
	r.leaks.mu.Lock()
	defer r.leaks.mu.Unlock()
	return r.leaks.seen
}

func (l *leaks) violations() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, line := range l.lines {
		all = append(all, "a payload or a key was logged: "+line)
	}
	return all
}

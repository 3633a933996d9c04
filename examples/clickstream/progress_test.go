package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watch shows progress for a while in virtual time, with a note after 1.5 seconds,
// and gives what was written.
func watch(t *testing.T, width int, total int, d time.Duration) string {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := &progress{w: &out, total: total, wake: make(chan struct{}, 1), look: func() snapshot {
			return snapshot{Done: int(time.Since(began).Milliseconds()), Workers: 3, Shards: 4, Redelivered: 1}
		}}
		if width > 0 {
			p.width = func() int { return width }
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		time.AfterFunc(1500*time.Millisecond, func() { p.Notef("split %s", "shard-1") })
		time.AfterFunc(d-time.Nanosecond, func() { p.Notef("last words") })
		p.Run(ctx)
	})
	return out.String()
}

func TestWithoutATerminalProgressIsALineEveryFewSeconds(t *testing.T) {
	got := watch(t, 0, 20_000, 12*time.Second)
	want := "   1.5s  split shard-1\n" +
		"   5.0s   25%  5,000 of 20,000  1,000/s  3 workers  4 shards  1 redelivered\n" +
		"  10.0s   50%  10,000 of 20,000  1,000/s  3 workers  4 shards  1 redelivered\n" +
		"  12.0s  last words\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestOnATerminalProgressKeepsToOneLine(t *testing.T) {
	got := watch(t, 100, 20_000, 2*time.Second)
	if n := strings.Count(got, "\n"); n != 2 {
		t.Errorf("%d line ends, want one for each note", n)
	}
	for _, frame := range strings.Split(got, "\r\x1b[K") {
		if text, _, _ := strings.Cut(frame, "\n"); len(text) >= 100 {
			t.Errorf("%q is %d columns wide", text, len(text))
		}
	}
	if !strings.Contains(got, "\r\x1b[K   2.0s  last words\n") {
		t.Error("a note made at the very end is not shown")
	}
	if !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("it ends with %q, want an empty line", got[len(got)-40:])
	}
	if !strings.Contains(got, "[=") {
		t.Error("there is no bar")
	}
}

func TestNoNoteIsLostAtTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // whichever of the two Run sees first
		var out bytes.Buffer
		p := &progress{w: &out, wake: make(chan struct{}, 1), look: func() snapshot { return snapshot{} }}
		p.Notef("last words")
		p.Run(ctx)
		if got := out.String(); got != "   0.0s  last words\n" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestTheBarFitsAnyTerminal(t *testing.T) {
	s := snapshot{Done: 15_000, Workers: 3, Shards: 5, Redelivered: 12, Failed: 2}
	for width := range 200 {
		if line := barLine(s, 31_111, 5000, width); len(line) > max(0, width-1) {
			t.Errorf("width %d: %d columns: %q", width, len(line), line)
		}
	}
	const want = "[====================                    ]  50%  10 of 20  5/s  1 worker  1 shard  0 redelivered"
	if got := barLine(snapshot{Done: 10, Workers: 1, Shards: 1}, 20, 5, 120); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := barLine(snapshot{Done: 10}, 0, 5, 120); strings.Contains(got, "[") || strings.Contains(got, "%") {
		t.Errorf("a stream without an end: %q", got)
	}
	for _, done := range []int{-1, 0, 20, 21} {
		_ = barLine(snapshot{Done: done}, 20, 0, 120)
	}
}

func TestTheRateIsThatOfTheLastSeconds(t *testing.T) {
	var m meter
	at := noon
	if got := m.rate(at, 0); got != 0 {
		t.Errorf("at the start: %v", got)
	}
	done := 0
	for range 100 { // ten seconds at 1000/s, then ten at 200/s
		at, done = at.Add(100*time.Millisecond), done+100
		m.rate(at, done)
	}
	var got float64
	for range 100 {
		at, done = at.Add(100*time.Millisecond), done+20
		got = m.rate(at, done)
	}
	if got < 199 || got > 201 {
		t.Errorf("got %v, want 200", got)
	}
	if len(m.samples) > 40 {
		t.Errorf("it keeps %d samples", len(m.samples))
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := newProgress(f, 1, nil); p.width != nil {
		t.Error("a file was taken for a terminal")
	}
}

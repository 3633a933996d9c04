package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"
)

// What a terminal is told.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l" // a screen of its own, without a cursor
	ownScreen   = "\x1b[?25h\x1b[?1049l"
	fromTop     = "\x1b[H"
	clearRight  = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// sizeOf is how many characters and lines a terminal has; 80 by 24 if it is none,
// or does not say.
func sizeOf(out any) (width, height int) {
	if f, ok := out.(interface{ Fd() uintptr }); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

// press is what a key asks for.
type press string

// sortKeys are the orders of the shards, and the keys for them.
var sortKeys = map[string]press{byBehind: "b", byShard: "s", byOwner: "o", byLoad: "l", byStill: "t"}

const (
	pressQuit  press = "q"
	pressEnded press = "e"
	pressPause press = " "
	pressUp    press = "up"
	pressDown  press = "down"
	pressHome  press = "home"
	pressBelow press = "page down"
	pressAbove press = "page up"
)

// pressesOf reads what a terminal sends in raw mode. A sequence that was cut in
// two by reading is taken for nothing.
func pressesOf(b []byte) []press {
	sequences := map[string]press{
		"\x1b[A": pressUp, "\x1b[B": pressDown, "\x1bOA": pressUp, "\x1bOB": pressDown, "\x1b[H": pressHome, "\x1b[1~": pressHome,
		"\x1b[5~": pressAbove, "\x1b[6~": pressBelow,
	}
	var all []press
	for s := string(b); s != ""; {
		if s[0] == '\x1b' {
			found := false
			for sequence, p := range sequences {
				if rest, ok := strings.CutPrefix(s, sequence); ok {
					all, s, found = append(all, p), rest, true
					break
				}
			}
			if !found {
				return all
			}
			continue
		}
		switch c := s[0]; c {
		case 'q', 'Q', 3, 4: // ctrl-C and ctrl-D are keys in raw mode
			all = append(all, pressQuit)
		case 'k':
			all = append(all, pressUp)
		case 'j':
			all = append(all, pressDown)
		case 'g':
			all = append(all, pressHome)
		default:
			all = append(all, press(c))
		}
		s = s[1:]
	}
	return all
}

// pressed is the screen after a key, and whether it goes on.
func (s screen) pressed(p press, height int) (screen, bool) {
	for by, key := range sortKeys {
		if p == key {
			s.Sort, s.Skip = by, 0
			return s, true
		}
	}
	last := 0
	if s.Fleet != nil {
		last = max(0, len(s.sorted())-1)
	}
	switch p {
	case pressQuit:
		return s, false
	case pressEnded:
		s.Ended, s.Skip = !s.Ended, 0
	case pressPause:
		s.Paused = !s.Paused
	case pressUp:
		s.Skip--
	case pressDown:
		s.Skip++
	case pressAbove:
		s.Skip -= height / 2
	case pressBelow:
		s.Skip += height / 2
	case pressHome:
		s.Skip = 0
	}
	s.Skip = min(max(s.Skip, 0), last)
	return s, true
}

// resized is how often the size of the terminal is looked at: it is the same on
// every system, where a signal is not.
const resized = 200 * time.Millisecond

// seen is what one look found.
type seen struct {
	screen screen
	err    error
}

// live draws until somebody quits or ctx ends. Whatever ends it, the terminal is
// left as it was.
func (t *top) live(ctx context.Context, in io.Reader) (err error) {
	fd, ok := in.(interface{ Fd() uintptr })
	if !ok {
		return usageError{errors.New("top is live on a terminal, and this is none: add -once")}
	}
	was, err := term.MakeRaw(int(fd.Fd()))
	if err != nil {
		return fmt.Errorf("prepare the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(int(fd.Fd()), was)) }()
	if _, err := io.WriteString(t.out, otherScreen); err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	defer func() { _, _ = io.WriteString(t.out, ownScreen) }() // there is nobody to tell
	t.show.Keys = true
	ctx, cancel := context.WithCancel(ctx)
	keys, looks := make(chan press), make(chan seen)
	// The reading of keys cannot be interrupted: it ends with the key that ends top,
	// or with the process.
	go func() {
		b := make([]byte, 64)
		for {
			n, err := in.Read(b)
			for _, p := range pressesOf(b[:n]) {
				select {
				case keys <- p:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				cancel() // the terminal is gone
				return
			}
		}
	}()
	looking, first := make(chan struct{}), t.show
	go func() {
		defer close(looking)
		t.looks(ctx, first, looks)
	}()
	defer func() { cancel(); <-looking }()
	return t.draw(ctx, keys, looks)
}

// looks looks again and again, and hands over what it found.
func (t *top) looks(ctx context.Context, s screen, found chan<- seen) {
	for ctx.Err() == nil {
		next, err := t.look(ctx, s)
		if err == nil {
			s = next
		}
		select {
		case found <- seen{s, err}:
		case <-ctx.Done():
			return
		}
		if pause(ctx, t.every) != nil {
			return
		}
	}
}

// draw draws what the looks found, and what the keys ask for.
func (t *top) draw(ctx context.Context, keys <-chan press, looks <-chan seen) error {
	tick := time.NewTicker(resized)
	defer tick.Stop()
	on := true
	for on {
		width, height := sizeOf(t.out)
		redraw := width != t.width || height != t.height
		select {
		case <-ctx.Done():
			return context.Canceled
		case <-tick.C:
		case p := <-keys:
			t.show, on = t.show.pressed(p, height)
			redraw = true
		case found := <-looks:
			if found.err != nil && (t.show.Fleet == nil || ctx.Err() != nil) {
				return found.err
			}
			if found.err != nil {
				t.show.Trouble, redraw = oneLine(sentenceOf(found.err, statusOf(found.err))), true
			} else if !t.show.Paused {
				t.show.Fleet, t.show.Probed, t.show.Past, t.show.Trouble = found.screen.Fleet, found.screen.Probed, found.screen.Past, found.screen.Trouble
				redraw = true
			}
		}
		t.width, t.height = width, height
		if !redraw || !on {
			continue
		}
		if _, err := io.WriteString(t.out, t.drawn()); err != nil {
			return fmt.Errorf("write to the terminal: %w", err)
		}
	}
	return nil
}

// drawn is a frame as a terminal is told to draw it over the one before.
func (t *top) drawn() string {
	text := "looking…"
	if t.show.Fleet != nil {
		text = frame(t.show, t.width, t.height, t.color)
	}
	return fromTop + strings.ReplaceAll(text, "\n", clearRight+"\r\n") + clearRight + clearBelow
}

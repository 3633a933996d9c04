package main

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// part is some text of a line, and how it is shown.
type part struct {
	text string
	mood mood
}

// painter gathers lines that are no wider than the screen.
type painter struct {
	width int
	color bool
	lines []string
}

func (p *painter) line(parts ...part) {
	var b strings.Builder
	left := p.width
	for _, x := range parts {
		text := fit(x.text, left)
		left -= utf8.RuneCountInString(text)
		if p.color && x.mood != plain && strings.TrimSpace(text) != "" {
			text = string(x.mood) + text + calm
		}
		b.WriteString(text)
	}
	line := b.String()
	if !p.color {
		line = strings.TrimRight(line, " ")
	}
	p.lines = append(p.lines, line)
}

func (p *painter) text(height int) string {
	lines := p.lines[:min(len(p.lines), height)]
	for len(lines) < height {
		lines = append(lines, "")
	}
	return strings.Join(lines, "\n")
}

// fit cuts a text to so many characters. What a terminal would obey, or draw in
// two places, is taken out: names are other people's.
func fit(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r >= 0x1100 && (r < 0x2000 || r > 0x2BFF) || r >= 0x300 && r < 0x370 {
			return '?'
		}
		return r
	}, printable(s))
	if most <= 0 {
		return ""
	}
	if n := utf8.RuneCountInString(s); n > most {
		runes := []rune(s)
		if most == 1 {
			return string(runes[:1])
		}
		return string(runes[:most-1]) + "…"
	}
	return s
}

// left and right set a text in a column.
func left(s string, n int) string {
	s = fit(s, n)
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

func right(s string, n int) string {
	s = fit(s, n)
	return strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s))) + s
}

// gauge draws a part of 1 in so many characters, to an eighth of one.
func gauge(of float64, n int) string {
	eighths := int(min(max(of, 0), 1)*float64(8*n) + 0.5)
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return s
}

// spark draws numbers in the heights of one character each.
func spark(of []time.Duration, n int) string {
	of = of[max(0, len(of)-n):]
	if len(of) == 0 {
		return ""
	}
	most := max(slices.Max(of), time.Second)
	var b strings.Builder
	for _, d := range of {
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[min(7, int(7*float64(d)/float64(most)+0.5))])
	}
	return b.String()
}

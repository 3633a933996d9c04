package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
)

// By what top sorts its shards.
const (
	byBehind = "behind"
	byShard  = "shard"
	byOwner  = "owner"
	byLoad   = "load"
	byStill  = "still"
)

// screen is all that a frame of top shows.
type screen struct {
	Application string
	Fleet       *overview.Fleet
	// Probed is how far behind the shards are that were asked, by their keys.
	Probed map[string]time.Duration
	// Trouble is why the last look failed; the picture is the one before then.
	Trouble string
	// Past is how far behind the furthest shard was at each look, the last one last.
	Past []time.Duration
	// Sort is by what shards are sorted, Ended whether finished ones are shown,
	// Paused whether it stands still, and Skip how many shards are scrolled past.
	Sort          string
	Ended, Paused bool
	Skip          int
	// Keys tells whether keys can be pressed.
	Keys bool
}

// smallest is below what a frame says only that it is too small.
const (
	smallestWidth  = 40
	smallestHeight = 8
)

// frame draws a screen: height lines of at most width characters, without a line
// end behind the last.
func frame(s screen, width, height int, color bool) string {
	p := &painter{width: width, color: color}
	if width < smallestWidth || height < smallestHeight {
		p.line(part{fmt.Sprintf("top needs %d×%d", smallestWidth, smallestHeight), plain})
		return p.text(height)
	}
	p.head(s)
	p.workers(s, max(1, min(len(s.Fleet.Workers), (height-8)/3)))
	problems := s.problems(max(0, min(3, (height-12)/2)))
	footer := 1
	if s.Trouble != "" {
		footer++
	}
	p.shards(s, height-len(p.lines)-len(problems)-footer)
	for len(p.lines) < height-len(problems)-footer {
		p.line()
	}
	p.lines = p.lines[:min(len(p.lines), height-len(problems)-footer)]
	for _, problem := range problems {
		p.line(part{"! " + problem, bad})
	}
	if s.Trouble != "" {
		p.line(part{"! the last look failed: " + s.Trouble, warned})
	}
	p.foot(s)
	return p.text(height)
}

// head is what is looked at, and the sums.
func (p *painter) head(s screen) {
	f := s.Fleet
	what := s.Application
	if f.Stream.Name != "" {
		what += " reads " + f.Stream.Name
	}
	clock := f.At.UTC().Format("15:04:05") + " UTC"
	p.line(part{left("towpath top  "+what, p.width-len(clock)-1), strong}, part{" " + clock, quiet})
	parts := []part{{counted(f.Totals.Shards, "shard", "shards"), strong}, {": ", plain}}
	first := true
	for _, b := range []struct {
		state overview.State
		mood  mood
	}{
		{overview.StateHeld, good}, {overview.StateHandingOver, warned}, {overview.StateFree, warned}, {overview.StateOrphaned, bad},
		{overview.StateWaiting, plain}, {overview.StateComing, plain}, {overview.StateHole, bad}, {overview.StateGone, bad},
		{overview.StateFault, bad}, {overview.StatePassed, quiet}, {overview.StateEnded, quiet},
	} {
		if n := f.Totals.By[b.state]; n > 0 {
			if !first {
				parts = append(parts, part{", ", plain})
			}
			first = false
			parts = append(parts, part{fmt.Sprintf("%d %s", n, b.state), b.mood})
		}
	}
	p.line(parts...)
	parts = []part{{counted(f.Totals.Workers, "worker", "workers"), strong}}
	if f.Kind == overview.KindKCL {
		parts = append(parts, part{" of KCL", plain})
	}
	if f.Totals.Load > 0 {
		parts = append(parts, part{fmt.Sprintf("   %.1f KiB/s", f.Totals.Load), plain})
	}
	for _, told := range controlLines(f.Control) {
		parts = append(parts, part{"   " + told, warned})
	}
	if f.Control.Move != "" {
		parts = append(parts, part{"   stands still for a move", bad})
	}
	p.line(parts...)
	worst, exact := s.worst()
	line := []part{{"behind ", plain}, {exactly(worst, exact), s.moodOf(worst)}}
	if len(s.Past) > 1 {
		line = append(line, part{"  " + spark(s.Past, p.width-30), quiet})
	}
	p.line(line...)
	p.line()
}

// worst is the furthest behind that is known, and whether it was asked.
func (s screen) worst() (time.Duration, bool) {
	worst, exact := time.Duration(0), true
	for _, d := range s.Fleet.Shards {
		if behind, asked, known := s.behind(d); known && behind > worst {
			worst, exact = behind, asked
		}
	}
	return worst, exact
}

// behind is how far a shard is behind: as it was asked, else by its row.
func (s screen) behind(d overview.Shard) (behind time.Duration, asked, known bool) {
	if d.State == overview.StateEnded || !d.Row {
		return 0, true, false
	}
	if behind, asked = s.Probed[d.Key]; asked {
		return behind, true, true
	}
	return d.Behind.Of(), false, d.BehindKnown
}

func exactly(d time.Duration, exact bool) string {
	text := "0s"
	if d > 0 {
		text = short(d)
	}
	if !exact {
		text = "≤ " + text
	}
	return text
}

// moodOf is how a time behind is shown: it is a problem near the retention.
func (s screen) moodOf(d time.Duration) mood {
	kept := s.Fleet.Stream.Retention.Of()
	switch {
	case kept > 0 && d > kept*8/10:
		return bad
	case d > time.Minute:
		return warned
	}
	return good
}

// workers are the first rows of them: those that are dead, then those with most
// to do.
func (p *painter) workers(s screen, rows int) {
	names, all := namesOf(s.Fleet), slices.Clone(s.Fleet.Workers)
	slices.SortStableFunc(all, func(a, b overview.Worker) int {
		dead := func(w overview.Worker) int {
			if w.Dead() {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(dead(a), dead(b)), cmp.Compare(b.Leases, a.Leases), cmp.Compare(a.ID, b.ID))
	})
	most := 1
	for _, w := range all {
		most = max(most, w.Leases)
	}
	wide := min(max(14, p.width/4), 40)
	bars := max(4, p.width-wide-42)
	p.line(part{left("WORKER", wide) + " " + left("LIFE", 8) + " " + right("SHARDS", 6) + " " + left("", bars) + " " + right("KIB/S", 8) + " " + right("QUIET", 7) + " CALLS", strong})
	if len(all) == 0 {
		p.line(part{"nobody", quiet})
	}
	for i, w := range all {
		if i == rows-1 && len(all) > rows {
			p.line(part{fmt.Sprintf("and %d more", len(all)-i), quiet})
			break
		}
		life := plain
		switch {
		case w.Dead():
			life = bad
		case w.Life == overview.LifeAlive:
			life = good
		case w.Life == overview.LifeLeaving:
			life = warned
		}
		calls := "-"
		if w.Limited {
			calls = fmt.Sprint(w.Share)
		}
		p.line(part{left(names[w.ID], wide) + " ", plain}, part{left(string(w.Life), 8), life},
			part{" " + right(fmt.Sprint(w.Leases), 6) + " ", plain}, part{left(gauge(float64(w.Leases)/float64(most), bars), bars), good},
			part{" " + right(fmt.Sprintf("%.1f", w.Load), 8) + " " + right(short(w.Still.Of()), 7) + " " + right(calls, 5), plain})
	}
	p.line()
}

// sorted are the shards that are shown.
func (s screen) sorted() []overview.Shard {
	names, all := namesOf(s.Fleet), []overview.Shard{}
	for _, d := range s.Fleet.Shards {
		if s.Ended || d.State != overview.StateEnded && d.State != overview.StatePassed {
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b overview.Shard) int {
		switch s.Sort {
		case byShard:
			return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.ID, b.ID))
		case byOwner:
			return cmp.Or(cmp.Compare(names[a.Owner], names[b.Owner]), cmp.Compare(a.ID, b.ID))
		case byLoad:
			return cmp.Or(cmp.Compare(b.Load, a.Load), cmp.Compare(a.ID, b.ID))
		case byStill:
			return cmp.Or(cmp.Compare(b.Still, a.Still), cmp.Compare(a.ID, b.ID))
		}
		x, _, _ := s.behind(a)
		y, _, _ := s.behind(b)
		return cmp.Or(cmp.Compare(y, x), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// shards are as many of them as there are rows, from the one that is scrolled to.
func (p *painter) shards(s screen, rows int) {
	if rows < 2 {
		return
	}
	names, all := namesOf(s.Fleet), s.sorted()
	worst, _ := s.worst()
	worst = max(worst, time.Second)
	keys := 0
	if p.width >= 96 && slices.ContainsFunc(all, func(d overview.Shard) bool { return d.Part > 0 }) {
		keys = keysWidth + 1
	}
	id, owner := 20, min(max(10, p.width/7), 24)
	bars := max(4, p.width-id-owner-keys-12-9-8-8-5)
	p.line(part{left("SHARD", id) + " " + right("BEHIND", 9) + " " + left("", bars) + " " + left("STATE", 12) + " " + left("OWNER", owner) + " " + left("KEYS", keys) + right("KIB/S", 7) + " " + right("STILL", 7), strong})
	rows--
	skip := min(max(s.Skip, 0), max(0, len(all)-rows))
	shown := all[skip:]
	for i, d := range shown {
		if i == rows-1 && len(shown) > rows {
			p.line(part{fmt.Sprintf("and %d more below", len(shown)-i), quiet})
			break
		}
		behind, asked, known := s.behind(d)
		text, m := "?", plain
		switch {
		case d.State == overview.StateEnded || !d.Row:
			text = "-"
		case known:
			text, m = exactly(behind, asked), s.moodOf(behind)
		}
		where := ""
		if keys > 0 && d.Part > 0 {
			where = span(d.FirstHash, d.LastHash, keysWidth)
		}
		state := d.State.String()
		if d.Paused {
			state = "paused"
		}
		stateMood := moodOf(d)
		if d.State == overview.StateHeld && !d.Paused {
			stateMood = good
		}
		p.line(part{left(labelOf(d), id) + " ", plain}, part{right(text, 9) + " ", m}, part{left(gauge(float64(behind)/float64(worst), bars), bars) + " ", m},
			part{left(state, 12) + " ", stateMood}, part{left(names[d.Owner], owner) + " ", plain}, part{left(where, keys), quiet},
			part{right(fmt.Sprintf("%.1f", d.Load), 7) + " " + right(short(d.Still.Of()), 7), plain})
	}
	if len(all) == 0 {
		p.line(part{"no shard is to be worked", quiet})
	}
}

// problems are the gravest, a line each.
func (s screen) problems(rows int) []string {
	var lines []string
	for i, problem := range s.Fleet.Problems {
		if len(lines) == rows || rows == 0 {
			break
		}
		if len(lines) == rows-1 && len(s.Fleet.Problems) > rows {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(s.Fleet.Problems)-i))
			break
		}
		line := problem.Says
		if problem.Shard != "" {
			line = shard.PlainID(problem.Shard) + ": " + line
		}
		lines = append(lines, oneLine(line))
	}
	return lines
}

// foot is which keys there are.
func (p *painter) foot(s screen) {
	if !s.Keys {
		p.line(part{"sorted by " + s.Sort, quiet})
		return
	}
	line := "q quit  sort: b behind s shard o owner l load t still  e ended  space pause  ↑↓ scroll"
	if p.width < utf8.RuneCountInString(line)+14 {
		line = "q quit  sort b s o l t  e ended  space pause  ↑↓ scroll"
	}
	note := "by " + s.Sort
	if s.Paused {
		note = "PAUSED"
	}
	p.line(part{left(line, p.width-utf8.RuneCountInString(note)-1), quiet}, part{" " + note, warned})
}

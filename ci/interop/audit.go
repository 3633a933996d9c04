package main

import (
	"fmt"
	"strconv"
	"strings"
)

// entry is one line of the ledger: a worker has handled a record.
type entry struct {
	worker, tenure string // a tenure is one worker's time with one shard
	shard          string
	sequence       string
	sub            int64
	key            string // the partition key, and the one that the payload names
	number         int    // of the record among those of its key, from 1
}

// parseEntry reads a line as both kinds of workers write it.
func parseEntry(line string) (entry, error) {
	fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(fields) != 8 {
		return entry{}, fmt.Errorf("ledger line %q has %d fields, want 8", line, len(fields))
	}
	key, digits, _ := strings.Cut(fields[6], " ")
	number, err := strconv.Atoi(digits)
	if err != nil || key != fields[5] {
		return entry{}, fmt.Errorf("ledger line %q: payload %q is not that of a record of key %q", line, fields[6], fields[5])
	}
	sub, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil {
		return entry{}, fmt.Errorf("ledger line %q: %w", line, err)
	}
	return entry{
		worker: fields[0], tenure: fields[0] + "/" + fields[1], shard: fields[2], sequence: fields[3],
		sub: sub, key: key, number: number,
	}, nil
}

// audit holds what was handled against what at-least-once in order means. Lines
// come in the order in which they happened, whichever worker wrote them.
//
//   - The first times of a key's records are in order: 1, 2, 3, ….
//   - A worker that goes back begins at or before the next record that nobody has
//     handled, and from there handles one after the other: what is repeated is a
//     suffix, from its beginning.
//
// Two workers that believe to have a shard at once may interleave: each is judged
// by itself, and so is who was first.
type audit struct {
	keys     map[string]*keyAudit
	tenures  map[string]int // the last number of each tenure and key
	phase    int
	released bool // nothing may be repeated where this phase goes on

	handled, repeated, doubled int
	afterRelease               int
	violations                 []string
}

// keyAudit is what is known of one key.
type keyAudit struct {
	upTo  int              // 1 to upTo have been handled
	place map[int]position // where each record stands in the stream
	phase int              // the last in which one of it was handled
}

type position struct {
	sequence string
	sub      int64
}

func newAudit() *audit {
	return &audit{keys: map[string]*keyAudit{}, tenures: map[string]int{}}
}

// begin says that another fleet goes on from here, and whether the one before
// let go in such a way that it repeats nothing.
func (a *audit) begin(released bool) {
	a.phase++
	a.released = released
}

func (a *audit) enter(e entry) {
	k := a.keys[e.key]
	if k == nil {
		k = &keyAudit{place: map[int]position{}}
		a.keys[e.key] = k
	}
	at := position{e.sequence, e.sub}
	if was, ok := k.place[e.number]; ok && was != at {
		a.doubled++ // the producer put it twice, having had no answer
		return
	}
	k.place[e.number] = at

	tenure := e.tenure + " " + e.key
	last, known := a.tenures[tenure]
	a.tenures[tenure] = e.number
	switch {
	case known && e.number != last+1:
		a.violate(e, "after %d by the same worker", last)
	case !known && e.number > k.upTo+1:
		a.violate(e, "although only %d were handled before", k.upTo)
	}
	if first := k.phase != a.phase; first && a.released && e.number <= k.upTo {
		a.afterRelease++
	}
	k.phase = a.phase
	if e.number <= k.upTo {
		a.repeated++
		return
	}
	a.handled++
	k.upTo = e.number
}

func (a *audit) violate(e entry, format string, args ...any) {
	a.violations = append(a.violations, fmt.Sprintf("%s number %d in %s at %s.%d by %s: %s",
		e.key, e.number, e.shard, e.sequence, e.sub, e.tenure, fmt.Sprintf(format, args...)))
}

// seen is whether every key has been handled in this phase, by a fleet which
// therefore has every shard.
func (a *audit) seen(keys []string) bool {
	for _, key := range keys {
		if k := a.keys[key]; k == nil || k.phase != a.phase {
			return false
		}
	}
	return true
}

// missing is how many of the records that were accepted have not been handled,
// and the first of them by name.
func (a *audit) missing(accepted map[string]int) (count int, names []string) {
	for key, last := range accepted {
		k := a.keys[key]
		for number := 1; number <= last; number++ {
			if k != nil {
				if _, ok := k.place[number]; ok {
					continue
				}
			}
			if count++; len(names) < 10 {
				names = append(names, key+" "+strconv.Itoa(number))
			}
		}
	}
	return count, names
}

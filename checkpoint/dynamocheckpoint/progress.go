package dynamocheckpoint

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// progress is a write that moves the position, with what it writes beside: the
// attributes that depend on the position are set, taken away or left. A position that
// no row may hold is an error.
func progress(w write, held shard.Lease, p checkpoint.Progress) (write, values, error) {
	for _, at := range slices.Concat([]shard.Position{p.Position, p.Suspect}, slices.Collect(maps.Values(p.Marks))) {
		// AT_TIMESTAMP need not have a time: the row's own stays.
		if err := at.Validate(); err != nil && !at.IsAtTime() {
			return w, nil, fmt.Errorf("%s %s: %w", w.name, held.Key, err)
		}
	}
	v := values{":seq": text(sequenceOf(p.Position)), ":sub": number(p.Position.Sub)}
	put := func(name, value string) { w.set += ", " + name + " = " + value }
	drop := func(name string) { w.remove += ", " + name }

	// The arrival belongs to the checkpointed record: one that is not known
	// must not stay behind from the record before.
	switch {
	case !p.Arrived.IsZero():
		put("lastArrivalMs", ":arrived")
		v[":arrived"] = number(millis(p.Arrived))
	case p.Position.Compare(held.Checkpoint) != 0:
		drop("lastArrivalMs")
	}
	if !p.ReadUpTo.IsZero() {
		put("readUpToMs", ":upTo")
		v[":upTo"] = number(millis(p.ReadUpTo))
	}
	if p.Load > 0 {
		put("throughputKBps", ":load")
		v[":load"] = rate(p.Load)
	}
	// A word is pinned to its time until a record takes its place.
	switch at := startAt(p.Position); {
	case at > 0:
		put("startAtMs", ":startAt")
		v[":startAt"] = number(at)
	case !p.Position.IsLatest() && !p.Position.IsAtTime():
		drop("startAtMs")
	}
	if marks := marksOf(p.Marks); marks != nil {
		put("marks", ":marks")
		v[":marks"] = marks
	} else {
		drop("marks")
	}
	if p.Suspect == (shard.Position{}) {
		drop("suspect")
		drop("suspectSub")
		drop("suspectCrashes")
		drop("suspectHandler")
	} else {
		put("suspect", ":suspect")
		put("suspectSub", ":suspectSub")
		put("suspectCrashes", ":crashes")
		v[":suspect"], v[":suspectSub"] = text(sequenceOf(p.Suspect)), number(p.Suspect.Sub)
		v[":crashes"] = number(int64(p.SuspectCrashes))
		if p.SuspectHandler != "" {
			put("suspectHandler", ":suspectHandler")
			v[":suspectHandler"] = text(p.SuspectHandler)
		} else {
			drop("suspectHandler")
		}
	}
	return w, v, nil
}

// seenBy are the values that a condition asks for: the row as the writer holds
// it, and the writer.
func seenBy(held shard.Lease, me string) values {
	return values{
		":me":      text(me),
		":counter": number(held.Counter),
		":next":    number(held.Counter + 1),
		":prev":    text(sequenceOf(held.Checkpoint)),
		":owner":   text(held.Owner),
		":holder":  text(held.CheckpointOwner),
		":end":     text(sequenceOf(shard.End())),
		":trim":    text(sequenceOf(shard.TrimHorizon())),
		":zero":    number(0),
		":one":     number(1),
	}
}

// and adds values.
func (v values) and(more values) values {
	maps.Copy(v, more)
	return v
}

// sequenceOf is what stands in the row: the zero Position is written as a word.
func sequenceOf(p shard.Position) string {
	if p.Sequence == "" {
		return shard.TrimHorizon().Sequence
	}
	return p.Sequence
}

// startAt is the time beside LATEST or AT_TIMESTAMP, in milliseconds; 0 if the
// position has none.
func startAt(p shard.Position) int64 {
	if !p.IsLatest() && !p.IsAtTime() {
		return 0
	}
	return millis(p.At)
}

// millis is a time in milliseconds since 1970; 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

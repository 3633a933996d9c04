package consumer

import (
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// mergeProgress is the progress of a shard whose handlers are as far as of says:
// the shard is where the slowest of them is, and everything has been read and
// finished up to the earliest time that one of them names.
func mergeProgress(of map[string]checkpoint.Progress) checkpoint.Progress {
	var all checkpoint.Progress
	for name, p := range of {
		first := all.Marks == nil
		if first {
			all.Marks = map[string]shard.Position{}
		}
		all.Marks[name] = p.Position
		if first || p.Position.Compare(all.Position) < 0 {
			all.Position, all.Arrived = p.Position, p.Arrived
		}
		all.Load = max(all.Load, p.Load) // they read the same
		if first || p.ReadUpTo.Before(all.ReadUpTo) {
			all.ReadUpTo = p.ReadUpTo
		}
		for handler, state := range p.States {
			if all.States == nil {
				all.States = map[string][]byte{}
			}
			all.States[handler] = state
		}
		all.Effects = append(all.Effects, p.Effects...)
	}
	return all
}

// progressOf is how far a handler is by a row: where its mark is, or where the
// shard is if it has none. Marks are believed only as long as the lowest of them
// is the row's position: if somebody has moved that by hand, it holds for all.
func progressOf(row shard.Lease, handler string) checkpoint.Progress {
	p := checkpoint.Progress{Position: row.Checkpoint, Arrived: row.LastArrival, ReadUpTo: row.ReadUpTo}
	at, ok := checkpoint.Marks(row)[handler]
	if ok && at.Compare(row.Checkpoint) != 0 {
		p.Position, p.Arrived = at, time.Time{} // when that one arrived is not known
	}
	return p
}

// strangers are the marks of handlers that are not among these.
func strangers(row shard.Lease, parts []part) map[string]shard.Position {
	found := map[string]shard.Position{}
	for name, at := range row.Marks {
		found[name] = at
	}
	for _, p := range parts {
		delete(found, p.name)
	}
	return found
}

// asBefore is a progress that leaves a row's positions as they are.
func asBefore(row shard.Lease) checkpoint.Progress {
	return checkpoint.Progress{Position: row.Checkpoint, Arrived: row.LastArrival, Marks: row.Marks}
}

// placeOf is where a reader begins for a handler.
func placeOf(p checkpoint.Progress) place {
	return place{after: p.Position, arrived: p.Arrived, readUpTo: p.ReadUpTo}
}

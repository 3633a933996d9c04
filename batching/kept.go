package batching

import (
	"slices"

	"github.com/towpath/towpath/shard"
)

// Kept are those of the emitted records that are to be sent on after a call with
// the given records, in the order of the records they were made of: what was
// made of a record that the verdict finishes as handled. What was made of a
// rejected record, or of one that is not done, is dropped; the next attempt
// makes it anew. What was made of a record of an earlier call, or of none, is
// kept if all of this call is settled.
func Kept(emitted []Emitted, records []shard.Record, v Verdict) []Emitted {
	if len(emitted) == 0 {
		return nil
	}
	done := make(map[shard.Position]bool, len(records))
	for i := range records {
		done[records[i].Position()] = i < v.Handled
	}
	for _, r := range v.Rejected {
		done[records[r.Index].Position()] = false
	}
	kept := make([]Emitted, 0, len(emitted))
	for _, e := range emitted {
		keep := v.Handled == len(records)
		if e.Of != nil {
			if ok, here := done[e.Of.Position()]; here {
				keep = ok
			}
		}
		if keep {
			kept = append(kept, e)
		}
	}
	InOrder(kept)
	return kept
}

// InOrder sorts emitted records by those they were made of; what was made of one
// record stays in the order of its making, and what was made of none goes last.
func InOrder(emitted []Emitted) {
	slices.SortStableFunc(emitted, func(a, b Emitted) int {
		switch {
		case a.Of == nil || b.Of == nil:
			return rank(a) - rank(b)
		default:
			return a.Of.Position().Compare(b.Of.Position())
		}
	})
}

func rank(e Emitted) int {
	if e.Of == nil {
		return 1
	}
	return 0
}

package overview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// order is how grave each kind of problem is, the gravest first.
var order = []Trouble{
	TroubleRecreated, TroubleGone, TroubleLost, TroubleHole, TroubleFault, TroubleRetention, TroubleOrphan, TroubleSilent,
	TroubleSuspect, TroubleMove, TroubleUnread,
}

// nearRetention is which part of the retention a shard may be behind before that
// is a problem.
const nearRetention = 0.8

// troubles are what is wrong, the gravest first. Gaps are told only if they were
// there in the picture before, or there is none: while a shard ends, one look may
// see a gap that the next does not.
func (f *Fleet) troubles(p Parts, holes []shard.Hole, twice bool) []Problem {
	var all []Problem
	add := func(kind Trouble, shardID, worker, says string, args ...any) {
		all = append(all, Problem{Kind: kind, Shard: shardID, Worker: worker, Says: fmt.Sprintf(says, args...)})
	}
	if n, made := recreated(p); n > 0 {
		add(TroubleRecreated, "", "", "%d rows are of a stream that was created at %s, and the one that is there now at %s: their positions mean nothing in it",
			n, made.UTC().Format(time.RFC3339), p.Stream.CreatedAt.UTC().Format(time.RFC3339))
	}
	for _, h := range holes {
		if h.Shard != "" {
			add(TroubleHole, shard.PlainID(h.Shard), "", "%s", h.Why)
		} else if twice {
			add(TroubleHole, "", "", "%s", h)
		}
	}
	for _, s := range f.Shards {
		f.ofShard(s, add)
	}
	for _, w := range f.Workers {
		if w.Life == LifeSilent && w.Leases > 0 {
			add(TroubleSilent, "", w.ID, "%s gives no sign of life for %s and holds %d shards", w.Name, spoken(w.Still.Of().Round(time.Second)), w.Leases)
		}
	}
	if f.Control.Move != "" {
		add(TroubleMove, "", "", "the fleet stands still for a move of all positions: %s", f.Control.Move)
	}
	for _, err := range p.Unread {
		add(TroubleUnread, "", "", "%v", err)
	}
	slices.SortStableFunc(all, func(a, b Problem) int {
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
	return all
}

// ofShard adds what is wrong with one shard.
func (f *Fleet) ofShard(s Shard, add func(kind Trouble, shardID, worker, says string, args ...any)) {
	switch s.State {
	case StateGone:
		add(TroubleGone, s.ID, s.Holder(), "the stream does not list it any more, and it is at %s: what came behind that is lost", s.Position)
	case StateFault:
		add(TroubleFault, s.ID, s.Holder(), "%s", s.Fault)
	case StateOrphaned:
		add(TroubleOrphan, s.ID, s.Holder(), "its owner %s has no session that lives", s.Holder())
	}
	if s.Lost {
		add(TroubleLost, s.ID, "", "its rest was trimmed before it was read")
	}
	if s.Suspect != "" && s.Crashes > 0 {
		add(TroubleSuspect, s.ID, s.Holder(), "%d processes have died on the record %s", s.Crashes, s.Suspect)
	}
	if kept := f.Stream.Retention.Of(); kept > 0 && s.BehindKnown && s.State != StateEnded && float64(s.Behind) > nearRetention*float64(kept) && !idle(s) {
		add(TroubleRetention, s.ID, s.Holder(), "it may be %s behind, and records are kept for %s", spoken(s.Behind.Of().Round(time.Minute)), spoken(kept))
	}
}

// spoken is a duration without the units that are nothing: 24h, 1h30m.
func spoken(d time.Duration) string {
	s := d.String()
	if cut, ok := strings.CutSuffix(s, "m0s"); ok {
		s = cut + "m"
	}
	if cut, ok := strings.CutSuffix(s, "h0m"); ok {
		s = cut + "h"
	}
	return s
}

// idle reports whether a row says that all had been read and finished after its
// last record arrived: what it is behind since is then for want of records.
func idle(s Shard) bool { return s.ReadUpTo.After(s.LastArrival) }

// recreated counts the rows that are of another stream than the one that is there,
// and says when that was created.
func recreated(p Parts) (n int, made time.Time) {
	if p.Unlisted || p.Stream.CreatedAt.IsZero() {
		return 0, made
	}
	for _, row := range p.Rows {
		if _, _, many := shard.SplitID(row.Key); many || row.StreamCreated.IsZero() || row.Fault != nil {
			continue
		}
		if !row.StreamCreated.Truncate(time.Second).Equal(p.Stream.CreatedAt.Truncate(time.Second)) {
			n, made = n+1, row.StreamCreated
		}
	}
	return n, made
}

package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// offers is what one worker knows of free leases that fall to others: to whom,
// since when, and how many leases that one had then. Whoever lives and can reach
// the table takes its own within the time between two looks into its inbox. One
// that does not has died a moment ago, or is cut off from the table: it is passed
// over, long before that shows in its session. If it was only slow, somebody has a
// lease more than it for a while.
type offers struct {
	timing timing
	to     map[string]offered // by worker
	told   map[string]bool    // leases that this worker was told of by whoever plans
}

// offered is what has fallen to one worker.
type offered struct {
	since time.Duration
	held  int // leases it had at the time: whoever takes some is at it
}

func newOffers(t timing) *offers {
	return &offers{timing: t, to: map[string]offered{}, told: map[string]bool{}}
}

// patience is how long a worker has to take what falls to it: it looks into its
// inbox in that time, and at the table.
func (t timing) patience() time.Duration { return 3 * t.mailbox }

// plan is what this worker does, with those passed over that do not take what
// falls to them.
func (o *offers) plan(v shard.View, now time.Duration) shard.Moves {
	held := map[string]int{}
	for _, l := range v.Leases {
		if !l.Free {
			held[l.Owner]++
		}
	}
	for i, w := range v.Workers {
		was, ok := o.to[w.ID]
		switch {
		case !ok || w.ID == v.Me:
		case was.held != held[w.ID] || now-was.since > o.timing.lease:
			delete(o.to, w.ID)
		case now-was.since >= o.timing.patience() && !w.New:
			v.Workers[i].Silent = true
		}
	}
	moves := shard.Plan(v)
	if o.deafen(&v, moves, now, held) {
		moves = shard.Plan(v)
	}
	clear(o.told)
	waiting := map[string]bool{}
	for _, offer := range moves.Offers {
		waiting[offer.To] = true
		if _, ok := o.to[offer.To]; !ok {
			o.to[offer.To] = offered{since: now, held: held[offer.To]}
		}
	}
	maps.DeleteFunc(o.to, func(id string, was offered) bool { return !waiting[id] && now-was.since < o.timing.patience() })
	return moves
}

// deafen has those passed over to whom leases fall that this worker was told to
// take: whoever told it had waited for them.
func (o *offers) deafen(v *shard.View, moves shard.Moves, now time.Duration, held map[string]int) (again bool) {
	for _, offer := range moves.Offers {
		if !o.told[offer.Key] {
			continue
		}
		o.to[offer.To] = offered{since: now - o.timing.patience(), held: held[offer.To]}
		i := slices.IndexFunc(v.Workers, func(w shard.WorkerView) bool { return w.ID == offer.To })
		v.Workers[i].Silent, again = true, true
	}
	return again
}

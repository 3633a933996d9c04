package dashboard

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// passings are the hand-overs that two looks at the tables tell of: who had a
// shard, and who has it. They are later and coarser than what hooks tell, and
// tell of other processes.
type passings struct {
	list []handover
	last int64
}

// see compares two looks: that of now with the one at since.
func (p *passings) see(since, now time.Time, before, after tables) {
	for _, id := range slices.Sorted(maps.Keys(after.owners)) {
		was, known := before.owners[id]
		is := after.owners[id]
		if !known || was == is || was == "" && !p.open(id) {
			continue
		}
		at := now.UnixMilli()
		if was == "" { // it was let go before, and has been taken
			p.join(id, is, at)
			continue
		}
		how := howTaken
		switch {
		case after.ended[id]:
			how = howFinished
		case is == "":
			how = howLet
		case before.next[id] == is:
			how = howHanded
		}
		p.last--
		p.list = entered(p.list, handover{ID: p.last, At: at, Shard: id, From: was, To: is, How: how, Took: -1, Gap: -1, since: since.UnixMilli()})
	}
}

// open reports whether a shard was seen to be let go and not to be taken.
func (p *passings) open(id string) bool {
	return slices.ContainsFunc(p.list, func(h handover) bool { return h.Shard == id && h.How == howLet && h.To == "" })
}

// join notes who has taken what was let go.
func (p *passings) join(id, to string, at int64) {
	for i := len(p.list) - 1; i >= 0; i-- {
		if h := &p.list[i]; h.Shard == id && h.How == howLet && h.To == "" {
			h.To, h.Gap = to, max(0, at-h.At)
			return
		}
	}
}

// with are those that hooks told of and these, without those that hooks have told
// of as well, in order of time.
func (p *passings) with(told []handover) []handover {
	all := slices.Clone(told)
	for _, h := range p.list {
		same := func(o handover) bool {
			return o.Shard == h.Shard && (o.From == h.From || o.To == h.To && h.To != "") && o.At > h.since-around && o.At < h.At+around
		}
		if !slices.ContainsFunc(told, same) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b handover) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	return all[max(0, len(all)-mostEntries):]
}

// around is by how much sooner or later, in milliseconds, a hook may tell of a
// hand-over than the two looks between which it is seen.
const around = 15_000

package shard

import (
	"cmp"
	"slices"
	"sort"
)

// What load is evened for: two workers whose loads are further apart than a fifth
// of the mean, by an exchange that takes at least a quarter of the difference
// away. Less is not worth the pause of a hand-over.
const (
	evenFrom = 0.2
	evenGain = 0.25
)

// evens is the exchange, or the move, that evens the load of the heaviest and the
// lightest worker best. None if the fleet is not at rest: then loads are those of
// a moment ago.
func (f *fleet) evens(v View) []Ask {
	heavy, light, mean := f.extremes(v)
	if heavy == nil || v.LeastLoad <= 0 {
		return nil
	}
	apart := heavy.load - light.load
	if apart < v.LeastLoad || apart < evenFrom*mean {
		return nil
	}
	given, taken := f.movable(heavy), f.movable(light)
	var best []Ask
	least := apart * (1 - evenGain)
	try := func(after float64, asks ...Ask) {
		if after = max(after, -after); after < least || best == nil && after == least {
			best, least = asks, after
		}
	}
	room := heavy.held > light.held && (light.MaxLeases == 0 || light.held < light.MaxLeases)
	for _, l := range given {
		ask := Ask{Key: l.Key, From: heavy.ID, To: light.ID}
		if room {
			try(apart-2*l.Load, ask)
		}
		// The best partner is lighter by half of what is between the workers.
		i := sort.Search(len(taken), func(i int) bool { return taken[i].Load >= l.Load-apart/2 })
		for _, j := range []int{i - 1, i} {
			if j >= 0 && j < len(taken) && taken[j].Load < l.Load {
				try(apart-2*(l.Load-taken[j].Load), ask, Ask{Key: taken[j].Key, From: light.ID, To: heavy.ID})
			}
		}
	}
	slices.SortFunc(best, func(a, b Ask) int { return cmp.Compare(a.Key, b.Key) })
	return best
}

// extremes are the heaviest and the lightest worker, and the mean of all loads;
// nil if somebody comes, goes or is not one of ours, or a hand-over is under way.
func (f *fleet) extremes(v View) (heavy, light *worker, mean float64) {
	for _, l := range f.leases {
		if l.Free || l.CheckpointOwner != "" {
			return nil, nil, 0
		}
	}
	for _, w := range f.workers {
		if w.Leaving || w.Silent || w.Foreign || w.Age < v.Settle {
			return nil, nil, 0
		}
		if heavy == nil || w.load > heavy.load {
			heavy = w
		}
		if light == nil || w.load < light.load {
			light = w
		}
		mean += w.load / float64(len(f.workers))
	}
	if heavy == light {
		return nil, nil, 0
	}
	return heavy, light, mean
}

// movable are the leases of a worker that may be asked for, the lightest first.
func (f *fleet) movable(w *worker) []LeaseView {
	var all []LeaseView
	for _, l := range f.leases {
		if l.Owner == w.ID && !l.Spare {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b LeaseView) int { return cmp.Or(cmp.Compare(a.Load, b.Load), cmp.Compare(a.Key, b.Key)) })
	return all
}

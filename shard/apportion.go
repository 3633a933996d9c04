package shard

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Apportion shares the fleet's limit out over its workers. C is the control row
// as it stands, and the sessions are all there are, read strongly consistent
// after it. Turn is a number that grows by one every so often: while there are
// more workers with shards than calls, it says whose turn it is. The answer is
// c itself if there is nothing to change; otherwise it is to be written as the
// generation behind c's, if c still stands.
//
// The invariant, where w are the workers that may act, is
//
//	Σ may(w) ≤ Limit        may(w) = max(Calls, Ceiling) of w's share
//
// and may(w) is never less than what w runs. It holds because
//
//  1. a share is lowered at once, but counts as its ceiling, which is what it
//     was before, until the worker's session says that it keeps to the lower
//     one;
//  2. a share is raised only by what the sum leaves free;
//  3. a share goes away only with its worker's session: when the worker has
//     deleted it, which it does last, or it was revoked, and then the worker
//     has stopped before, by its own clock;
//  4. a worker that is not named runs nothing;
//  5. of two that apportion at once, one is refused.
//
// A limit that is lowered lowers the shares, so that the sum may exceed the limit
// until the last worker has answered; nothing is raised until it no longer does.
// So it is with a limit that begins: a worker may run what it likes until it
// learns of it, which Kept knows.
//
// Shares are proportional to the shards that the workers hold, and each worker
// with shards gets one call at least. Where the limit is less than that, turns
// are taken. A worker that is leaving gets no more than it has.
func Apportion(c Control, sessions []Session, turn int64) Control {
	if !c.Limited {
		return c
	}
	shares := settled(c, sessions)
	live := map[string]Session{}
	for _, s := range sessions {
		if s.Alive() {
			live[s.ID] = s
		}
	}
	goals := fair(c.Limit, live, turn)
	for id, s := range live {
		if s.Leaving {
			goals[id] = min(goals[id], shares[id].Calls)
		}
	}
	for id, share := range shares {
		if goal := goals[id]; goal < share.Calls {
			share.Calls, share.Gen, share.Ceiling = goal, c.Gen+1, max(share.Calls, share.Ceiling)
			shares[id] = share
		}
	}
	free := c.Limit - committed(shares)
	for _, id := range neediest(goals, shares) {
		if free < 0 {
			break // not even up to its own ceiling: others may be above theirs still
		}
		share := shares[id]
		may := max(share.Calls, share.Ceiling)
		calls := min(goals[id], may+free)
		free -= max(0, calls-may)
		share.Calls, share.Ceiling = calls, max(calls, share.Ceiling)
		shares[id] = share
	}
	// Nothing, and known to be nothing, need not be written.
	maps.DeleteFunc(shares, func(_ string, s Share) bool { return s.Calls == 0 && s.Ceiling == 0 })
	if maps.Equal(shares, c.Shares) {
		return c
	}
	c.Shares = shares
	c.Gen++
	return c
}

// settled are the shares that still count, without the ceilings of workers that
// have answered.
func settled(c Control, sessions []Session) map[string]Share {
	shares := map[string]Share{}
	for _, s := range sessions {
		if !s.Alive() {
			continue
		}
		if share, named := c.Shares[s.ID]; named {
			if s.ShareGen >= share.Gen {
				share.Ceiling = share.Calls
			}
			shares[s.ID] = share
		}
	}
	return shares
}

// committed is how many calls may be running.
func committed(shares map[string]Share) int {
	sum := 0
	for _, s := range shares {
		sum += max(s.Calls, s.Ceiling)
	}
	return sum
}

// neediest are the workers with less than their goal: those with nothing first,
// then by id.
func neediest(goals map[string]int, shares map[string]Share) []string {
	var ids []string
	for id, goal := range goals {
		if shares[id].Calls < goal {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(min(shares[a].Calls, 1), min(shares[b].Calls, 1)), cmp.Compare(a, b))
	})
	return ids
}

// fair is what each worker should have.
func fair(limit int, live map[string]Session, turn int64) map[string]int {
	goals := map[string]int{}
	var ids []string
	load := map[string]float64{}
	for id, s := range live {
		if s.Load > 0 {
			ids = append(ids, id)
			load[id] = min(s.Load, 1e6) // a shard is one; more than this is no load
		}
	}
	slices.Sort(ids)
	if limit <= 0 || len(ids) == 0 {
		return goals
	}
	if n := int64(len(ids)); int64(limit) < n {
		first := (turn % n) * int64(limit) % n
		for i := range int64(limit) {
			goals[ids[(first+i+n)%n]] = 1
		}
		return goals
	}
	// One for everybody whose part is less than that, and the rest by load.
	rest := ids
	for {
		total := 0.0
		for _, id := range rest {
			total += load[id]
		}
		small := func(id string) bool { return goals[id] == 0 && float64(limit)*load[id] < total }
		var more []string
		for _, id := range rest {
			if small(id) {
				goals[id] = 1
			} else {
				more = append(more, id)
			}
		}
		if len(more) == len(rest) {
			byLargestRemainder(goals, rest, load, limit, total)
			return goals
		}
		limit -= len(rest) - len(more)
		rest = more
	}
}

// byLargestRemainder shares n out over the ids in proportion to their load.
func byLargestRemainder(goals map[string]int, ids []string, load map[string]float64, n int, total float64) {
	over := map[string]float64{}
	left := n
	for _, id := range ids {
		part := float64(n) * load[id] / total
		goals[id] = int(part)
		over[id] = part - math.Floor(part)
		left -= goals[id]
	}
	order := slices.Clone(ids)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(over[b], over[a]) })
	for i := 0; i < left && len(order) > 0; i++ {
		goals[order[i%len(order)]]++
	}
}

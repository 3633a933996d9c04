package shard

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Moves is what a worker does in this round, each part sorted by key.
type Moves struct {
	// Take are the free leases that fall to this worker.
	Take []string
	// Offers are the free leases that fall to others, with the worker as To.
	// They need not be told, as they find out by themselves; told, they do so at
	// once.
	Offers []Ask
	// Unplaced are the free leases that fall to nobody, as every worker has as many
	// as it takes.
	Unplaced []string
	// Ask are the hand-overs to ask for; only the planner has any.
	Ask []Ask
	// Even are the hand-overs to ask for because of the load: none, one, or two
	// that are an exchange. Only the planner has any, in a fleet that is at rest.
	Even []Ask
	// Withdraw are the hand-overs to take back; only the planner has any.
	Withdraw []string
}

// Ask is a hand-over to be asked of From.
type Ask struct{ Key, From, To string }

// String shows the hand-over as key from→to.
func (a Ask) String() string { return a.Key + " " + a.From + "→" + a.To }

// Empty reports whether there is nothing to do.
func (m Moves) Empty() bool { return len(m.Take)+len(m.Ask)+len(m.Even)+len(m.Withdraw) == 0 }

// String shows the moves on one line.
func (m Moves) String() string {
	var parts []string
	if len(m.Take) > 0 {
		parts = append(parts, "take "+strings.Join(m.Take, " "))
	}
	for _, a := range m.Ask {
		parts = append(parts, "ask "+a.String())
	}
	for _, a := range m.Even {
		parts = append(parts, "even "+a.String())
	}
	if len(m.Withdraw) > 0 {
		parts = append(parts, "withdraw "+strings.Join(m.Withdraw, " "))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Plan says what the worker does so that every lease has an owner and no worker
// has two leases more than another.
//
// A worker that is silent keeps what it holds, and the others share the rest: what
// falls free while it dies would else wait until that is certain.
//
// Each worker that is not leaving has a quota of ⌊n/w⌋ or ⌈n/w⌉ of the n
// runnable leases, or its MaxLeases if that is less. Those that hold more keep
// the larger quota, so that a fleet within one lease of balance is left alone.
// Free leases are given out by rendezvous among the workers below their quota;
// everybody computes the same, and takes its own share in one round. What an
// owner has over its quota, the planner asks it to hand over to those that are
// still below. The planner is the worker with the smallest id that is neither
// idle, silent nor leaving. Two planners at once, or two views that differ a little, cost
// a refused write and nothing else.
//
// In a fleet that is at rest the planner then evens the load: the heaviest worker
// gives a lease to the lightest, or exchanges one with it where they hold as many,
// if that brings the two closer by a good part.
func Plan(v View) Moves {
	f := muster(v)
	f.setQuotas()
	var m Moves
	for _, l := range f.free {
		best := f.best(l.Key)
		if l.Left && (best == nil || best.Foreign) {
			best = f.lightest(l.Key)
		}
		if best == nil {
			m.Unplaced = append(m.Unplaced, l.Key)
			continue // every worker has what it may have
		}
		best.held++
		switch {
		case best.Foreign: // it finds out by itself
		case best.ID == v.Me:
			m.Take = append(m.Take, l.Key)
		default:
			m.Offers = append(m.Offers, Ask{Key: l.Key, To: best.ID})
		}
	}
	if v.ByRelease {
		m.Ask = slices.DeleteFunc(f.asks(v), func(a Ask) bool { return a.From != v.Me })
		return m
	}
	if f.planner() != v.Me {
		return m
	}
	m.Withdraw = f.overdue(v.HandoverTimeout)
	m.Ask = f.asks(v)
	if m.Empty() && len(m.Offers)+len(m.Unplaced) == 0 {
		m.Even = f.evens(v)
	}
	return m
}

// fleet is a View put in order.
type fleet struct {
	workers []*worker // by id; all that live
	byID    map[string]*worker
	leases  []LeaseView // runnable ones, by key
	free    []LeaseView
}

// worker is a WorkerView with what it holds and may hold.
type worker struct {
	WorkerView
	hash  uint64
	load  float64
	held  int // leases that are its own now, or will be by a hand-over
	quota int
}

// room is how many leases the worker lacks.
func (w *worker) room() int {
	if w.Leaving {
		return 0
	}
	return w.quota - w.held
}

// muster sorts the view, drops what is of no account, and counts.
func muster(v View) *fleet {
	f := &fleet{byID: make(map[string]*worker, len(v.Workers))}
	for _, w := range v.Workers {
		if _, twice := f.byID[w.ID]; twice || w.ID == "" {
			continue
		}
		f.byID[w.ID] = &worker{WorkerView: w, hash: hashString(w.ID)}
		f.workers = append(f.workers, f.byID[w.ID])
	}
	if !slices.ContainsFunc(f.workers, func(w *worker) bool { return !w.Silent && !w.Leaving }) {
		for _, w := range f.workers {
			w.Silent = false
		}
	}
	slices.SortFunc(f.workers, func(a, b *worker) int { return cmp.Compare(a.ID, b.ID) })
	for _, l := range v.Leases {
		if l.Runnable {
			f.leases = append(f.leases, l)
		}
	}
	slices.SortStableFunc(f.leases, func(a, b LeaseView) int { return cmp.Compare(a.Key, b.Key) })
	f.leases = slices.CompactFunc(f.leases, func(a, b LeaseView) bool { return a.Key == b.Key })
	for _, l := range f.leases {
		if l.Free || l.Owner == "" {
			f.free = append(f.free, l)
			continue
		}
		if w := f.keeper(l); w != nil {
			w.held++
			w.load += l.Load
		}
	}
	return f
}

// keeper is the worker a lease counts for: the target of a hand-over if it can
// take it, else the holder. It is nil if that one is dead.
func (f *fleet) keeper(l LeaseView) *worker {
	if l.CheckpointOwner != "" && f.lost(l.Owner) {
		return f.byID[l.CheckpointOwner]
	}
	return f.byID[l.Owner]
}

// lost reports whether a worker can not receive a lease any more.
func (f *fleet) lost(id string) bool {
	w := f.byID[id]
	return w == nil || w.Leaving
}

// setQuotas fills the workers evenly, like water in vessels of different height:
// MaxLeases is the height, the leases are the water. What is left over after the
// last whole level, less than one lease for each, goes first to those that hold
// most, then in an order that follows from the ids alone.
func (f *fleet) setQuotas() {
	var open []*worker
	left := len(f.leases)
	for _, w := range f.workers {
		switch {
		case w.Leaving:
		case w.Silent:
			w.quota = w.held
			left -= w.held
		default:
			open = append(open, w)
		}
	}
	for {
		if len(open) == 0 {
			return
		}
		level := left / len(open)
		rest := open[:0:0]
		for _, w := range open {
			if w.MaxLeases > 0 && w.MaxLeases <= level {
				w.quota = w.MaxLeases
				left -= w.quota
				continue
			}
			rest = append(rest, w)
		}
		if len(rest) == len(open) {
			break
		}
		open = rest
	}
	slices.SortFunc(open, func(a, b *worker) int {
		return cmp.Or(cmp.Compare(b.held, a.held), cmp.Compare(a.hash, b.hash), cmp.Compare(a.ID, b.ID))
	})
	level, extra := left/len(open), left%len(open)
	for i, w := range open {
		w.quota = level
		if i < extra {
			w.quota++
		}
	}
}

// best is the worker with room for which a lease scores highest; nil if none has
// room. Equal scores go to the lighter load, then to the smaller id.
func (f *fleet) best(key string) *worker {
	var best *worker
	var high uint64
	h := hashString(key)
	for _, w := range f.workers {
		if w.room() <= 0 {
			continue
		}
		s := rendezvous(w.hash, h)
		if best == nil || s > high || s == high && w.load < best.load {
			best, high = w, s
		}
	}
	return best
}

// lightest is the worker of ours that holds least, whatever its quota; of equals,
// the one for which the lease scores highest. Nil if none may have more.
func (f *fleet) lightest(key string) *worker {
	h := hashString(key)
	var best *worker
	for _, w := range f.workers {
		if w.Leaving || w.Silent || w.Foreign || w.MaxLeases > 0 && w.held >= w.MaxLeases {
			continue
		}
		if best == nil || w.held < best.held || w.held == best.held && rendezvous(w.hash, h) > rendezvous(best.hash, h) {
			best = w
		}
	}
	return best
}

// planner is the worker that asks and withdraws. If all are idle, somebody has
// to begin.
func (f *fleet) planner() string {
	for _, idleToo := range []bool{false, true} {
		for _, w := range f.workers {
			if !w.Leaving && !w.Foreign && (idleToo || !w.Idle && !w.Silent) {
				return w.ID
			}
		}
	}
	return ""
}

// overdue are the hand-overs that have stood too long, or whose target can not
// take them. A holder that is leaving, or dead, ends them by itself.
func (f *fleet) overdue(timeout time.Duration) []string {
	var keys []string
	for _, l := range f.leases {
		if l.CheckpointOwner == "" || l.Free || f.lost(l.CheckpointOwner) {
			continue
		}
		if f.lost(l.Owner) || timeout > 0 && l.Asked > timeout {
			keys = append(keys, l.Key)
		}
	}
	return keys
}

// asks are the hand-overs that bring the owners down to their quota.
func (f *fleet) asks(v View) []Ask {
	for _, w := range f.workers {
		if w.room() > 0 && w.Age < v.Settle && !w.Foreign {
			return nil
		}
	}
	type offer struct {
		lease LeaseView
		score uint64 // of the lease for its own owner
	}
	offers := make(map[string][]offer)
	for _, l := range f.leases {
		w := f.byID[l.Owner]
		if w == nil || w.Leaving || w.Foreign || l.Free || l.Spare || l.CheckpointOwner != "" || w.held <= w.quota {
			continue
		}
		offers[w.ID] = append(offers[w.ID], offer{l, rendezvous(w.hash, hashString(l.Key))})
	}
	var asks []Ask
	for _, w := range f.workers {
		mine := offers[w.ID]
		// What belongs least with its owner goes first; of equals, the heavier.
		slices.SortFunc(mine, func(a, b offer) int {
			return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(b.lease.Load, a.lease.Load), cmp.Compare(a.lease.Key, b.lease.Key))
		})
		bound := v.Moves
		if bound <= 0 {
			bound = max(1, w.held/10)
		}
		for _, o := range mine {
			if v.Moves > 0 && len(asks) >= v.Moves || bound == 0 || w.held <= w.quota {
				break
			}
			to := f.best(o.lease.Key)
			if to == nil {
				break
			}
			if to.Foreign { // what it lacks, it takes by itself
				to.held++
				continue
			}
			to.held++
			w.held--
			bound--
			asks = append(asks, Ask{Key: o.lease.Key, From: w.ID, To: to.ID})
		}
	}
	slices.SortFunc(asks, func(a, b Ask) int { return cmp.Compare(a.Key, b.Key) })
	return asks
}

// rendezvous is the score of a lease for a worker, both as hashes. The lease
// belongs where it scores highest, so that a worker that joins draws from all
// others alike, and one that leaves spreads over them.
func rendezvous(worker, lease uint64) uint64 {
	h := worker ^ (lease<<32 | lease>>32)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// hashString is FNV-1a with 64 bits.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// peers is what one worker knows of the others' sessions, and since when, by its
// own clock. No clock of another host is believed.
type peers struct {
	byID   map[string]*checkpoint.Sighting
	read   time.Duration // when the last reading arrived
	timing timing
}

func newPeers(t timing) *peers {
	return &peers{byID: map[string]*checkpoint.Sighting{}, timing: t}
}

// news is what a reading of the sessions says of who is there. Of two, the
// greater one counts.
type news int

const (
	nothingNew news = iota
	// somebodyMoved: a worker came, or began to leave. It sees to its own; what
	// the others have too much of now, the planner sees to.
	somebodyMoved
	// somebodyLeft: as a rule with all its leases given away.
	somebodyLeft
	// somebodyDied: its leases may be taken.
	somebodyDied
)

// observe takes a reading of the sessions table that arrived at now, and reports
// who came, died, left or began to leave. The reading may be stale: a beat that
// is lower than one seen before proves nothing.
func (p *peers) observe(rows []shard.Session, now time.Duration) (heard news) {
	p.read = now
	listed := make(map[string]bool, len(rows))
	for _, row := range rows {
		listed[row.ID] = true
		known, ok := p.byID[row.ID]
		if !ok {
			first := checkpoint.Sight(row, now)
			p.byID[row.ID] = &first
			if row.Alive() {
				heard = max(heard, somebodyMoved)
			}
			continue
		}
		was := known.Row
		*known = known.See(row, now)
		if known.Row.Leaving != was.Leaving {
			heard = max(heard, somebodyMoved)
		}
		if known.Row.Alive() != was.Alive() {
			heard = somebodyDied
		}
	}
	for id, known := range p.byID {
		if !listed[id] {
			if known.Row.Alive() {
				heard = max(heard, somebodyLeft)
			}
			delete(p.byID, id)
		}
	}
	return heard
}

// silent lists the live sessions without a beat for the lease duration: the ones
// to revoke. Next is when the next one will be, if none beats before.
func (p *peers) silent(me string, now time.Duration) (dead []shard.Session, next time.Duration) {
	next = now + p.timing.lease
	for _, id := range slices.Sorted(maps.Keys(p.byID)) {
		known := p.byID[id]
		if id == me || !known.Row.Alive() {
			continue
		}
		if at := known.SilentAt(p.timing.term()); at <= now {
			dead = append(dead, known.Row)
		} else {
			next = min(next, at)
		}
	}
	return dead, next
}

// planTimeout is how long a worker's plan counter may stand still before it is
// not trusted to plan.
const planTimeout = 30 * time.Second

// views is the live fleet as the planner sees it.
func (p *peers) views(now time.Duration) []shard.WorkerView {
	var views []shard.WorkerView
	for _, id := range slices.Sorted(maps.Keys(p.byID)) {
		if known := p.byID[id]; known.Row.Alive() {
			views = append(views, shard.WorkerView{
				ID: id, Age: now - known.First, Leaving: known.Row.Leaving, MaxLeases: known.Row.MaxLeases,
				Idle: now-known.PlansSeen > planTimeout, Silent: p.quiet(known), New: known.Row.Plans == 0,
			})
		}
	}
	return views
}

// quiet reports whether a live worker has missed its last beats. The time is that
// of the last reading: whoever was paused knows nothing of the others' beats since.
func (p *peers) quiet(known *checkpoint.Sighting) bool {
	return known.Row.Alive() && p.read-known.Seen > p.timing.quiet
}

// quietOnes is how many have.
func (p *peers) quietOnes() (n int) {
	for _, known := range p.byID {
		if p.quiet(known) {
			n++
		}
	}
	return n
}

// live reports whether a worker is known to live and is not about to leave.
func (p *peers) live(id string) bool {
	known, ok := p.byID[id]
	return ok && known.Row.Alive() && !known.Row.Leaving
}

// seenToBeat reports whether a live worker has been seen to beat since this one knows
// it, and lately.
func (p *peers) seenToBeat(id string, now time.Duration) bool {
	known, ok := p.byID[id]
	return ok && known.Row.Alive() && known.Seen > known.First && now-known.Seen < p.timing.lease/2
}

// standing is what is known of the holder of a lease.
type standing int

const (
	holderLives   standing = iota
	holderDead             // revoked: its leases may be taken
	holderUnknown          // it has no session; see watch
)

func (p *peers) standing(holder string) standing {
	known, ok := p.byID[holder]
	switch {
	case !ok:
		return holderUnknown
	case known.Row.Alive():
		return holderLives
	}
	return holderDead
}

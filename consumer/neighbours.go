package consumer

import (
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// orphan is a lease whose owner had no session when it was looked for.
type orphan struct {
	holder  string
	counter int64
	since   time.Duration // on the worker's clock, from when the counter stands still
	// based is set when the counter was read after the session was seen absent:
	// one that moves from there is moved by somebody who has none.
	based bool
}

// see is the orphan after another reading of its row, which was answered at now,
// and whether it has moved as another library's do: its owner has no session and is
// at work. One of our own, which is known by its id, may have had its session
// deleted by hand: it goes on until its next heartbeat tells it, and what it wrote
// last may arrive later still.
func (o orphan) see(row shard.Lease, now time.Duration) (seen orphan, moved bool) {
	switch {
	case o.holder != row.Holder():
		return orphan{holder: row.Holder(), counter: row.Counter, since: now}, false
	case o.counter != row.Counter:
		return orphan{holder: o.holder, counter: row.Counter, since: now, based: true}, o.based && !isWorkerID(o.holder)
	}
	o.based = true
	return o, false
}

// How long a neighbour's sign is waited for: a little longer than it lets pass
// between two, and not at all for one that was given longer ago than stale, by
// its writer's own account.
const (
	signGrace = 5 * time.Second
	signStale = 10 * time.Second
)

// lookout decides, at the start of a run, whether the leases of owners without a
// session belong to a fleet of another library that lives. It is a decision: it
// is told what was read, and when.
type lookout struct {
	table   string
	lease   time.Duration // for how long a counter that does not move is watched
	beside  bool          // whether KCL 2 is expected to be at work
	orphans map[string]orphan
	signs   map[string]sign // by row

	refusal error
	assigns string // the row that says that a leader gives out the leases
}

// sign is what a neighbour said, since when, and until when another is waited for.
type sign struct {
	neighbour    checkpoint.Neighbour
	since, until time.Duration
}

func newLookout(table string, lease time.Duration, beside bool) *lookout {
	if table == "" {
		table = "the lease table"
	} else {
		table = "table " + table
	}
	return &lookout{table: table, lease: lease, beside: beside, orphans: map[string]orphan{}, signs: map[string]sign{}}
}

// rows takes a reading of the leases that was answered at now. Absent tells of an
// owner that it had no session before the leases were read.
func (l *lookout) rows(rows []shard.Lease, absent func(owner string) bool, now time.Duration) {
	orphans := map[string]orphan{}
	for _, row := range rows {
		if row.Fault != nil || row.Finished() || row.Holder() == "" || !absent(row.Holder()) {
			continue
		}
		known, ok := l.orphans[row.Key]
		if !ok || known.holder != row.Holder() {
			orphans[row.Key] = orphan{holder: row.Holder(), counter: row.Counter, since: now, based: true}
			continue
		}
		seen, moved := known.see(row, now)
		orphans[row.Key] = seen
		if moved {
			l.moved(row, known.counter)
		}
	}
	l.orphans = orphans
}

// moved takes note of a lease that somebody without a session renews.
func (l *lookout) moved(row shard.Lease, was int64) {
	at := fmt.Sprintf("%s: worker %s, which is not towpath's, is at work: its lease %s has moved from counter %d to %d while it was watched",
		l.table, row.Holder(), row.Key, was, row.Counter)
	switch {
	case l.assigns != "":
		l.refuse("%s, and %s says that its fleet goes by the rules of KCL 3: stop that fleet first", at, l.assigns)
	case !l.beside:
		l.refuse("%s: stop that fleet first, or, if it is KCL 2, set BesideKCL2, and LeaseDuration to its failoverTimeMillis", at)
	}
}

// neighbours takes a reading of what another library keeps beside its leases.
// Service is the service's time, which only tells whether to wait.
func (l *lookout) neighbours(all []checkpoint.Neighbour, now time.Duration, service time.Time) {
	for _, n := range all {
		if n.Assigns() {
			l.assigns = n.Row
		}
		if n.Sign == "" {
			continue
		}
		known, ok := l.signs[n.Row]
		if ok && known.neighbour.Sign != n.Sign {
			l.refuse("%s: a fleet of KCL 3 is at work: worker %s has written %s while it was watched; its leader gives out the leases, and this library's workers would fight it: stop that fleet first",
				l.table, n.Worker, n.Row)
			continue
		}
		if !ok {
			known = sign{neighbour: n, since: now, until: now}
			if age := service.Sub(n.At); !n.At.IsZero() && age < n.Every+signStale {
				// The next one is due, by its writer's clock, before that.
				known.until = now + min(n.Every+signStale-age, n.Every+signGrace)
			}
			l.signs[n.Row] = known
		}
	}
}

func (l *lookout) refuse(format string, args ...any) {
	if l.refusal == nil {
		l.refusal = fmt.Errorf(format+": %w", append(args, ErrNeighbours)...)
	}
}

// verdict says whether the run may begin (0, nil), is refused, or has to go on
// watching for so long at most.
func (l *lookout) verdict(now time.Duration) (wait time.Duration, refused error) {
	if l.refusal != nil {
		return 0, l.refusal
	}
	until := now
	for _, s := range l.signs {
		until = max(until, s.until)
	}
	if !l.beside || l.assigns != "" {
		for _, o := range l.orphans {
			until = max(until, o.since+l.lease)
		}
	}
	return until - now, nil
}

// watched names what is being watched, for the log: the owners, in order.
func (l *lookout) watched() []string {
	var names []string
	for _, o := range l.orphans {
		names = append(names, o.holder)
	}
	for _, s := range l.signs {
		names = append(names, s.neighbour.Worker)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

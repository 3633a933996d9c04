package consumer

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// missing is the rows to create, pinned to the service's time where they begin
// at the tip.
func (f *fleet) missing(rows []shard.Lease) []shard.Lease {
	if f.streams != nil {
		return f.missingOfEach(rows)
	}
	stream, listed := f.stream, f.listed
	stream.Now = f.serviceNow()
	if len(rows) == 0 {
		// The pin of the very first start is the time the stream was described,
		// which is before anything the user can have put after calling Run. The
		// shards are those from before that time: one that was closed since may
		// have records from after it, and its children wait for its end.
		stream.Now = f.stream.Now
		if f.beforeTip != nil {
			listed = f.beforeTip
		}
	}
	return shard.NewLineage(listed, rows).Missing(f.cfg.StartingPosition, stream)
}

// overdue is the missing rows that are to be created now. One that may have been
// deleted under its owner's hands has been missing for the lease duration first,
// and until every worker that may be that owner has looked for its rows: an owner
// that can finds out, and puts its row back where it stood.
func (f *fleet) overdue(missing []shard.Lease) (due []shard.Lease) {
	now, next := f.clock.Elapsed(), f.upkeepAt
	absences := map[string]*absence{}
	f.mu.Lock()
	for _, row := range missing {
		if row.CreatedFrom != "repair" {
			due = append(due, row)
			continue
		}
		a := f.audit.missing[row.Key]
		if a == nil {
			a = f.peers.absence(now)
		}
		absences[row.Key] = a
		if wait := max(a.since+f.timing.lease-now, f.peers.working(a)); wait <= 0 {
			due = append(due, row)
		} else {
			next = min(next, now+wait)
		}
	}
	f.mu.Unlock()
	f.audit.missing, f.upkeepAt = absences, next
	return due
}

// absence is a row that is not there and once stood.
type absence struct {
	since  time.Duration     // on the clock of whoever found it missing
	owners map[string]*owner // workers that may work its shard, by id
}

// owner is what has been seen of a worker that may work a shard whose row is
// missing.
type owner struct {
	beat  int64 // when the row was found missing
	fresh bool  // it has beaten since, so that looks is from then
	looks int64
}

// absence is that of a row which was found missing at now.
func (p *peers) absence(now time.Duration) *absence {
	a := &absence{since: now, owners: map[string]*owner{}}
	for id, known := range p.byID {
		if known.Row.Alive() {
			a.owners[id] = &owner{beat: known.Row.Beat}
		}
	}
	return a
}

// afterBeats is how many beats later a session's row is surely younger than a
// reading of it: the reading may be a beat old, and one beat may be under way.
const afterBeats = 3

// working reports how long a missing row is to be left alone because of workers
// that may work its shard: zero if none can. A worker that lives does so until it
// has looked for its rows twice, of which it began the second time when the row was
// missing already. That it beats says nothing about that: the table of the leases
// may be out of its reach and that of the sessions not.
func (p *peers) working(a *absence) (wait time.Duration) {
	later := p.timing.sweep / 2 // a run of the maintenance each time: not more often than there is news
	for id, o := range a.owners {
		known, ok := p.byID[id]
		switch {
		case !ok || !known.Row.Alive():
			delete(a.owners, id)
		case !o.fresh:
			if known.Row.Beat >= o.beat+afterBeats {
				o.fresh, o.looks = true, known.Row.Looks
			}
			wait = later
		case known.Row.Looks >= o.looks+2:
			delete(a.owners, id)
		default:
			wait = later
		}
	}
	return wait
}

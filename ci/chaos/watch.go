package main

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/shard"
)

// trouble is a time in which something was done to a worker. A worker that is
// dead is in trouble for ever.
type trouble struct{ from, to time.Duration }

const forEver = time.Duration(math.MaxInt64)

// handled is who handled the last record of a key or of a shard.
type handled struct {
	worker, shard string
	at            time.Duration
}

// gap is a shard whose owner has died or stands still: nobody has handled any of
// its keys since.
type gap struct {
	victim, shard string
	from          time.Duration
	closed        bool // a key of it has been handled by another
	disturbed     bool // the next owner was disturbed as well
}

// watch measures how long shards are without an owner. It believes the ledger
// alone: what counts is that records are handled again.
//
// A fail-over is from the death of a shard's owner to the first record of any of
// its keys that another has handled; a key has a record several times a second.
// A hand-over is from the last record of a shard that one worker has handled to
// the first that the next has, where nobody did anything to either. Where the
// next owner was disturbed too, it is counted apart.
type watch struct {
	keys     map[string]handled
	shards   map[string]handled
	waiting  map[string]*gap // by key
	troubles map[string][]*trouble
	owners   map[string]string        // of lease rows, by shard, where they are known
	upset    map[string]time.Duration // shards whose row was deleted, until when they are not judged
	ended    map[string]bool          // shards whose end is written

	failovers, handovers []time.Duration
	disturbed            []time.Duration // fail-overs
	repeatedAfterGiving  int             // records handled again although their worker was let to end in peace
	slow                 func(format string, args ...any)
}

// What takes longer is told.
const (
	slowFailover = 12 * time.Second
	slowHandover = time.Second
)

func newWatch(slow func(format string, args ...any)) *watch {
	return &watch{slow: slow, keys: map[string]handled{}, shards: map[string]handled{}, waiting: map[string]*gap{}, troubles: map[string][]*trouble{},
		owners: map[string]string{}, upset: map[string]time.Duration{}, ended: map[string]bool{}}
}

// harm notes that something is done to a worker, and returns what ends it.
func (w *watch) harm(worker string, at time.Duration) (heal func(at time.Duration)) {
	t := &trouble{from: at, to: forEver}
	w.troubles[worker] = append(w.troubles[worker], t)
	// Whoever has just taken a shard over and handled nothing yet.
	for _, g := range w.waiting {
		if w.owners[g.shard] == worker && g.victim != worker {
			g.disturbed = true
		}
	}
	for id, owner := range w.owners {
		if owner == worker && w.shards[id].worker != worker {
			w.upset[id] = max(w.upset[id], at+leaseDuration+recovery)
		}
	}
	return func(at time.Duration) { t.to = at + recovery }
}

// recovery is how long a worker may feel what is over.
const recovery = 5 * time.Second

// dies notes that a worker is dead, or stands still for longer than it can own
// anything.
func (w *watch) dies(worker string, at time.Duration) {
	gaps := map[string]*gap{}
	for key, last := range w.keys {
		if last.worker != worker || w.waiting[key] != nil {
			continue
		}
		g := gaps[last.shard]
		if g == nil {
			g = &gap{victim: worker, shard: last.shard, from: at, disturbed: w.upset[last.shard] > at || w.ended[last.shard]}
			gaps[last.shard] = g
		}
		w.waiting[key] = g
	}
}

// troubled is whether something was done to a worker in a span of time.
func (w *watch) troubled(worker string, from, to time.Duration) bool {
	return slices.ContainsFunc(w.troubles[worker], func(t *trouble) bool { return t.from <= to && t.to >= from })
}

// enter takes the next line of the ledger.
func (w *watch) enter(e ledger.Entry, repeats bool) {
	if g := w.waiting[e.Key]; g != nil && (e.Worker != g.victim || e.At > g.from) {
		delete(w.waiting, e.Key)
		if e.Worker != g.victim && !g.closed {
			g.closed = true
			took := e.At - g.from
			disturbed := ""
			if g.disturbed || w.troubled(e.Worker, g.from, e.At) || w.upset[g.shard] > g.from {
				w.disturbed = append(w.disturbed, took)
				disturbed = ", disturbed"
			} else {
				w.failovers = append(w.failovers, took)
			}
			if took > slowFailover {
				w.slow("%s of %s was handled by nobody for %v, and by %s then%s", g.shard, g.victim, took.Round(time.Millisecond), e.Worker, disturbed)
			}
		}
	} else if last, ok := w.shards[e.Shard]; ok && last.worker != e.Worker {
		if !w.troubled(last.worker, last.at-recovery, e.At) && !w.troubled(e.Worker, last.at, e.At) && w.upset[e.Shard] < last.at {
			w.handovers = append(w.handovers, e.At-last.at)
			if e.At-last.at > slowHandover {
				w.slow("%s went from %s to %s in %v", e.Shard, last.worker, e.Worker, (e.At - last.at).Round(time.Millisecond))
			}
			if repeats {
				w.repeatedAfterGiving++
			}
		}
	}
	at := handled{e.Worker, e.Shard, e.At}
	w.keys[e.Key], w.shards[e.Shard] = at, at
}

// row takes a write of the lease table: who holds which shard.
func (w *watch) row(r row) {
	if r.given != "" || r.unparseable {
		return
	}
	if r.deleted {
		w.upset[r.shard] = forEver // until there is a row again
		return
	}
	if w.upset[r.shard] == forEver {
		w.upset[r.shard] = r.at + recovery
	}
	if r.checkpoint == shard.End().Sequence {
		// What comes next of its keys is its children's, which may have to wait for
		// another parent.
		w.ended[r.shard] = true
		for _, g := range w.waiting {
			g.disturbed = g.disturbed || g.shard == r.shard
		}
	}
	holder := r.holder()
	if holder != w.owners[r.shard] && w.shards[r.shard].worker != holder && w.troubled(holder, r.at-time.Second, r.at) {
		w.upset[r.shard] = max(w.upset[r.shard], r.at+leaseDuration+recovery) // it was given to somebody who is dead by now
	}
	w.owners[r.shard] = holder
}

// row is a write of the lease table, as awsMain enters it.
type row struct {
	at                   time.Duration
	shard                string
	owner, holding       string // the second while a hand-over is asked for
	counter              int64
	checkpoint           string
	sub, seek            int64
	deleted, unparseable bool
	given                string // no row: the record with this sequence number was accepted by the queue
}

// parseRow reads a line.
func parseRow(line string) row {
	f := strings.Split(line, "\t")
	at, err := strconv.ParseInt(f[0], 10, 64)
	switch {
	case err == nil && len(f) == 2:
		return row{at: time.Duration(at), shard: f[1], deleted: true}
	case err == nil && len(f) == 4 && f[2] == "given":
		return row{at: time.Duration(at), shard: f[1], given: f[3]}
	case err != nil || len(f) != 8:
		return row{unparseable: true}
	}
	r := row{at: time.Duration(at), shard: f[1], owner: f[2], holding: f[3], checkpoint: f[5]}
	r.counter, err = strconv.ParseInt(f[4], 10, 64)
	r.unparseable = err != nil
	r.sub, _ = strconv.ParseInt(f[6], 10, 64)  // absent is 0
	r.seek, _ = strconv.ParseInt(f[7], 10, 64) // likewise
	return r
}

// holder is the worker that may write the position.
func (r row) holder() string {
	name, _, _ := strings.Cut(cmp.Or(r.holding, r.owner), "/")
	return name
}

// percentile is the smallest duration that a share of all does not exceed, in
// milliseconds; 0 of none.
func percentile(all []time.Duration, share float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	at := max(0, int(math.Ceil(share*float64(len(sorted))))-1)
	return math.Round(float64(sorted[at])/1e5) / 10
}

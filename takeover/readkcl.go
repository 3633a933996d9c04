package takeover

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// readKCL reads a table of KCL's, or our own, which has the same rows.
func (f Facts) readKCL(r *Report) {
	counters := map[string]string{}
	for _, row := range f.First {
		counters[word(row, "leaseKey")] = word(row, "leaseCounter")
	}
	writers := map[dynamocheckpoint.Writer]bool{}
	marks := map[string]bool{} // attributes that tell versions
	workers := map[string]*Worker{}
	var leases []shard.Lease
	many, single := 0, 0
	for _, row := range f.Second {
		l, ok := dynamocheckpoint.LeaseOf(row)
		if !ok {
			continue
		}
		for name := range row {
			writers[dynamocheckpoint.WriterOf(name)] = true
			marks[name] = true
		}
		seen := f // with the listing of the row's stream, if that is the one that was named
		if key, id, ofMany := shard.SplitID(l.Key); ofMany {
			many++
			if this, err := shard.KeyOf(f.Stream); err == nil && key.SameName(this) {
				l.Shard, l.Parents, l.Children = id, plain(l.Parents), plain(l.Children)
				leases = append(leases, l)
			} else {
				seen.Listed = false
			}
		} else {
			single++
			leases = append(leases, l)
		}
		s := Shard{
			Key: l.Key, ID: l.Shard, Owner: l.Holder(), Position: positionOf(word(row, "checkpoint"), word(row, "checkpointSubSequenceNumber")),
			Pending: positionOf(word(row, "pendingCheckpoint"), word(row, "pendingCheckpointSubSequenceNumber")),
		}
		if l.Fault != nil {
			s.Trouble, s.Fate = faultOf(l), "is left alone, and its children wait"
		} else {
			s.Fate = seen.fateOf(l.Shard, l.Checkpoint, true)
			if l.Finished() {
				r.Finished++
			}
		}
		if s.Pending != "" {
			s.Fate += "; its prepared checkpoint is dropped"
		}
		if l.CheckpointOwner != "" {
			s.Fate += fmt.Sprintf("; it is being handed over to %s", l.Owner)
		}
		r.Shards = append(r.Shards, s)
		if s.Owner == "" || l.Fault == nil && l.Finished() {
			continue
		}
		w := workers[s.Owner]
		if w == nil {
			w = &Worker{ID: s.Owner}
			workers[s.Owner] = w
		}
		w.Leases++
		if before, both := counters[l.Key]; both && before != word(row, "leaseCounter") {
			w.AtWork, w.Sign = true, "the counter of "+l.Key+" moved"
		}
	}
	for id, sign := range f.changed() {
		if workers[id] == nil {
			workers[id] = &Worker{ID: id}
		}
		workers[id].AtWork, workers[id].Sign = true, sign
	}
	for _, w := range workers {
		r.Workers = append(r.Workers, *w)
	}
	f.versionOf(r, writers, marks)
	f.beside(r)
	f.againstKCL(r, many, single)
	f.uncovered(r, leases)
	f.quiet(r)
}

func plain(ids []string) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = shard.PlainID(id)
	}
	return all
}

// isOwn reports whether an owner is a worker of towpath: a prefix without a slash,
// and 64 random bits. Other libraries name theirs by a UUID, or as users want it.
func isOwn(worker string) bool {
	_, random, cut := strings.Cut(worker, "/")
	return cut && len(random) == 16 && strings.Trim(random, "0123456789abcdef") == ""
}

// quiet says what the looks do not prove of owners of which nothing moved.
func (f Facts) quiet(r *Report) {
	if r.Library != KCL || len(r.Workers) == 0 || slices.ContainsFunc(r.Workers, func(w Worker) bool { return w.AtWork }) {
		return
	}
	r.Beside = append(r.Beside, fmt.Sprintf("rows name workers of which nothing moved for %v: KCL renews a lease every third of its failoverTimeMillis, 10 s by default, and a -watch as long as that is sure", f.Apart))
}

// faultOf is a row's fault without its key, which stands beside it.
func faultOf(l shard.Lease) string {
	_, why, cut := strings.Cut(l.Fault.Error(), ": ")
	if !cut {
		return l.Fault.Error()
	}
	return why
}

// versionOf tells which KCL it is by what its rows have.
func (f Facts) versionOf(r *Report, writers map[dynamocheckpoint.Writer]bool, marks map[string]bool) {
	r.Library = KCL
	switch {
	case writers[dynamocheckpoint.WriterTowpath]:
		r.Library, r.Why = Towpath, "its rows have attributes that only towpath writes"
		if slices.ContainsFunc(r.Workers, func(w Worker) bool { return w.AtWork }) {
			r.Why += "; who is at work may be towpath or KCL: see towpath workers"
		}
		return
	case marks["entityType"]:
		r.Version, r.Why = "3.5 or later", "its rows have an entityType"
	case len(f.After) > 0:
		r.Version, r.Why = "3.x", "it keeps a leader, metrics or a migration beside its leases"
	case marks["throughputKBps"] || marks["checkpointOwner"]:
		r.Version, r.Why = "3.x", "its rows have a throughput or a checkpoint owner"
	case slices.Contains(f.Indexes, "LeaseOwnerToLeaseKeyIndex"):
		r.Version, r.Why = "3.x", "it has the index by owner"
	case marks["startingHashKey"]:
		r.Version, r.Why = "1.14 or later, or 2.x", "its rows have ranges of hashes and nothing of 3.x"
	case len(r.Shards) == 0:
		r.Why = "its key is leaseKey, and it has no rows"
	default:
		r.Version, r.Why = "1.x, or an early 2.x", "its rows have no ranges of hashes"
	}
}

// beside tells what KCL 3 keeps beside its leases.
func (f Facts) beside(r *Report) {
	for _, n := range f.After {
		switch {
		case n.Kind == checkpoint.NeighbourMigration:
			rules := "by its own rules of 2.x"
			if n.Assigns() {
				rules = "by a leader, as KCL 3 does"
			}
			r.Beside = append(r.Beside, fmt.Sprintf("%s: %s, so that leases are given out %s; left as it is", n.Row, n.Mode, rules))
		default:
			r.Beside = append(r.Beside, fmt.Sprintf("%s: the %s of %s; left as it is, and only read", n.Row, kindOf(n), n.Worker))
		}
	}
}

func (f Facts) againstKCL(r *Report, many, single int) {
	if f.Misfit != nil {
		r.obstacle(f.Misfit.Error(), "fork the positions into a table that fits")
	}
	var lives []string
	for _, w := range r.Workers {
		if w.AtWork {
			lives = append(lives, w.ID)
		}
	}
	assigns := slices.ContainsFunc(f.After, checkpoint.Neighbour.Assigns)
	if r.Library == Towpath {
		lives = slices.DeleteFunc(lives, isOwn)
	}
	switch {
	case len(lives) == 0:
	case r.Library == Towpath:
		r.obstacle("workers are at work that are not towpath's, as after a way back to KCL: "+some(lives), "stop them before towpath is started again, unless they are to work side by side (BesideKCL2, docs/kcl.md)")
	case assigns || strings.HasPrefix(r.Version, "3"):
		r.obstacle("a fleet of KCL 3 is at work: "+some(lives), "stop it; towpath refuses to start beside it")
	default:
		r.obstacle("a fleet of KCL is at work: "+some(lives), "stop it, or roll over side by side with BesideKCL2 (docs/kcl.md)")
	}
	if many > 0 && single > 0 {
		r.obstacle(fmt.Sprintf("%d rows are of many streams and %d of a single one: no application reads both", many, single), "delete the rows of the kind that is not used any more")
	}
	if f.Listed && f.Stream.ARN != shard.ManyStreams && many > 0 && single == 0 {
		r.obstacle("its rows are of many streams, and a single one is named", "take it over with a source of many streams (docs/streams.md)")
	}
}

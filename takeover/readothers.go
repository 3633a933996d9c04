package takeover

import (
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// readVMware reads a table of vmware-go-kcl's.
func (f Facts) readVMware(r *Report) {
	r.Library, r.Version, r.Why = VMware, "1 or 2", "its key is ShardID"
	before := map[string]Row{}
	for _, row := range f.First {
		before[word(row, "ShardID")] = row
	}
	workers := map[string]*Worker{}
	var leases []shard.Lease
	for _, row := range f.Second {
		id, at := word(row, "ShardID"), word(row, "Checkpoint")
		s := Shard{Key: id, ID: id, Owner: word(row, "AssignedTo"), Position: at}
		p := f.foreign(r, &s, at)
		if at == "" {
			s.Fate = "has no position, and begins at the oldest record"
		}
		r.Shards = append(r.Shards, s)
		leases = append(leases, shard.Lease{Key: id, Shard: id, Checkpoint: p, Parents: parentOf(row)})
		if s.Owner == "" || p.IsEnd() {
			continue
		}
		if workers[s.Owner] == nil {
			workers[s.Owner] = &Worker{ID: s.Owner}
		}
		w := workers[s.Owner]
		w.Leases++
		until, err := time.Parse(time.RFC3339, word(row, "LeaseTimeout"))
		switch {
		case before[id] != nil && (word(before[id], "LeaseTimeout") != word(row, "LeaseTimeout") || word(before[id], "Checkpoint") != at):
			w.AtWork, w.Sign = true, "its lease of "+id+" moved"
		case err == nil && until.After(f.Now) && w.Sign == "":
			w.AtWork, w.Sign = true, "its lease of "+id+" runs until "+until.UTC().Format(time.RFC3339)+" by its own clock"
		}
	}
	for _, w := range workers {
		r.Workers = append(r.Workers, *w)
	}
	f.livingOthers(r, "what it goes on to write is not seen by a fork")
	f.uncovered(r, leases)
}

func parentOf(row Row) []string {
	if p := word(row, "ParentShardId"); p != "" {
		return []string{p}
	}
	return nil
}

// readHarlow reads the rows of one application in harlow's store.
func (f Facts) readHarlow(r *Report) {
	r.Library, r.Why = Harlow, "its key is namespace and shard_id"
	namespace := f.Application + "-" + f.Stream.Name
	var others []string
	before := map[string]string{}
	for _, row := range f.First {
		if word(row, "namespace") == namespace {
			before[word(row, "shard_id")] = word(row, "sequence_number")
		}
	}
	moved := ""
	var leases []shard.Lease
	for _, row := range f.Second {
		if name := word(row, "namespace"); name != namespace {
			others = append(others, name)
			continue
		}
		id, at := word(row, "shard_id"), word(row, "sequence_number")
		s := Shard{Key: id, ID: id, Position: at}
		leases = append(leases, shard.Lease{Key: id, Shard: id, Checkpoint: f.foreign(r, &s, at)})
		if f.Listed && !slices.ContainsFunc(f.Shards, func(listed shard.Shard) bool { return listed.ID == id }) {
			s.Fate = "is left out: the stream does not list it any more, and the store does not note ends"
		}
		r.Shards = append(r.Shards, s)
		if was, seen := before[id]; seen && was != at {
			moved = id
		}
	}
	if moved != "" {
		r.Workers = append(r.Workers, Worker{ID: "its consumer", AtWork: true, Sign: "the position of " + moved + " moved"})
	}
	f.livingOthers(r, "what it goes on to write is not seen by a fork")
	slices.Sort(others)
	if others = slices.Compact(others); len(others) > 0 {
		r.Beside = append(r.Beside, "rows of other applications or streams, by namespace: "+some(others))
	}
	grouped := func(row Row) bool { return strings.HasPrefix(word(row, "shard_id"), "LEASE#") }
	switch {
	case len(r.Shards) > 0:
	case slices.ContainsFunc(f.Second, grouped):
		r.obstacle("it is the lease table of a consumer group, which has no positions", "name the table of the group's store with -table")
	default:
		r.obstacle("it has no rows of namespace "+namespace, "name the application as its consumers do, with -application, and the stream by its name")
	}
	f.uncovered(r, leases)
	if moved == "" && len(r.Shards) > 0 {
		r.Beside = append(r.Beside, "its consumers write a position a minute at most: that nothing moved does not prove that they are stopped")
	}
}

// foreign fills in what becomes of a position that is a sequence number or the end.
func (f Facts) foreign(r *Report, s *Shard, at string) shard.Position {
	p := shard.Position{Sequence: at}
	if at == "" {
		p = shard.TrimHorizon()
	}
	if err := p.Validate(); err != nil || p.IsLatest() || p.IsAtTime() {
		s.Trouble, s.Fate = "its position is neither a sequence number nor SHARD_END", "stops the fork"
		return p
	}
	if s.Fate = f.fateOf(s.ID, p, false); p.IsEnd() {
		r.Finished++
	}
	return p
}

func (f Facts) livingOthers(r *Report, why string) {
	var lives []string
	for _, w := range r.Workers {
		if w.AtWork {
			lives = append(lives, w.ID+" ("+w.Sign+")")
		}
	}
	slices.Sort(lives)
	if len(lives) > 0 {
		r.obstacle("it is at work: "+strings.TrimSpace(some(lives)), "stop it first: "+why)
	}
}

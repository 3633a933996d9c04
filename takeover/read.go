package takeover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Read says what the facts mean. It is a function of them alone.
func Read(f Facts) Report {
	r := Report{Table: f.Table, Application: f.Application, Workers: []Worker{}, Shards: []Shard{}, Against: []Obstacle{}, Next: []Step{}}
	switch {
	case slices.Equal(f.Keys, []string{"leaseKey"}):
		f.readKCL(&r)
	case slices.Equal(f.Keys, []string{"ShardID"}):
		f.readVMware(&r)
	case slices.Contains(f.Keys, "namespace") && slices.Contains(f.Keys, "shard_id"):
		f.readHarlow(&r)
	default:
		r.Library, r.Why = Unknown, "its key is "+strings.Join(f.Keys, ", ")
		r.obstacle("none of the libraries that towpath reads has such a table", "name another with -table")
	}
	r.Leases = len(r.Shards)
	slices.SortFunc(r.Shards, func(a, b Shard) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Workers, func(a, b Worker) int {
		if a.AtWork != b.AtWork {
			return map[bool]int{true: -1, false: 1}[a.AtWork]
		}
		return cmp.Compare(a.ID, b.ID)
	})
	var troubled []string
	for _, s := range r.Shards {
		if s.Trouble != "" {
			troubled = append(troubled, s.Key+" ("+s.Trouble+")")
		}
	}
	if len(troubled) > 0 {
		r.obstacle("rows that cannot be believed: "+some(troubled), "repair them, or delete them to have their shards begun anew; they are left alone otherwise")
	}
	f.next(&r)
	return r
}

func (r *Report) obstacle(what, do string) {
	r.Against = append(r.Against, Obstacle{What: what, Do: do})
}

// fateOf says where towpath goes on from a position.
func (f Facts) fateOf(id string, p shard.Position, inPlace bool) string {
	listed := slices.ContainsFunc(f.Shards, func(s shard.Shard) bool { return s.ID == id })
	switch {
	case p.IsEnd():
		return "it is done; its children may start"
	case f.Listed && !listed:
		return "the stream does not list it any more: what was not read of it is lost, and told as a loss"
	case p.IsTrimHorizon():
		return "begins at the oldest record"
	case p.IsLatest() && !p.At.IsZero():
		return "begins at " + p.At.UTC().Format(time.RFC3339)
	case p.IsLatest():
		return tipFate
	case p.IsAtTime() && !p.At.IsZero():
		return "begins at " + p.At.UTC().Format(time.RFC3339)
	case p.IsAtTime() && inPlace:
		return "begins at the time of StartingPosition, else at the oldest record"
	case p.IsAtTime():
		return "needs -at TIME, as the row does not say which"
	case p.Sub > 0:
		return "goes on in the middle of an aggregate, behind its user record " + fmt.Sprint(p.Sub)
	}
	return "goes on behind this record"
}

// uncovered tells of shards that no row leads to, and where they begin.
func (f Facts) uncovered(r *Report, rows []shard.Lease) {
	if !f.Listed || len(rows) == 0 {
		return
	}
	var holes []string
	for _, h := range shard.NewLineage(f.Shards, rows).Holes() {
		if h.Shard != "" {
			holes = append(holes, h.Shard)
		}
	}
	if len(holes) > 0 {
		r.Beside = append(r.Beside, fmt.Sprintf("%d listed shards have no row and no ancestor with one: towpath makes their rows, at the oldest record, when nothing behind them was started (%s)", len(holes), some(holes)))
	}
}

// positionOf is a position as it stands in a row.
func positionOf(sequence, sub string) string {
	if sub != "" && sub != "0" {
		return sequence + "/" + sub
	}
	return sequence
}

// changed are the signs of KCL 3's own rows that changed between the looks, by
// worker.
func (f Facts) changed() map[string]string {
	before := map[string]string{}
	for _, n := range f.Before {
		before[n.Row] = n.Sign
	}
	lives := map[string]string{}
	for _, n := range f.After {
		if sign, seen := before[n.Row]; n.Sign != "" && (!seen || sign != n.Sign) {
			lives[n.Worker] = "its " + kindOf(n) + " changed"
		}
	}
	return lives
}

func kindOf(n checkpoint.Neighbour) string {
	if n.Kind == checkpoint.NeighbourLeader {
		return "leader's lock"
	}
	return "metrics"
}

// some names the first of many.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

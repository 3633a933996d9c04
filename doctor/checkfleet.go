package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// shortestWatch is the time between two looks that tells whether a worker beats
// whose LeaseDuration is the default of 10 s: one beat with its jitter.
const shortestWatch = 1200 * time.Millisecond

// standing are the workers that have a session, by what the two looks tell of them.
type standing struct {
	alive, leaving, silent, unknown, revoked []string
}

// standingOf tells those that beat from those that do not. Unknown are those that
// did not in a watch that was too short for it.
func standingOf(f Facts) (s standing) {
	beats := map[string]int64{}
	for _, w := range f.First.Sessions {
		beats[w.ID] = w.Beat
	}
	for _, w := range f.Second.Sessions {
		before, seen := beats[w.ID]
		switch {
		case !w.Alive():
			s.revoked = append(s.revoked, w.ID)
		case seen && before == w.Beat && f.Apart < shortestWatch:
			s.unknown = append(s.unknown, w.ID)
		case seen && before == w.Beat:
			s.silent = append(s.silent, w.ID)
		default:
			s.alive = append(s.alive, w.ID)
			if w.Leaving {
				s.leaving = append(s.leaving, w.ID)
			}
		}
	}
	return s
}

func checkWorkers(f Facts, out *findings) {
	if blind(f) || f.Apart <= 0 || len(f.First.Sessions)+len(f.Second.Sessions)+len(f.Second.Rows) == 0 {
		return
	}
	s := standingOf(f)
	switch {
	case len(s.alive) > 0:
		out.ok("%s at work: %s", counted(len(s.alive), "worker"), some(s.alive))
	case len(s.unknown) == 0 && !lively(f):
		out.warn("start one", "no worker is at work")
	}
	if len(s.unknown) > 0 {
		out.note("%s registered, and %v is too short to see whether they beat: %s", are(len(s.unknown), "worker"), f.Apart, some(s.unknown))
	}
	if len(s.leaving) > 0 {
		out.note("%s stopping: %s", are(len(s.leaving), "worker"), some(s.leaving))
	}
	if len(s.silent) > 0 {
		out.warn("see whether it hangs or was killed; once it counts as dead its shards go to others. A worker beats every tenth of its LeaseDuration: watch for longer than that",
			"%s not beat for %v: %s", have(len(s.silent), "worker"), f.Apart, some(s.silent))
	}
	if len(s.revoked) > 0 {
		out.note("%s declared dead: %s", were(len(s.revoked), "worker"), some(s.revoked))
	}
	crowded(f, len(s.alive), out)
}

// blind reports whether the workers could not be seen in one of the looks.
func blind(f Facts) bool { return f.First.Blind || f.Second.Blind }

// crowded tells of workers beyond the shards: they have nothing to do.
func crowded(f Facts, workers int, out *findings) {
	shards := 0
	for _, row := range f.Second.Rows {
		if row.Fault == nil && !row.Finished() {
			shards++
		}
	}
	if shards > 0 && workers > shards {
		out.note("%d workers for %s: %d have nothing to do", workers, counted(shards, "shard"), workers-shards)
	}
}

// lively reports whether some lease's counter moved between the two looks, as
// they do under KCL and under workers whose sessions could not be read.
func lively(f Facts) bool {
	return len(moved(f)) > 0
}

// moved are the owners of leases whose counter moved between the looks.
func moved(f Facts) []string {
	before := map[string]int64{}
	for _, row := range f.First.Rows {
		before[row.Key] = row.Counter
	}
	var owners []string
	for _, row := range f.Second.Rows {
		if n, seen := before[row.Key]; seen && row.Holder() != "" && n != row.Counter && row.Fault == nil {
			owners = append(owners, row.Holder())
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}

// checkOwners holds the owners that rows name against the workers there are.
func checkOwners(f Facts, out *findings) {
	if blind(f) || f.Apart <= 0 {
		return
	}
	workers := standingOf(f)
	known, silent := map[string]bool{}, map[string]bool{}
	for _, id := range slices.Concat(workers.alive, workers.unknown) {
		known[id] = true
	}
	for _, id := range workers.silent {
		silent[id] = true
	}
	living := len(known) > 0
	atWork := moved(f)
	free := map[string]bool{} // at the first look
	asked := map[string]string{}
	for _, row := range f.First.Rows {
		free[row.Key] = row.Owner == ""
		asked[row.Key] = row.CheckpointOwner + ">" + row.Owner
	}
	lineage := shard.NewLineage(f.Shards, f.Second.Rows)
	var gone, mute, left, moving []string
	held := 0
	for _, row := range f.Second.Rows {
		holder := row.Holder()
		switch {
		case row.Fault != nil || row.Finished():
		case holder == "" && free[row.Key] && lineage.Runnable(row.Shard):
			left = append(left, row.Shard)
		case holder == "":
		case silent[holder] && !slices.Contains(atWork, holder):
			mute = append(mute, row.Shard)
		case !known[holder] && !slices.Contains(atWork, holder):
			gone = append(gone, row.Shard)
		case row.CheckpointOwner != "" && asked[row.Key] == row.CheckpointOwner+">"+row.Owner:
			moving = append(moving, row.Shard)
			held++
		default:
			held++
		}
	}
	if len(gone) > 0 {
		level, do := Note, "they are taken when a worker starts"
		if living {
			level, do = Warning, "they are taken after LeaseDuration; if this stays so, see the workers' logs"
		}
		out.add(level, do, "%s owned by a worker without a session, and did not move for %v: %s", are(len(gone), "shard"), f.Apart, some(gone))
	}
	if len(mute) > 0 {
		out.warn("they are taken by others once it counts as dead; nobody does if it is the only one", "%s owned by a worker that does not beat: %s", are(len(mute), "shard"), some(mute))
	}
	if len(left) > 0 {
		level, do := Note, "start a worker"
		if living {
			level, do = Warning, "raise MaximumLeases or start more workers; see the workers' logs for the rest"
		}
		out.add(level, do, "nobody works %s that could be worked: %s", counted(len(left), "shard"), some(left))
	}
	if len(moving) > 0 {
		out.note("%s being handed over: %s", are(len(moving), "shard"), some(moving))
	}
	if held > 0 && len(gone)+len(mute)+len(left) == 0 {
		out.ok("every shard that can be worked has its worker: %d", held)
	}
}

// checkPoison tells of records that killed processes, and of shards that were
// trimmed before they were read.
func checkPoison(f Facts, out *findings) {
	for _, row := range f.Second.Rows {
		if row.Fault == nil && row.SuspectCrashes > 0 {
			out.warn("see the handler's crashes; with OnFailure and MaximumRetryAttempts such a record is given up", "%s ended a process %s: %s", row.Suspect, times(row.SuspectCrashes), row.Shard)
		}
	}
}

func checkTold(f Facts, out *findings) {
	c := f.Second.Control
	if f.Second.ControlFault != nil {
		out.fail("repair the row named control of the session table by hand", "what the fleet is told cannot be understood: %v", f.Second.ControlFault)
	}
	if c.Move.Active() {
		out.warn("finish it with towpath seek -resume, or give it up with -abort", "a move of all positions is under way, and every worker stands still: %s", c.Move)
	}
	if c.Limited && c.Limit == 0 {
		out.warn("lift it with towpath limit off", "the fleet's limit is 0: no handler is called")
	} else if c.Limited {
		out.note("the fleet is limited to %s at once", counted(c.Limit, "call"))
	}
	if len(c.Pauses) > 0 {
		var all []string
		for _, p := range c.Pauses {
			all = append(all, p.String())
		}
		out.warn("let it go on with towpath resume", "paused: %s", some(all))
	}
}

// checkNeighbours tells of KCL on the same tables.
func checkNeighbours(f Facts, out *findings) {
	signs := map[string]string{}
	for _, n := range f.First.Neighbours {
		signs[n.Row] = n.Sign
	}
	lives := map[string]bool{}
	for _, n := range f.Second.Neighbours {
		if before, seen := signs[n.Row]; n.Sign != "" && (!seen || before != n.Sign) {
			lives[n.Worker] = true
		}
	}
	known := map[string]bool{}
	for _, s := range f.Second.Sessions {
		known[s.ID] = true
	}
	for _, owner := range moved(f) {
		if !known[owner] && !blind(f) {
			lives[owner] = true
		}
	}
	var workers []string
	for w := range lives {
		workers = append(workers, w)
	}
	slices.Sort(workers)
	var kinds []string
	every := time.Duration(0)
	for _, n := range f.Second.Neighbours {
		if n.Mode != "" {
			kinds = append(kinds, n.Mode)
		}
		every = max(every, n.Every)
	}
	mode := ""
	if len(kinds) > 0 {
		mode = " (" + some(slices.Compact(kinds)) + ")"
	}
	orphans := ownersWithoutSession(f)
	switch {
	case len(workers) > 0:
		out.warn("stop one of the two fleets, or see BesideKCL2 in docs/kcl.md; towpath migrate tells more", "a fleet of KCL is at work on the lease table: %s", some(workers))
	case f.Apart <= 0 || f.First.NeighboursUnread || f.Second.NeighboursUnread:
		// Said where what could not be asked is listed.
	case len(f.Second.Neighbours) > 0 && f.Apart < every:
		out.add(Note, fmt.Sprintf("to be sure that it is not at work, watch for longer: -watch %v", every+shortestWatch.Round(time.Second)), "KCL 3 was here%s, and nothing of it moved for %v", mode, f.Apart)
	case len(f.Second.Neighbours) > 0:
		out.note("KCL 3 was here%s and is not at work now", mode)
	case blind(f):
	case len(orphans) > 0:
		out.add(Note, "KCL renews a lease every third of its failoverTimeMillis, 10 s by default: let -watch be that, to be sure that it is not at work",
			"leases are held by workers without a session, and nothing of them moved for %v: %s", f.Apart, some(orphans))
	default:
		out.ok("no fleet of KCL is at work on the lease table")
	}
}

// ownersWithoutSession are who holds unfinished leases without a session, as the
// workers of another library do.
func ownersWithoutSession(f Facts) (owners []string) {
	has := map[string]bool{}
	for _, s := range f.Second.Sessions {
		has[s.ID] = true
	}
	for _, row := range f.Second.Rows {
		if holder := row.Holder(); row.Fault == nil && !row.Finished() && holder != "" && !has[holder] {
			owners = append(owners, holder)
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}

func are(n int, noun string) string  { return counted(n, noun) + verb(n, " is", " are") }
func were(n int, noun string) string { return counted(n, noun) + verb(n, " was", " were") }
func have(n int, noun string) string { return counted(n, noun) + verb(n, " has", " have") }

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return counted(n, "time")
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// living is a worker as a command sees it.
type living struct {
	shard.Session
	beats bool // its heartbeat was seen to change
}

// enoughLooking is how long to look for others than those that are needed.
const enoughLooking = 3 * time.Second

// lookForLife reads the sessions until those that are needed have been seen to
// beat: the owner and, where one is named, the heir. It gives up after silence, and
// waits for somebody to come for as long as enoughLooking.
func lookForLife(ctx context.Context, table *dynamocheckpoint.Table, owner, heir string, silence time.Duration) ([]living, error) {
	first := map[string]int64{}
	for began := time.Now(); ; {
		rows, err := table.SessionsNow(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the sessions: %w", err)
		}
		all := make([]living, len(rows))
		needed, others, quiet := 0, 0, 0
		for i, row := range rows {
			if _, known := first[row.ID]; !known {
				first[row.ID] = row.Beat
			}
			all[i] = living{row, row.Alive() && row.Beat > first[row.ID]}
			switch wanted := row.ID == owner || heir != "" && isCalled(row.ID, heir); {
			case !row.Alive():
			case !all[i].beats && wanted:
				needed++
			case !all[i].beats:
				quiet++
			case row.ID != owner:
				others++
			}
		}
		switch waited := time.Since(began); {
		case needed+quiet == 0 && others > 0, waited > silence, needed == 0 && waited > enoughLooking && (others > 0 || quiet == 0):
			return all, nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// isCalled reports whether a worker is meant by a name: its id, or what stands
// before the slash of it.
func isCalled(id, name string) bool {
	prefix, _, _ := strings.Cut(id, "/")
	return id == name || prefix == name
}

// chooseHeir says who is to have a lease: the one that is named, or the one that
// holds least of those with which the planner leaves it.
func chooseHeir(row shard.Lease, rows []shard.Lease, workers []living, named string) (handover, error) {
	i := slices.IndexFunc(workers, func(w living) bool { return w.ID == row.Owner })
	switch {
	case i < 0:
		return handover{}, fmt.Errorf("its owner %s has no session: it is of another library, or dead, and then it is taken over without being asked", row.Owner)
	case !workers[i].beats:
		return handover{}, fmt.Errorf("its owner %s gives no sign of life: it is taken over without being asked when that is certain", row.Owner)
	}
	var candidates []handover
	var refused error
	for _, w := range workers {
		if named != "" && !isCalled(w.ID, named) || named == "" && w.ID == row.Owner {
			continue
		}
		h := afterwards(row, rows, workers, w.ID)
		switch {
		case w.ID == row.Owner:
			refused = fmt.Errorf("%s holds it already", w.ID)
		case !w.Alive() || !w.beats:
			refused = fmt.Errorf("%s gives no sign of life", w.ID)
		case w.Leaving:
			refused = fmt.Errorf("%s is stopping, and takes nothing", w.ID)
		case w.MaxLeases > 0 && h.held >= w.MaxLeases:
			refused = fmt.Errorf("%s holds %d leases, which is as many as its MaximumLeases", w.ID, h.held)
		default:
			candidates = append(candidates, h)
		}
	}
	slices.SortFunc(candidates, func(a, b handover) int {
		switch {
		case a.back != b.back && a.back:
			return 1
		case a.back != b.back:
			return -1
		}
		return cmp.Or(cmp.Compare(a.held, b.held), cmp.Compare(a.to, b.to))
	})
	switch {
	case len(candidates) == 0 && named != "" && refused == nil:
		return handover{}, missingError{fmt.Errorf("there is no worker %s: towpath workers lists them", named)}
	case len(candidates) == 0 && refused != nil && named != "":
		return handover{}, refused
	case len(candidates) == 0:
		return handover{}, errors.Join(errors.New("no other worker lives that takes it"), refused)
	case len(candidates) > 1 && named != "":
		return handover{}, usageError{fmt.Errorf("-to %s is several: %s, %s; name one by its id", named, candidates[0].to, candidates[1].to)}
	}
	return candidates[0], nil
}

// afterwards is what the fleet's planner makes of a lease that went to a worker, by
// the number of leases alone: what they cost may have it move others.
func afterwards(row shard.Lease, rows []shard.Lease, workers []living, to string) handover {
	h := handover{row: row, to: to}
	view := shard.View{Moves: len(rows)}
	for _, w := range workers {
		if !w.Alive() {
			continue
		}
		view.Workers = append(view.Workers, shard.WorkerView{ID: w.ID, Leaving: w.Leaving, MaxLeases: w.MaxLeases, Silent: !w.beats})
		if w.beats && !w.Leaving && (view.Me == "" || w.ID < view.Me) {
			view.Me = w.ID
		}
	}
	lineage := shard.NewLineage(nil, rows)
	for _, r := range rows {
		if r.Fault != nil || r.Finished() || !lineage.Runnable(r.Shard) {
			continue
		}
		h.runnable++
		if r.Owner == to {
			h.held++
		}
		if r.Key == row.Key {
			r.Owner = to
		}
		view.Leases = append(view.Leases, shard.LeaseView{Key: r.Key, Owner: r.Owner, CheckpointOwner: r.CheckpointOwner, Runnable: true})
	}
	for _, ask := range shard.Plan(view).Ask {
		switch {
		case ask.Key == row.Key:
			h.back = true
		case ask.From == to:
			h.others = append(h.others, ask.Key)
		}
	}
	return h
}

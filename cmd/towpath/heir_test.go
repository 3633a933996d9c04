package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/shard"
)

// fleetOf are rows and workers: w1 holds the first number of leases, and so on.
func fleetOf(held ...int) (rows []shard.Lease, workers []living) {
	for i, n := range held {
		id := fmt.Sprintf("w%d/%d", i+1, i)
		workers = append(workers, living{shard.Session{ID: id, Beat: 1}, true})
		for range n {
			key := fmt.Sprintf("s%d", len(rows))
			rows = append(rows, shard.Lease{Key: key, Shard: key, Owner: id})
		}
	}
	return rows, workers
}

// A shard goes to the one that holds least of those with which it stays; who cannot
// have it is passed over, and a plan that would be undone says so.
func TestAShardGoesToWhomItStaysWith(t *testing.T) {
	for _, c := range []struct {
		held   []int
		change func(rows []shard.Lease, workers []living)
		to     string
		want   string
		warned bool
	}{
		{held: []int{3, 2, 1}, want: "w3/2"},
		{held: []int{2, 1}, want: "w2/1"},
		{held: []int{2, 1, 1}, want: "w2/1"},
		{held: []int{1, 1}, want: "w2/1", warned: true},
		{held: []int{3, 2, 1}, to: "w2", want: "w2/1", warned: true},
		{held: []int{3, 2, 1}, to: "w2/1", want: "w2/1", warned: true},
		{held: []int{3, 1, 0}, change: func(_ []shard.Lease, w []living) { w[2].Leaving = true }, want: "w2/1"},
		{held: []int{3, 1, 0}, change: func(_ []shard.Lease, w []living) { w[2].beats = false }, want: "w2/1"},
		{held: []int{3, 1, 1}, change: func(_ []shard.Lease, w []living) { w[1].MaxLeases = 1 }, want: "w3/2"},
	} {
		rows, workers := fleetOf(c.held...)
		if c.change != nil {
			c.change(rows, workers)
		}
		h, err := chooseHeir(rows[0], rows, workers, c.to)
		if err != nil || h.to != c.want || (h.back || len(h.others) > 0) != c.warned {
			t.Errorf("%v, -to %q: got %+v and %v, want %s", c.held, c.to, h, err, c.want)
		}
	}
}

// Who can not have it is named with the reason, and so is an owner that is not
// asked.
func TestAShardIsNotAskedForInVain(t *testing.T) {
	for want, change := range map[string]func(rows []shard.Lease, workers []living) (to string){
		"no session":                   func(rows []shard.Lease, _ []living) string { rows[0].Owner = "kcl"; return "" },
		"gives no sign of life: it is": func(_ []shard.Lease, w []living) string { w[0].beats = false; return "" },
		"no other worker lives":        func(_ []shard.Lease, w []living) string { w[1].RevokedBy = "w1"; return "" },
		"holds it already":             func([]shard.Lease, []living) string { return "w1" },
		"is stopping":                  func(_ []shard.Lease, w []living) string { w[1].Leaving = true; return "w2" },
		"as many as its MaximumLeases": func(_ []shard.Lease, w []living) string { w[1].MaxLeases = 1; return "w2" },
		"no worker w9":                 func([]shard.Lease, []living) string { return "w9" },
		"-to w is several":             func(_ []shard.Lease, w []living) string { w[1].ID, w[2].ID = "w/1", "w/2"; return "w" },
	} {
		rows, workers := fleetOf(2, 1, 0)
		workers = workers[:3]
		if want == "no other worker lives" {
			workers = workers[:2]
		}
		to := change(rows, workers)
		if _, err := chooseHeir(rows[0], rows, workers, to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// What became of a hand-over is told as the row says it: done, kept, let go, over,
// or not yet.
func TestAHandOverIsWaitedFor(t *testing.T) {
	h := handover{row: shard.Lease{Key: "s0", Shard: "s0", Owner: "w1"}, to: "w2"}
	pending := shard.Lease{Owner: "w2", CheckpointOwner: "w1"}
	for want, row := range map[string]shard.Lease{
		"":                             {Owner: "w2"},
		"w1 keeps it: w2 did not take": {Owner: "w1"},
		"it was let go":                {},
		"has not handed over after 1m": pending,
	} {
		synctest.Test(t, func(t *testing.T) {
			looks := 0
			got, err := awaited(t.Context(), func(context.Context) (shard.Lease, error) {
				if looks++; looks < 5 {
					return pending, nil
				}
				return row, nil
			}, h, time.Minute)
			if want == "" && (err != nil || got.Owner != "w2") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %v and %v, want %s", got, err, want)
			}
		})
	}
}

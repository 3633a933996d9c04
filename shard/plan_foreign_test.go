package shard

import (
	"fmt"
	"testing"
	"time"
)

// A worker of another library counts for what is fair, gets nothing, and loses
// nothing; what it lacks it takes by itself.
func TestPlanCountsForeignWorkersAndGivesThemNothing(t *testing.T) {
	lease := func(i int, owner string) LeaseView {
		return LeaseView{Key: fmt.Sprintf("shardId-%03d", i), Owner: owner, Free: owner == "", Runnable: true}
	}
	base := View{Settle: time.Second, ByRelease: true, Workers: []WorkerView{
		{ID: "anna", Age: time.Minute}, {ID: "bert", Age: time.Minute}, {ID: "java", Age: time.Minute, Foreign: true},
	}}
	for name, test := range map[string]struct {
		owners      []string // of the leases, by number; empty is free
		left        bool     // whether the free ones have been so for long
		takes, asks int      // what all of ours do
	}{
		"free leases are shared by three":     {owners: make([]string, 9), takes: 6},
		"what java holds too much stays":      {owners: []string{"java", "java", "java", "java", "java", "java", "anna", "bert", "bert"}},
		"anna releases to bert":               {owners: []string{"anna", "anna", "anna", "anna", "java", "java"}, asks: 2},
		"anna does not release to java":       {owners: []string{"anna", "anna", "anna", "bert", "bert", "bert"}},
		"what java leaves is taken after all": {owners: []string{"java", "", "", ""}, left: true, takes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			v := base
			for i, owner := range test.owners {
				l := lease(i, owner)
				l.Left = test.left && l.Free
				v.Leases = append(v.Leases, l)
			}
			taken, asked := map[string]bool{}, 0
			for _, me := range []string{"anna", "bert"} {
				v.Me = me
				m := Plan(v)
				for _, key := range m.Take {
					if taken[key] {
						t.Errorf("%s is taken twice", key)
					}
					taken[key] = true
				}
				for _, a := range append(m.Ask, m.Offers...) {
					if a.To == "java" || a.From == "java" {
						t.Errorf("%s plans %s", me, a)
					}
				}
				for _, a := range m.Ask {
					if a.From != me {
						t.Errorf("%s plans %s, which is not its own to release", me, a)
					}
				}
				asked += len(m.Ask)
				if len(m.Withdraw) > 0 {
					t.Errorf("%s withdraws %v", me, m.Withdraw)
				}
			}
			// A round moves one lease of each owner; what is asked for in all is
			// what the quotas say.
			if len(taken) != test.takes || asked != min(test.asks, 1) {
				t.Errorf("%d leases are taken and %d released, want %d and %d", len(taken), asked, test.takes, min(test.asks, 1))
			}
		})
	}
}

package modelcheck

import (
	"slices"
	"testing"

	"github.com/towpath/towpath/shard"
)

// No order of maintenance runs, listings that are old and reshardings replays a
// shard, works one before its parents, or leaves one without a row.
func TestFamilyHolds(t *testing.T) {
	holds(t, "one host, four runs", Family{Hosts: 1, Runs: 4}.Model)
	holds(t, "two hosts", Family{Hosts: 2, Runs: 3}.Model)
}

// A rule that is wrong is found.
func TestFamilyFinds(t *testing.T) {
	lists := func(listed []shard.Shard, id string) bool {
		return slices.ContainsFunc(listed, func(s shard.Shard) bool { return s.ID == id })
	}
	finished := func(rows []shard.Lease, may func(shard.Lease) bool) (over []shard.Lease) {
		for _, row := range rows {
			if row.Finished() && may(row) {
				over = append(over, row)
			}
		}
		return over
	}
	for name, rules := range map[string]FamilyRules{
		"any run may write":                 {AnyRun: true},
		"a shard ends without its children": {Childless: true},
		"parents are not waited for": {
			Runnable: func(_ *shard.Lineage, id string, _ []shard.Shard, rows []shard.Lease) bool {
				return slices.ContainsFunc(rows, func(l shard.Lease) bool { return l.Shard == id && !l.Finished() })
			},
		},
		"every listed shard gets a row": {
			Missing: func(_ *shard.Lineage, listed []shard.Shard, rows []shard.Lease) (all []shard.Lease) {
				for _, s := range listed {
					if !slices.ContainsFunc(rows, func(l shard.Lease) bool { return l.Shard == s.ID }) {
						all = append(all, shard.Lease{Key: s.ID, Shard: s.ID, CreatedFrom: "repair"})
					}
				}
				return all
			},
		},
		"a row is deleted when it is done": {
			Deletable: func(_ *shard.Lineage, _ []shard.Shard, rows []shard.Lease) []shard.Lease {
				return finished(rows, func(shard.Lease) bool { return true })
			},
		},
		"a row is deleted when its shard is not listed": {
			Deletable: func(_ *shard.Lineage, listed []shard.Shard, rows []shard.Lease) []shard.Lease {
				return finished(rows, func(l shard.Lease) bool { return !lists(listed, l.Shard) })
			},
		},
	} {
		finds(t, name, Family{Hosts: 2, Runs: 3, Rules: rules}.Model)
	}
}

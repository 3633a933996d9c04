package main

import (
	"fmt"
	"slices"
)

// swarmSeeds are mutants of the other lists once more, killed not by the test of just that
// promise but by whole fleets under faults, whose checker knows no mutant. For each
// stands a seed that finds it; some seeds behind it are played, too, so that a change
// of how fleets are drawn from seeds does not at once bring all of them back to life.
var swarmSeeds = map[string]int{
	"bisect-drops-a-half":             16,
	"child-after-one-parent":          1,
	"child-before-its-parents":        1,
	"dead-after-half-the-lease":       21,
	"destination-asked-once":          16,
	"finished-before-the-destination": 16,
	"lane-by-record":                  12,
	"leave-with-lanes-at-work":        12,
	"mark-of-the-highest-finished":    29,
	"take-from-the-living":            10,
	"valid-whatever-the-time":         21,
}

var swarm = inSwarm(swarmSeeds)

// seedsBehind is how many seeds are played, that which is named and those behind it.
const seedsBehind = 20

func inSwarm(seeds map[string]int) (all []mutant) {
	for _, m := range slices.Concat(decisions, engine, handling) {
		seed, named := seeds[m.Name]
		if !named {
			continue
		}
		m.Name = "swarm-" + m.Name
		m.By = test{Package: "./internal/swarmtest", Run: "^TestSwarm$", Flags: fmt.Sprintf("-first %d -seeds %d", seed, seedsBehind)}
		all = append(all, m)
	}
	return all
}

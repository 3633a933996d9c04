package modelcheck_test

import (
	"fmt"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/modelcheck"
	"github.com/towpath/towpath/shard"
)

// A rule that takes every row that names the worker for its own is wrong. Printed,
// the breach would tell the whole way.
func ExampleExplore() {
	always := func(_, now shard.Lease, me string) checkpoint.Verdict {
		if now.Holder() == me {
			return checkpoint.Adopted
		}
		return checkpoint.Lost
	}
	fmt.Println(modelcheck.Explore(modelcheck.Leases{Workers: 2, Records: 1, Counter: 2}.Model, 100_000).Breach)
	wrong := modelcheck.Leases{
		Workers: 2, Records: 2, Counter: 4,
		Rules: modelcheck.LeaseRules{Adopt: always, Further: func(shard.Lease, checkpoint.Progress) bool { return false }},
	}
	breach := modelcheck.Explore(wrong.Model, 1_000_000).Breach
	fmt.Println(len(breach.Steps)-1, "steps")
	// Output:
	// <nil>
	// 20 steps
}
